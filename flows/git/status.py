"""What is not committed in a working tree, and whether a task may start in it."""

from dataclasses import dataclass
from pathlib import Path

from ccs.flows.git.command import LONG, naming, shown
from ccs.flows.git.repository import Repository

TREES = "trees/"
"""The folder of the main checkout that holds the worktrees of jobs; never part of anything."""


@dataclass(frozen=True)
class Status:
    """What is not committed in a working tree; paths from its top."""

    paths: tuple[str, ...]
    """Changed, deleted, and new files that are not ignored."""
    nested: tuple[str, ...]
    """Repositories in it that are no submodules, with a slash at the end."""
    submodules: tuple[str, ...]
    """Submodules with uncommitted changes inside."""
    unmerged: tuple[str, ...]
    """Files with a conflict."""
    present: tuple[str, ...]
    """Those of the paths that are there, to be read."""
    gone: tuple[str, ...]
    """Those of the paths that the index has and the directory has not."""
    untracked: tuple[str, ...]
    """Those of the paths that neither the index nor the last commit knows."""

    @classmethod
    def of(cls, repository: Repository) -> "Status":
        """The status of the whole working tree; nothing is written for it."""
        said = repository.git(
            "status", "--porcelain=v2", "-z", "--untracked-files=all", "--ignore-submodules=none", "--no-renames",
            timeout=LONG,
        )  # fmt: skip
        changed: list[str] = []
        present: list[str] = []
        gone: list[str] = []
        untracked: list[str] = []
        submodules: list[str] = []
        unmerged: list[str] = []
        for record in said.fields:
            kind = record[0]
            if kind == "?":
                untracked.append(record[2:])
            elif kind in "1u":
                parts = record.split(" ", 8 if kind == "1" else 10)
                changed.append(parts[-1])
                if parts[1] != "D.":  # taken out of the index: what is there now is untracked, or ignored
                    (gone if parts[5 if kind == "1" else 6] == "000000" else present).append(parts[-1])
                if parts[2][0] == "S" and parts[2][2:] != "..":
                    submodules.append(parts[-1])
                if kind == "u":
                    unmerged.append(parts[-1])
        if any(path.startswith(TREES) for path in untracked) and not tracks_trees(repository):
            untracked = [path for path in untracked if not path.startswith(TREES)]
        untracked = [path for path in untracked if not (path.startswith(TREES) and path.endswith("/"))]
        nested = [path for path in untracked if path.endswith("/")]
        files = [path for path in untracked if not path.endswith("/")]
        return cls(
            tuple(sorted({*changed, *files})), tuple(nested), tuple(submodules), tuple(unmerged),
            tuple(present + files), tuple(gone), tuple(sorted({*files} - {*changed})),
        )  # fmt: skip


def tracks_trees(repository: Repository) -> bool:
    """Whether the repository has a folder of its own where the worktrees go."""
    return bool(repository.git("ls-files", "-z", "--", TREES).out)


def uncommitted(repository: Repository) -> list[str]:
    """The paths with uncommitted changes in a repository; ignored files do not count."""
    status = Status.of(repository)
    return sorted({*status.paths, *status.nested, *status.submodules})


def refusal(directory: Path) -> str | None:
    """Why no task should start in a directory, and what to do; None when it is clean.

    Files that git does not know are in nobody's way: no commit of a task has them.
    """
    repository = Repository.at(directory)
    where = f"working directory {shown(directory)}"
    if name := repository.operation:
        return f"{where} is in the middle of a {name}: {way_out(name)}, or set working_directory.allow_dirty"
    status = Status.of(repository)
    if not (paths := sorted({*status.paths, *status.submodules} - set(status.untracked))):
        return None
    return (
        f"{where} has uncommitted changes ({naming(paths)}): commit or stash them, or set working_directory.allow_dirty"
    )


def way_out(operation: str) -> str:
    """How to end what is under way."""
    return f"finish it with `git {operation} --continue` or undo it with `git {operation} --abort`"
