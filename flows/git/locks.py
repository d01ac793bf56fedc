"""Locks: those by which runs of ccs stay out of each other's way, and those that git left behind."""

import contextlib
import os
import re
import shlex
import time
from collections.abc import Iterator
from pathlib import Path

from ccs.flows.git.command import GitError, shown
from ccs.flows.node.locks import FileLock

PATIENCE = 1800.0
"""Seconds to wait for another task that changes the repository; its hooks may be slow."""

_FRESH = 60.0
_FRESH_UNSEEN = 900.0
"""Seconds in which a lock of git may be in use; longer where nobody can see who holds it."""


class RepositoryLock(FileLock):
    """A lock in the folder of ccs in a git directory; whatever is in its way is a GitError."""

    def __init__(self, git_dir: Path, name: str) -> None:
        super().__init__(git_dir / "ccs" / name)

    def take(self, *, shared: bool = False, patience: float = 0.0) -> bool:
        """Whether the lock was to be had within so many seconds; GitError when it cannot be made or locked."""
        try:
            self.path.parent.mkdir(exist_ok=True)
            return super().take(shared=shared, patience=patience)
        except OSError as error:
            raise GitError(
                f"{shown(self.path)} cannot be locked, which keeps runs out of each other's way: "
                f"{error.strerror or error}. Let the node's user write to the repository"
            ) from None


@contextlib.contextmanager
def changing(common_dir: Path) -> Iterator[None]:
    """Hold the repository's lock while its metadata is changed: one task of this machine at a time."""
    lock = RepositoryLock(common_dir, "lock")
    if not lock.take(patience=PATIENCE):
        raise GitError(
            f"another task has been changing {shown(common_dir)} for {PATIENCE / 60:.0f} minutes: "
            "look there for a git command or a hook that hangs"
        )
    try:
        yield
    finally:
        lock.release()


def named(stderr: str) -> Path | None:
    """The lock of git's own that git complains about; None when it complains about something else."""
    if found := re.search(r"Unable to create '(.+\.lock)': File exists", stderr, re.DOTALL):
        return Path(found[1])
    if found := re.search(r"could not lock config file (.+): File exists", stderr):
        return Path(f"{found[1]}.lock")
    return None


def stale(lock: Path) -> str | None:
    """The sentence about a lock that a killed git left behind; None when there is none, or it may be in use."""
    if not (about := _age(lock)):
        return None
    age, holder = about
    return None if _in_use(age, holder) else explained(lock)


def explained(lock: Path) -> str:
    """What to do about a lock that is in the way."""
    about = _age(lock)
    if about is None:
        return f"another git command held {shown(lock)} at that moment: try again"
    age, holder = about
    if _in_use(age, holder):
        return f"another git command ({holder or 'unknown process'}) is at work with {shown(lock)}: try again later"
    return (
        f"{shown(lock)} was left behind by a git command that was killed: it is {_words(age)} old and no process "
        f"holds it open. Remove it with: rm {shlex.quote(str(lock))}"
    )


def _age(lock: Path) -> tuple[float, str] | None:
    try:
        age = time.time() - lock.stat().st_mtime
    except OSError:
        return None
    return age, _holder(lock)


def _in_use(age: float, holder: str) -> bool:
    return bool(holder) or age < (_FRESH if Path("/proc/self/fd").exists() else _FRESH_UNSEEN)


def _holder(lock: Path) -> str:
    """The process that has the lock open, or the git that works in its repository and may have closed it for now."""
    target = os.path.realpath(lock)
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # ended, or another user's
            if any(os.readlink(fd) == target for fd in (process / "fd").iterdir()):  # noqa: PTH115
                return f"process {process.name}"
    checkout, found, _ = target.rpartition("/.git/")
    return git_in(Path(checkout) if found else Path(target).parent)


def git_in(place: Path) -> str:
    """A git command that runs in a directory or below; empty when there is none, or nobody can tell."""
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (process / "comm").read_text().strip() == "git" and (process / "cwd").resolve().is_relative_to(place):
                return f"process {process.name}"
    return ""


def _words(seconds: float) -> str:
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} seconds"
