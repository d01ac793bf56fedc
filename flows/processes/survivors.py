"""The last sweep after a guarded process: what carries its mark in the environment."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from ccs.flows.node.identity import ATTEMPT_MARK

_PATIENCE = 5.0


def marked(value: str) -> set[int]:
    """The living processes of this user that carry the attempt's mark."""
    mark = f"{ATTEMPT_MARK}={value}"
    if sys.platform != "linux":
        listing = subprocess.run(
            ["/bin/ps", "-axwwE", "-o", "pid=,command="], capture_output=True, check=False, text=True, errors="replace"
        )
        return {int(line.split()[0]) for line in listing.stdout.splitlines() if mark in line}
    found = set()
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                variables = (process / "environ").read_bytes().split(b"\0")
            except OSError:  # it ended, or belongs to another user
                continue
            if mark.encode() in variables:
                found.add(int(process.name))
    return found


def sweep(value: str) -> int:
    """Kill every process that carries the attempt's mark; how many there were."""
    killed: set[int] = set()
    deadline = time.monotonic() + _PATIENCE
    while (left := marked(value) - {os.getpid()}) and time.monotonic() < deadline:
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                continue
        killed |= left
        time.sleep(0.02)
    return len(killed)
