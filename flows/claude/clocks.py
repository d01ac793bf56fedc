"""The clocks of an attempt: first output, silence, total time, and leaving after the result."""

import time

from ccs.flows.claude.ending import Halt
from ccs.flows.claude.request import Request


class Clocks:
    """Knows when an attempt has to be stopped, and why. All times are in seconds on the monotonic clock."""

    def __init__(self, request: Request, linger: float) -> None:
        self._request = request
        self._linger = min(linger, request.idle_timeout)
        self._began = time.monotonic()
        self._last_output: float | None = None
        self._finished: float | None = None

    @property
    def elapsed(self) -> float:
        """Seconds since the attempt began."""
        return time.monotonic() - self._began

    @property
    def finished(self) -> bool:
        """Whether the result is there and only the process is left."""
        return self._finished is not None

    def heard(self) -> None:
        """Note that claude wrote something."""
        self._last_output = time.monotonic()

    def note(self, *, finished: bool) -> None:
        """Note whether the work is done; the time to leave counts from the first moment it was."""
        self._finished = (self._finished or time.monotonic()) if finished else None

    def due(self) -> Halt | None:
        """Why the attempt has to be stopped now, or None."""
        deadline, halt = self._next()
        return halt if time.monotonic() >= deadline else None

    def left(self) -> float:
        """Seconds until something is due."""
        return max(0.0, self._next()[0] - time.monotonic())

    def _next(self) -> tuple[float, Halt]:
        request = self._request
        total: tuple[float, Halt] = (self._began + request.timeout, "own_timeout")
        if self._finished is not None:
            return min(total, (self._finished + self._linger, "lingering"))
        if self._last_output is None:
            return min(total, (self._began + request.first_output_timeout, "first_output"))
        return min(total, (self._last_output + request.idle_timeout, "idle"))
