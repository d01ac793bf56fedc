"""A process under its guard: `claude` or a command of the user, with its pipes and its end."""

import errno
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from ccs.flows.node.identity import ATTEMPT_MARK
from ccs.flows.processes import guard
from ccs.flows.processes.survivors import sweep

GRACE = 5.0
"""Seconds from SIGTERM to SIGKILL for the process."""

_GUARD_PATIENCE = GRACE + guard.GIVE_UP + 5.0


def _guard_script() -> str:
    """The guard's file: compiled, where the import of it left that, as this saves 2 ms of every start."""
    source = Path(guard.__file__)
    cached = Path(guard.__spec__.cached or "") if guard.__spec__ else Path()
    is_current = cached.is_file() and cached.stat().st_mtime >= source.stat().st_mtime
    return str(cached if is_current else source)


_GUARD = _guard_script()


class SpawnError(Exception):
    """The process could not be started; the message is one sentence."""


@dataclass(frozen=True)
class ProcessEnd:
    """How the process ended.

    `returncode` is as in subprocess, negative for a signal; None when the guard was killed and nobody saw it.
    `killed` counts the processes that it had left; `left` those that even SIGKILL did not end.
    """

    returncode: int | None
    killed: int
    left: int = 0


class GuardedProcess:
    """A process that is stopped, with everything it started, when the block is left.

    `name` is what messages call it. `mark` is an id of its own, by which everything it started is found where the
    guard cannot see that. `stdout`, `stderr` and `control` are non-blocking descriptors to select on.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        name: str,
        stdin: IO[bytes] | int,
        cwd: Path,
        environment: Mapping[str, str],
        mark: str,
    ) -> None:
        self._mark = mark
        self._said = b""
        self.pid: int | None = None
        self.ended: ProcessEnd | None = None
        self._argv = argv
        self._control, theirs = socket.socketpair()
        self._guard: subprocess.Popen[bytes] | None = None
        environment = {**environment, ATTEMPT_MARK: mark, "PWD": str(cwd)}
        try:
            with theirs:
                self._guard = subprocess.Popen(
                    [sys.executable, "-I", "-S", _GUARD, str(theirs.fileno()), str(GRACE), *argv],
                    stdin=stdin,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    bufsize=0,
                    cwd=cwd,
                    env=environment,
                    pass_fds=[theirs.fileno()],
                    start_new_session=True,
                )
        except BaseException as error:
            self._control.close()  # tells the guard, if there is one, to end what it started
            if isinstance(error, OSError | ValueError):
                raise SpawnError(_guard_problem(error, name, argv, environment)) from error
            raise
        assert self._guard.stdout is not None and self._guard.stderr is not None
        self.stdout, self.stderr = self._guard.stdout.fileno(), self._guard.stderr.fileno()
        self.control = self._control.fileno()
        for descriptor in (self.stdout, self.stderr, self.control):
            os.set_blocking(descriptor, False)

    def stop(self) -> None:
        """Let the guard end the process and everything it started; does not wait."""
        try:
            self._control.send(b"s")
        except OSError:
            return  # the guard is gone; that is read from the control socket

    def listen(self) -> ProcessEnd | None:
        """Read what the guard says; the end, once it is known. Raises SpawnError."""
        try:
            data = self._control.recv(4096)
        except BlockingIOError:
            return self.ended
        except OSError:
            data = b""
        *lines, self._said = (self._said + data).split(b"\n")
        for line in lines:
            word, *numbers = line.split()
            if word == b"started":
                self.pid = int(numbers[0])
            elif word == b"error":
                raise SpawnError(_exec_problem(int(numbers[0]), self._argv[0]))
            else:
                status, killed, left, is_certain = map(int, numbers)
                if left or not is_certain:
                    killed += sweep(self._mark)
                self.ended = ProcessEnd(os.waitstatus_to_exitcode(status), killed, left)
        if self.ended is None and not data:
            self.ended = ProcessEnd(None, self._sweep_without_guard())
        return self.ended

    def _sweep_without_guard(self) -> int:
        if self._guard is not None and self._guard.poll() is None:
            self._guard.send_signal(signal.SIGKILL)
            self._guard.wait()
        return sweep(self._mark)

    def abandon(self) -> None:
        """End everything without the help of a guard that does not answer."""
        self.ended = ProcessEnd(None, self._sweep_without_guard())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def _close(self) -> None:
        self._control.close()
        if self._guard is not None:
            for pipe in (self._guard.stdout, self._guard.stderr):
                if pipe is not None:
                    pipe.close()
            try:
                self._guard.wait(_GUARD_PATIENCE)
            except subprocess.TimeoutExpired:
                self.abandon()


def _guard_problem(error: OSError | ValueError, name: str, argv: Sequence[str], environment: Mapping[str, str]) -> str:
    if isinstance(error, ValueError):
        return f"{name} could not be started: {error} in its command line or environment"
    if error.errno == errno.E2BIG:
        longest = max([*argv, *(f"{key}={value}" for key, value in environment.items())], key=len)
        return f"{name} could not be started: {longest.partition('=')[0]} is too long (at most 128 KB)"
    where = f" ({error.filename})" if error.filename else ""
    return f"the guard of {name} could not be started: {error.strerror}{where}"


def _exec_problem(number: int, executable: str) -> str:
    match number:
        case errno.ENOENT:
            problem = "it, or the interpreter its first line names, does not exist"
        case errno.EACCES:
            problem = "this user may not execute it"
        case _:
            problem = os.strerror(number)
    return f"{executable} could not be started: {problem}"
