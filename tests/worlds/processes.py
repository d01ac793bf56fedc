"""Processes as tests look at them, and waiting for what they do."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal, TypeVar

from ccs.flows.node.processes import identity

PATIENCE = 180.0
"""Seconds until what has not come will not come, also on a machine that has much else to do."""

T = TypeVar("T")


def until(look: Callable[[], T | Literal[False]], what: str = "what is waited for", seconds: float = PATIENCE) -> T:
    """The first truthy answer of `look`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.05)
    raise AssertionError(f"after {seconds} s still not: {what}")


def processes_with(text: str) -> set[int]:
    """The living processes whose command line or environment holds a text, except this one."""
    found = set()
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and int(process.name) != os.getpid():
            try:
                data = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
            except OSError:
                continue
            if text.encode() in data:
                found.add(int(process.name))
    return found


def parent(pid: int) -> int:
    """The pid of the parent of a process."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def living(pids: list[int]) -> list[int]:
    """Those of the pids that are processes and not zombies."""
    return [pid for pid in pids if identity(pid)]


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
