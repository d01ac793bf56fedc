"""The locks of git itself: whether one is in use, or was left behind by a git that was killed."""

import contextlib
import os
import re
import shlex
import time
from pathlib import Path

from ccs.flows.git.command import shown

PATIENCE = 10.0
"""Seconds in which another git command is expected to be done with its lock."""

_FRESH = 60.0
_FRESH_UNSEEN = 900.0
"""Seconds in which a lock of git may be in use; longer where nobody can see who holds it."""


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
