"""Commands around a task, its gates and conditions: what they are given, how they end, what they printed.

A gate runs the repository's own code, often just written by claude. So it gets no secret of the profile, it is
under a guard like claude itself, and its output is a stranger's text.
"""

import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from ccs.blocks.env import Environment
from ccs.blocks.redact import Redactor
from ccs.blocks.sensitivity import is_sensitive
from ccs.flows.processes.environment import child_environment
from ccs.flows.processes.lines import LineFramer
from ccs.flows.processes.process import GuardedProcess, SpawnError
from ccs.flows.processes.pump import Stream, pump
from ccs.flows.processes.stop import Stop, StopReason

SHELL = "/bin/sh"

TAIL_BYTES = 30_000
"""Bytes of output that are kept for the result: its end."""

LOGGED_LINES = 500
"""Lines that are logged as they come; after them only the last ones, when the command has ended."""

_LAST_LINES = 50
_LINE = 2_000  # characters of a line that are logged
_MAX_LINE = 1 << 16  # bytes after which a line is cut in two
_MAX_COMMAND = 100_000  # bytes; the system takes 128 KB

# sh -c takes the line as it is; only the shell around it knows that both streams are one.
_MERGED = f'exec {SHELL} -c "$1" 2>&1'


@dataclass(frozen=True)
class CommandResult:
    """How a line for sh ended.

    `command` is the line. `returncode` is as in subprocess, negative for a signal; None when it was not started or
    nobody saw its end. `output_tail` is the redacted end of both output streams, `duration` is in seconds. `timed_out`
    and `cancelled` say that it was stopped, `problem` says why it could not be started.
    """

    command: str
    returncode: int | None
    output_tail: str
    duration: float
    timed_out: bool = False
    cancelled: bool = False
    problem: str = ""

    @property
    def ok(self) -> bool:
        """Whether it passed."""
        return self.returncode == 0 and not self.timed_out and not self.cancelled

    @property
    def is_answer(self) -> bool:
        """Whether the exit code is the command's own word, and not that of the shell, the clock or a signal."""
        stopped = self.timed_out or self.cancelled
        return not stopped and self.returncode is not None and 0 <= self.returncode < 126

    @property
    def sentence(self) -> str:
        """How it ended, in one sentence without a full stop."""
        if self.problem:
            return self.problem
        after = f"after {self.duration:.0f} s"
        if self.cancelled:
            return f"was cancelled {after}"
        if self.timed_out:
            return f"was stopped {after}: its time was over"
        match self.returncode:
            case None:
                return f"ended {after} without anybody seeing how: its guard was killed"
            case 0:
                return f"passed {after}"
            case 126:
                return "exit code 126: the shell may not execute it; make it executable (chmod +x)"
            case 127:
                return "exit code 127: the shell found no such command; is it installed, and on the PATH of the node?"
            case code if code < 0:
                return f"was killed by {_signal_name(-code)} {after}"
            case code if code > 128 and _signal_name(code - 128) != f"signal {code - 128}":
                return f"exit code {code} {after}: a part of it was killed by {_signal_name(code - 128)}"
            case code:
                return f"exit code {code} {after}"


def command_environment(node: Mapping[str, str], profile: Environment, marks: Mapping[str, str]) -> dict[str, str]:
    """The whole environment of a command: that of `claude` without what gives access to anything.

    Of the profile come only plain values, so that a PATH or a setting of the tests is the same for `claude` and for
    the gate: nothing that is or holds a secret or looks like one, and nothing that is about `claude` (ANTHROPIC_*,
    CLAUDE_*).
    """
    redact = Redactor(profile.secrets).text
    plain = {
        name: value
        for name, value in profile.values.items()
        if not name.startswith(("ANTHROPIC_", "CLAUDE_")) and not is_sensitive(name, value) and redact(value) == value
    }
    return child_environment(node, plain, profile.removed, marks)


