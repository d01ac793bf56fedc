"""Ends the processes that a run left behind, found by the marks in their environment.

A process that moved to a session of its own leaves its process group, not its environment. Without /proc nothing
is found, and ending the run's process group is all that a node can do.
"""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from ccs.flows.node.identity import NODE_MARK, NODE_PROCESS_MARK, RUN_MARK
from ccs.flows.processes import guard

ZYGOTE_TITLE = "ccs-zygote"

_PROC = Path("/proc")
_POLL = 0.02
_KILL_PATIENCE = 5.0
_GUARD_PATIENCE = 12.0  # seconds for the guard of an attempt to end what only it can find


def identity(pid: int) -> str | None:
    """`pid:start time` of a living process, which no later process can have; None when there is none."""
    try:
        fields = (_PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else f"{pid}:{fields[19]}"


def set_title(title: str) -> None:
    """Name the current process for `ps` and for `end_leftovers`; at most 15 characters count."""
    try:
        (_PROC / "self/comm").write_text(title)
    except OSError:
        return  # a name is a comfort; platforms without it only lack the comfort


def is_guard(pid: int) -> bool:
    """Whether the process guards an attempt: it ends by itself, once it has ended everything below it."""
    return _title(pid) == guard.TITLE


def children(parent: int) -> set[int]:
    """The living children of a process."""
    return {pid for pid, its_parent in guard.processes() if its_parent == parent}


def end_run(run_id: str, *, grace: float = 2.0) -> int:
    """End all processes that carry the run's mark; the number of processes that had to be told.

    `grace` is the number of seconds between SIGTERM and SIGKILL.
    """
    mark = f"{RUN_MARK}={run_id}"
    return _end(lambda: {pid for pid, marks in _marked() if mark in marks}, grace)


def end_leftovers(node: str, *, grace: float = 10.0) -> set[str]:
    """End what earlier processes of this node left running; the ids of the runs it belonged to.

    Left alone: what a living process of the node owns, and the runs of a dead one whose zygote lives: it lets them
    finish and sweeps after them itself. `grace` gives a run the seconds to report how it ended.
    """
    runs: set[str] = set()

    def find() -> set[int]:
        by_owner: dict[str, set[int]] = {}
        guarded: set[str] = set()
        for pid, marks in _marked():
            if f"{NODE_MARK}={node}" not in marks:
                continue
            owner = _value(marks, NODE_PROCESS_MARK)
            if not owner:
                continue  # nobody says that it is not a living node's
            by_owner.setdefault(owner, set()).add(pid)
            if _title(pid) == ZYGOTE_TITLE or _lives(owner):
                guarded.add(owner)
        found = {pid for owner, pids in by_owner.items() if owner not in guarded for pid in pids}
        runs.update(filter(None, (_value(_marks(pid), RUN_MARK) for pid in found)))
        return found

    _end(find, grace)
    return runs


def _lives(owner: str) -> bool:
    pid = owner.partition(":")[0]
    return pid.isdecimal() and identity(int(pid)) == owner


def _end(find: Callable[[], set[int]], grace: float) -> int:
    told: set[int] = set()
    started = time.monotonic()
    clean = 0
    # A process in the middle of an exec shows no environment: only a second empty look is proof.
    while clean < 2:
        waited = time.monotonic() - started
        pids = find() - {os.getpid()}
        guarded = waited < _GUARD_PATIENCE and any(is_guard(pid) for pid in pids)
        if waited > grace + _KILL_PATIENCE and not guarded:
            break  # not even SIGKILL ends a process stuck in the kernel
        clean = 0 if pids else clean + 1
        for pid in pids:
            if guarded and is_guard(pid):
                continue
            if waited >= grace:
                _signal(pid, signal.SIGKILL)
            elif pid not in told:
                _signal(pid, signal.SIGTERM)
        told |= pids
        if clean < 2:
            time.sleep(_POLL)
    return len(told)


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return  # gone, or not ours to end


def _marked() -> Iterator[tuple[int, frozenset[str]]]:
    if not _PROC.is_dir():
        return
    for entry in _PROC.iterdir():
        if entry.name.isdecimal() and (marks := _marks(int(entry.name))):
            yield int(entry.name), marks


def _marks(pid: int) -> frozenset[str]:
    try:
        environment = (_PROC / str(pid) / "environ").read_bytes()
    except OSError:
        return frozenset()
    if b"CCS_" not in environment:
        return frozenset()
    variables = environment.decode(errors="replace").split("\0")
    return frozenset(v for v in variables if v.startswith((f"{RUN_MARK}=", f"{NODE_MARK}=", f"{NODE_PROCESS_MARK}=")))


def _value(marks: frozenset[str], name: str) -> str:
    return next((m.partition("=")[2] for m in marks if m.startswith(f"{name}=")), "")


def _title(pid: int) -> str:
    try:
        return (_PROC / str(pid) / "comm").read_text().strip()
    except OSError:
        return ""
