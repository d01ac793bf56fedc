"""Ends the processes that a run left behind, found by the marks in their environment.

A process that moved to a session of its own leaves its process group, not its environment.
"""

import os
import signal
import time
from collections.abc import Callable

from ccs.flows.node.identity import NODE_MARK, NODE_PROCESS_MARK, RUN_MARK
from ccs.flows.node.processes import all_marked, is_alive, marked, marks_of, title
from ccs.flows.processes import guard

ZYGOTE_TITLE = "ccs-zygote"

_POLL = 0.02
_KILL_PATIENCE = 5.0
_GUARD_PATIENCE = 12.0  # seconds for the guard of an attempt to end what only it can find


def is_guard(pid: int) -> bool:
    """Whether the process guards an attempt: it ends by itself, once it has ended everything below it."""
    return title(pid) == guard.TITLE


def children(parent: int) -> set[int]:
    """The living children of a process."""
    return {pid for pid, its_parent in guard.processes() if its_parent == parent}


def end_run(run_id: str, *, grace: float = 2.0) -> int:
    """End all processes that carry the run's mark; the number of processes that had to be told.

    `grace` is the number of seconds between SIGTERM and SIGKILL.
    """
    return _end(lambda: marked(RUN_MARK, run_id), grace)


def end_leftovers(node: str, *, grace: float = 10.0) -> set[str]:
    """End what earlier processes of this node left running; the ids of the runs it belonged to.

    Left alone: what a living process of the node owns, and the runs of a dead one whose zygote lives: it lets them
    finish and sweeps after them itself. `grace` gives a run the seconds to report how it ended.
    """
    runs: set[str] = set()

    def find() -> set[int]:
        by_owner: dict[str, set[int]] = {}
        guarded: set[str] = set()
        for pid, marks in all_marked():
            owner = marks.get(NODE_PROCESS_MARK)
            if marks.get(NODE_MARK) != node or not owner:
                continue  # another node's, or nobody says that it is not a living one's
            by_owner.setdefault(owner, set()).add(pid)
            if title(pid) == ZYGOTE_TITLE or is_alive(owner):
                guarded.add(owner)
        found = {pid for owner, pids in by_owner.items() if owner not in guarded for pid in pids}
        runs.update(filter(None, (marks_of(pid).get(RUN_MARK) for pid in found)))
        return found

    _end(find, grace)
    return runs


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
