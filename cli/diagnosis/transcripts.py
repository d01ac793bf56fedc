"""What runs and `ccs up` left on this machine: transcripts of attempts, logs of server and node."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, TypedDict

from ccs.cli.errors import NotFoundError, RequestError

_SHORTEST = 4
"""Characters of an id that name a run."""


class FileRow(TypedDict):
    """A file that tells what happened here."""

    id: str  # of the run, or the name of a log
    kind: Literal["transcript", "log"]
    path: str
    bytes: int
    modified: str


def files(home: Path) -> list[FileRow]:
    """All files that tell what happened here, the latest first."""
    found = [*(home / "runs").glob("*/*"), *home.glob("*.log")] if home.is_dir() else []
    rows = [_row(home, path) for path in found if path.is_file()]
    return sorted(rows, key=lambda row: row["modified"], reverse=True)


def of_run(home: Path, run: str) -> list[Path]:
    """The transcripts of the run with this id, or the beginning of it, oldest first; errors when there are none."""
    folders = [f for f in (home / "runs").glob("*") if f.is_dir() and f.name.startswith(run) and len(run) >= _SHORTEST]
    if len(folders) > 1:
        raise RequestError(f"{run!r} stands for {len(folders)} runs", "give more of its id")
    paths = [p for folder in folders for p in folder.iterdir() if p.is_file()]
    if not paths:
        hint = "transcripts stay on the node of the run; its log is on the server: ccs runs logs RUN"
        raise NotFoundError("transcript on this machine of run", run, hint=hint)
    return sorted(paths, key=lambda p: p.stat().st_mtime)


def lines(paths: list[Path]) -> Iterator[str]:
    """The lines of files, one file after the other; what is not UTF-8 is replaced."""
    for path in paths:
        with path.open(encoding="utf-8", errors="replace") as file:
            yield from (line.rstrip("\n") for line in file)


def _row(home: Path, path: Path) -> FileRow:
    stat = path.stat()
    is_run = path.parent != home
    return {
        "id": path.parent.name if is_run else path.stem,
        "kind": "transcript" if is_run else "log",
        "path": str(path),
        "bytes": stat.st_size,
        "modified": datetime.fromtimestamp(stat.st_mtime, UTC).isoformat(),
    }
