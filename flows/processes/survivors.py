"""The last sweep after a guarded process: what carries its mark in the environment."""

import os
import signal
import time

from ccs.flows.node.identity import ATTEMPT_MARK
from ccs.flows.node.processes import marked

_PATIENCE = 5.0


def sweep(value: str) -> int:
    """Kill every process that carries the mark with this value; how many there were."""
    killed: set[int] = set()
    deadline = time.monotonic() + _PATIENCE
    while (left := marked(ATTEMPT_MARK, value) - {os.getpid()}) and time.monotonic() < deadline:
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                continue
        killed |= left
        time.sleep(0.02)
    return len(killed)
