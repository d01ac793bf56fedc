"""How the process of an attempt ended, and why the driver stopped it, if it did."""

from dataclasses import dataclass
from typing import Literal

Halt = Literal["cancelled", "timeout", "own_timeout", "idle", "first_output", "lingering", "unknown_command", "auth"]
"""Why the driver stopped claude: `timeout` came from outside, `own_timeout` is the request's; `auth` spares claude
its useless retries; `lingering` is a process that did not leave after its last result, so the result counts; with
the others, no later one does."""


@dataclass(frozen=True)
class Ending:
    """How the process ended: its exit code, negative for a signal, None if nobody saw it.

    If the driver stopped it, `halt` says why, and `tool` names the tool that ran at that moment, if any.
    """

    returncode: int | None
    halt: Halt | None = None
    tool: str | None = None
    last_stderr: str = ""
