"""Takes in what a guarded process writes until it has ended, and stops it when that is due."""

import os
import selectors
import time
from typing import Literal, Protocol

from ccs.flows.processes.process import GRACE, GuardedProcess, ProcessEnd, SpawnError
from ccs.flows.processes.stop import Stop

Stream = Literal["stdout", "stderr"]

_CHUNK = 1 << 20
_TICK = 1.0  # seconds between looks at the clock; an exception raised from another thread needs some, too
_GUARD_PATIENCE = GRACE + 20.0
_REST = 1 << 24  # bytes: a pipe holds less, so who writes more got away from a guard that was killed


class Listener(Protocol):
    """Whom the pump tells what a process writes, and asks whether it may go on."""

    def take(self, stream: Stream, data: bytes) -> None:
        """Take in what the process wrote."""

    def is_over(self) -> bool:
        """Whether the process is to be stopped now; asked after all it wrote and with each tick, until it is so."""

    def left(self) -> float:
        """Seconds until it may be over without a word from anybody."""

    def interrupted(self) -> None:
        """An exception came in from outside, so the process is stopped; what it still writes goes to no listener."""


def pump(process: GuardedProcess, listener: Listener, stop: Stop) -> ProcessEnd:
    """Take in everything that the process writes until it has ended; how it ended.

    `stop` has the listener asked at once. An exception, of the listener or of a signal handler, stops the process, too,
    and goes on its way when that has ended. Raises SpawnError.
    """
    woken, waker = os.pipe()
    os.set_blocking(waker, False)
    try:
        with selectors.DefaultSelector() as selector, stop.waking(lambda: _ring(waker)):
            selector.register(process.control, selectors.EVENT_READ, "control")
            selector.register(process.stdout, selectors.EVENT_READ, "stdout")
            selector.register(process.stderr, selectors.EVENT_READ, "stderr")
            selector.register(woken, selectors.EVENT_READ, "woken")
            running = _Pump(process, listener, selector)
            try:
                return running.run()
            except SpawnError:
                raise
            except BaseException:  # also of a signal handler: whatever it is, it must not leave processes
                listener.interrupted()
                running.stop()
                running.run()
                raise
    finally:
        os.close(woken)
        os.close(waker)


class _Pump:
    def __init__(self, process: GuardedProcess, listener: Listener, selector: selectors.BaseSelector) -> None:
        self.process, self.listener, self.selector = process, listener, selector
        self.stopped_at: float | None = None

    def run(self) -> ProcessEnd:
        self.look()
        while self.process.ended is None:
            for key, _ in self.selector.select(min(_TICK, self.listener.left()) if self.stopped_at is None else _TICK):
                if key.data == "control":
                    self.process.listen()
                elif key.data == "woken":
                    os.read(key.fd, 64)
                elif self.read(key.data, key.fd) == 0:
                    self.selector.unregister(key.fd)
            self.look()
        for key in list(self.selector.get_map().values()):
            rest = _REST if key.data in ("stdout", "stderr") else 0
            while rest > 0 and (size := self.read(key.data, key.fd)):
                rest -= size
        return self.process.ended

    def read(self, stream: Stream, descriptor: int) -> int | None:
        """Take in what a pipe holds; how many bytes that were, 0 at its end, None if there is nothing now."""
        try:
            data = os.read(descriptor, _CHUNK)
        except BlockingIOError:
            return None
        if data:
            self.listener.take(stream, data)
        return len(data)

    def look(self) -> None:
        if self.process.ended is not None:
            return
        if self.stopped_at is None:
            if self.listener.is_over():
                self.stop()
        elif time.monotonic() - self.stopped_at > _GUARD_PATIENCE:
            self.process.abandon()

    def stop(self) -> None:
        self.stopped_at = time.monotonic()
        self.process.stop()


def _ring(waker: int) -> None:
    try:
        os.write(waker, b"!")
    except BlockingIOError:
        return  # it rings already
