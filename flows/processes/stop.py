"""Stopping processes from outside: from another thread, or from a signal handler."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

StopReason = Literal["cancelled", "timeout"]


class Stop:
    """Asks whoever it was given to, to end at once. The first reason counts; asking again changes nothing."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # a signal handler may interrupt its own thread in here
        self._wakers: list[Callable[[], None]] = []
        self._reason: StopReason | None = None

    @property
    def reason(self) -> StopReason | None:
        """Why to stop, or None."""
        return self._reason

    def request(self, reason: StopReason) -> None:
        """Stop whatever runs with this object now or starts later."""
        with self._lock:
            if self._reason is None:
                self._reason = reason
            for wake in list(self._wakers):
                wake()

    def wait(self, seconds: float) -> None:
        """Sleep so long, or until a stop is requested."""
        asked = threading.Event()
        with self.waking(asked.set):
            if self._reason is None:
                asked.wait(seconds)

    @contextmanager
    def waking(self, wake: Callable[[], None]) -> Iterator[None]:
        """While the block runs, `wake` is called when a stop is requested, on the requester's thread."""
        with self._lock:
            self._wakers.append(wake)
        try:
            yield
        finally:
            with self._lock:
                self._wakers.remove(wake)
