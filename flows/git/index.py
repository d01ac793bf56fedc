"""The index of a working tree, and others beside it that are gone after their use."""

import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from ccs.flows.git import locks
from ccs.flows.git.command import GitError, shown
from ccs.flows.git.folder import entered
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
    folder, name = repository.git_dir / "ccs", f"index-{uuid4().hex}"
    with ExitStack() as stack:
        try:
            inside = stack.enter_context(entered(folder.parent, folder.name))
            _remove_old(inside)
            os.mkdir(name, 0o700, dir_fd=inside)
            stack.callback(shutil.rmtree, name, ignore_errors=True, dir_fd=inside)
            if copied and (real := repository.git_dir / "index").exists():
                _copy(real, os.open(f"{name}/index", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=inside))
        except OSError as error:
            raise GitError(f"{shown(folder)} cannot be written to: {error.strerror or error}") from None
        yield folder / name / "index"


def _remove_old(folder: int) -> None:
    """Remove what runs that were killed have left in the folder that is open."""
    for name in os.listdir(folder):
        if name.startswith("index-"):
            with suppress(FileNotFoundError):  # its task is done with it
                if time.time() - os.stat(name, dir_fd=folder, follow_symlinks=False).st_mtime > _LEFT:
                    shutil.rmtree(name, ignore_errors=True, dir_fd=folder)


def _copy(index: Path, descriptor: int) -> None:
    """Copy an index with its time, by which git knows which files it must read again."""
    with os.fdopen(descriptor, "wb") as copy, index.open("rb") as real:
        shutil.copyfileobj(real, copy)
        copy.flush()
        times = os.fstat(real.fileno())
        os.utime(copy.fileno(), ns=(times.st_atime_ns, times.st_mtime_ns))