def run_command(
    line: str,
    cwd: Path,
    environment: Mapping[str, str],
    timeout: float,
    *,
    redact: Callable[[bytes], bytes],
    on_line: Callable[[str], None],
    stop: Stop,
) -> CommandResult:
    """Run a line for sh to its end; afterwards no process of it is alive.

    `timeout` is in seconds. Trouble of the command is a result, never an exception. An exception that comes in from
    outside (a signal handler, `on_line`) kills everything the command started, and goes on its way. Every line is
    redacted before it is handed out.
    """
    begin = time.monotonic()
    if stop.reason:
        return CommandResult(
            line, None, "", 0.0, timed_out=stop.reason == "timeout", cancelled=stop.reason == "cancelled"
        )
    if problem := _obstacle(line, cwd):
        return CommandResult(line, None, "", 0.0, problem=problem)
    output = _Output(redact, on_line)
    watch = _Watch(output, begin + timeout, stop)
    try:
        with GuardedProcess(
            [SHELL, "-c", _MERGED, SHELL, line],
            name="the command",
            stdin=subprocess.DEVNULL,
            cwd=cwd,
            environment=environment,
            mark=str(uuid4()),
        ) as process:
            ended = pump(process, watch, stop)
    except SpawnError as error:
        return CommandResult(line, None, "", time.monotonic() - begin, problem=f"the command could not be run: {error}")
    output.finish()
    return CommandResult(
        line,
        ended.returncode,
        output.tail(),
        time.monotonic() - begin,
        timed_out=watch.halt == "timeout",
        cancelled=watch.halt == "cancelled",
    )


class _Output:
    """What a command prints: some lines for the log, and its end."""

    def __init__(self, redact: Callable[[bytes], bytes], on_line: Callable[[str], None]) -> None:
        self.on_line: Callable[[str], None] | None = on_line  # None when nobody listens any more
        self._redact = redact
        self._framer = LineFramer(_MAX_LINE)
        self._last: deque[bytes] = deque()  # not redacted, because most of it is never shown
        self._size = 0
        self._lines = 0

    def push(self, data: bytes) -> None:
        self._take(self._framer.push(data))

    def finish(self) -> None:
        """Take in what is left, and log the last lines."""
        self._take(self._framer.flush())
        unseen = self._lines - LOGGED_LINES
        if unseen > _LAST_LINES:
            self._say(f"… {unseen - _LAST_LINES} lines are left out …")
        if unseen > 0:
            for line in list(self._last)[-min(unseen, _LAST_LINES) :]:
                self._log(line)

    def tail(self) -> str:
        """The redacted end of the output, at most TAIL_BYTES of it."""
        return _readable(b"\n".join(map(self._redact, self._last))[-TAIL_BYTES:])

    def _take(self, lines: list[bytes]) -> None:
        for line in lines:
            self._lines += 1
            if self._lines <= LOGGED_LINES:
                self._log(line)
            self._last.append(line)
            self._size += len(line) + 1
            while self._size - len(self._last[0]) > TAIL_BYTES:
                self._size -= len(self._last.popleft()) + 1

    def _log(self, line: bytes) -> None:
        text = _readable(self._redact(line))
        self._say(text if len(text) <= _LINE else f"{text[:_LINE]} …")

    def _say(self, text: str) -> None:
        if self.on_line:
            self.on_line(text)


class _Watch:
    """Listens to a command while it runs: to its output, its time, and to who wants it stopped."""

    def __init__(self, output: _Output, deadline: float, stop: Stop) -> None:
        self._output, self._deadline, self._stop = output, deadline, stop
        self.halt: StopReason | None = None

    def take(self, stream: Stream, data: bytes) -> None:
        self._output.push(data)

    def is_over(self) -> bool:
        self.halt = self._stop.reason or ("timeout" if self.left() <= 0 else None)
        return self.halt is not None

    def left(self) -> float:
        return max(0.0, self._deadline - time.monotonic())

    def interrupted(self) -> None:
        self._output.on_line = None


def _obstacle(line: str, cwd: Path) -> str:
    """Why a command cannot be started, in one sentence, or nothing."""
    if "\0" in line:
        return "the command holds a NUL character, which no shell takes"
    if len(line.encode("utf-8", "surrogateescape")) > _MAX_COMMAND:
        return f"the command is longer than {_MAX_COMMAND // 1000} KB: put it into a script of the repository"
    if not cwd.is_dir():
        return f"the working directory {cwd} does not exist any more"
    return ""


def _readable(line: bytes) -> str:
    """Text that a log, a database and a prompt take."""
    return line.decode("utf-8", "replace").replace("\0", "\N{REPLACEMENT CHARACTER}")


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
