"""Processes of this machine as its system shows them: when they began, their titles, and the marks they carry."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from ccs.flows.node.identity import NODE_MARK, NODE_PROCESS_MARK, RUN_MARK

_PROC = Path("/proc")
_PR_SET_DUMPABLE, _PR_SET_NAME = 4, 15
_MARKS = (RUN_MARK, NODE_MARK, NODE_PROCESS_MARK)


def birth(pid: int) -> str | None:
    """When a process was born, in whatever form the system tells it; None when it is gone, or only not yet reaped."""
    if (_PROC / "self/stat").exists():
        try:
            fields = (_PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
        except OSError:
            return None
        return None if fields[0] in "ZX" else fields[19]
    found = subprocess.run(["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    state, _, born = found.stdout.strip().partition(" ")
    return None if not state or state.startswith("Z") else " ".join(born.split())


def identity(pid: int) -> str | None:
    """`pid:birth` of a living process, which no later process can have; None when there is none."""
    born = birth(pid)
    return None if born is None else f"{pid}:{born}"


def is_alive(known: str) -> bool:
    """Whether the process of an identity lives."""
    pid = known.partition(":")[0]
    return pid.isdecimal() and identity(int(pid)) == known


def title(pid: int) -> str:
    """The title of a process, at most 15 characters; empty when it is gone, or the system shows none."""
    try:
        return (_PROC / str(pid) / "comm").read_text().strip()
    except OSError:
        return ""


def take_title(text: str) -> None:
    """Give the current process a title for `ps`, and for those who look after processes; 15 characters count."""
    _prctl(_PR_SET_NAME, text.encode())  # a title is a comfort; systems without it only lack the comfort


def seclude() -> bool:
    """Close the environment and the memory of this process, and of those it forks, to the others of its user.

    Another program that one of them becomes is open again. False where the system cannot do that.
    """
    return _prctl(_PR_SET_DUMPABLE, 0)


def mark_words(environment: Mapping[str, str]) -> list[str]:
    """The marks of an environment as arguments of a command, where they are found when the process is secluded."""
    return [f"{name}={environment[name]}" for name in _MARKS if name in environment]


def _prctl(option: int, value: int | bytes) -> bool:
    if sys.platform != "linux":
        return False
    import ctypes

    return bool(ctypes.CDLL(None).prctl(option, value, 0, 0, 0) == 0)


def marked(name: str, value: str) -> set[int]:
    """The living processes of this user that carry a mark with this value."""
    mark = f"{name}={value}"
    if sys.platform != "linux":
        listing = subprocess.run(
            ["/bin/ps", "-axwwE", "-o", "pid=,command="], capture_output=True, check=False, text=True, errors="replace"
        )
        return {int(line.split()[0]) for line in listing.stdout.splitlines() if mark in line}
    return {pid for pid in _pids() if mark.encode() in _environment(pid)}


def all_marked() -> Iterator[tuple[int, Mapping[str, str]]]:
    """The living processes that are of a run or a node, with their marks; none where the system does not show them."""
    for pid in _pids():
        if found := marks_of(pid):
            yield pid, found


def marks_of(pid: int) -> Mapping[str, str]:
    """The marks of run and node that a process carries, by name."""
    variables = (variable.decode(errors="replace").partition("=") for variable in _environment(pid))
    return {name: value for name, _, value in variables if name in _MARKS}


def _pids() -> Iterator[int]:
    if _PROC.is_dir():
        yield from (int(entry.name) for entry in _PROC.iterdir() if entry.name.isdecimal())


def _environment(pid: int) -> list[bytes]:
    """The environment in which a process was started; nothing when it ended, or belongs to another user.

    Of a secluded process of this user, which shows no environment, its arguments: its marks are there.
    """
    process = _PROC / str(pid)
    try:
        return (process / "environ").read_bytes().split(b"\0")
    except PermissionError:
        return _arguments(process)
    except OSError:
        return []


def _arguments(process: Path) -> list[bytes]:
    try:
        return (process / "cmdline").read_bytes().split(b"\0") if process.stat().st_uid == os.geteuid() else []
    except OSError:
        return []
