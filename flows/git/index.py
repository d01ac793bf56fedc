"""The index of a working tree, and others beside it that are gone after their use."""

import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from ccs.flows.git import locks
from ccs.flows.git.command import GitError, shown
from ccs.flows.git.repository import Repository, TreeEntry

_LEFT = 86400.0
"""Seconds after which an index beside the real one is of a run that was killed."""


def await_index(repository: Repository) -> None:
    """Return when no other git command has the index; GitError when one keeps it."""
    lock = repository.git_dir / "index.lock"
    deadline = time.monotonic() + locks.PATIENCE
    while lock.exists():
        if locks.stale(lock) or time.monotonic() > deadline:
            raise GitError(locks.explained(lock))
        time.sleep(0.1)


def write_index(repository: Repository, entries: Mapping[str, TreeEntry | None], index: Path | None = None) -> None:
    """Set entries of the index, or take them out; all the others stay as they are."""
    if not entries:
        return
    nothing = "0" * len(repository.tree_of(""))
    lines = [f"{mode} {oid}\t{path}" for path, (mode, oid) in ((p, e or ("0", nothing)) for p, e in entries.items())]
    ordered = [line for line in lines if line.startswith("0 ")] + [ln for ln in lines if not ln.startswith("0 ")]
    repository.git("update-index", "-z", "--index-info", stdin="\0".join(ordered) + "\0", index=index)


@contextmanager
def scratch_index(repository: Repository, copied: bool = True) -> Iterator[Path]:
    """A path for an index beside the real one, with its content when `copied`."""
    folder = repository.git_dir / "ccs"
    try:
        folder.mkdir(exist_ok=True)
        for other in folder.glob("index-*"):
            with suppress(FileNotFoundError):  # its task is done with it
                if time.time() - other.stat().st_mtime > _LEFT:
                    shutil.rmtree(other, ignore_errors=True)
        scratch = tempfile.TemporaryDirectory(prefix="index-", dir=folder, ignore_cleanup_errors=True)
    except OSError as error:
        raise GitError(f"{shown(folder)} cannot be written to: {error.strerror or error}") from None
    with scratch as name:
        index = Path(name) / "index"
        real = repository.git_dir / "index"
        if copied and real.exists():
            try:
                shutil.copy2(real, index)  # with its time, by which git knows which files it must read again
            except OSError as error:
                raise GitError(f"{shown(folder)} cannot be written to: {error.strerror or error}") from None
        yield index
