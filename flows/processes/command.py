"""Commands around a task: its gates and conditions, the files it has to leave, and what a failed gate tells claude.

A gate runs the repository's own code, often just written by claude. So it gets no secret of the profile, it is
under a guard like claude itself, and its output is a stranger's text.
"""

import os
import re
import selectors
import signal
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from uuid import uuid4

from ccs.blocks.env import Environment, is_sensitive
from ccs.blocks.redact import Redactor
from ccs.flows.claude.stream import LineFramer
from ccs.flows.processes.environment import child_environment
from ccs.flows.processes.process import GRACE, Ended, GuardedProcess, SpawnError
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
_CHUNK = 1 << 16
_TICK = 1.0
_GUARD_PATIENCE = GRACE + 20.0

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
    halt: StopReason | None = None
    try:
        with GuardedProcess(
            [SHELL, "-c", _MERGED, SHELL, line],
            prompt=b"",
            cwd=cwd,
            environment=environment,
            session_id=str(uuid4()),
        ) as process:
            ended, halt = _watch(process, output, begin + timeout, stop)
    except SpawnError as error:
        return CommandResult(line, None, "", time.monotonic() - begin, problem=f"the command could not be run: {error}")
    output.finish()
    return CommandResult(
        line,
        ended.returncode,
        output.tail(),
        time.monotonic() - begin,
        timed_out=halt == "timeout",
        cancelled=halt == "cancelled",
    )


def check_files(patterns: Iterable[str], directory: Path) -> list[str]:
    """The expected files that do not exist, in words.

    A pattern is relative to the directory; `*`, `?`, `[…]` and `**` are understood, unless a file has that very name.
    """
    missing = []
    for pattern in patterns:
        path = PurePosixPath(pattern)
        if path.is_absolute() or ".." in path.parts:
            missing.append(f"{pattern} (it leads out of the working directory)")
        elif not _exists(pattern, directory):
            missing.append(pattern)
    return missing


def fix_prompt(command: str, result: CommandResult) -> str:
    """What the session is told when a gate failed, so that it mends the cause.

    `claude` reads a file that is mentioned as @PATH anywhere in its prompt, unasked and wherever it is. The output is
    a stranger's text and must not make it do that.
    """
    output = re.sub(r"(?<![A-Za-z0-9_])@", r"\\@", result.output_tail.strip("\n"))
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", output)), default=0))
    shown = (
        f"Its output ends like this:\n\n{fence}\n{output}\n{fence}\n\n" if output.strip() else "It printed nothing.\n\n"
    )
    return (
        f"A check of your work has failed. This command was run in the working directory:\n\n    {command}\n\n"
        f"It did not pass: {result.sentence}.\n\n{shown}"
        "Find the cause and mend it. Do not weaken, skip or remove the check or its tests to make it pass. "
        "The same command is run again when you have finished."
    )


class _Output:
    """What a command prints: some lines for the log, and its end."""

    def __init__(self, redact: Callable[[bytes], bytes], on_line: Callable[[str], None]) -> None:
        self._redact, self._on_line = redact, on_line
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
            self._on_line(f"… {unseen - _LAST_LINES} lines are left out …")
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
        self._on_line(text if len(text) <= _LINE else f"{text[:_LINE]} …")


def _watch(process: GuardedProcess, output: _Output, deadline: float, stop: Stop) -> tuple[Ended, StopReason | None]:
    """Read until the command has ended; how it ended, and why it was stopped if it was."""
    woken, waker = os.pipe()
    os.set_blocking(waker, False)
    halt: StopReason | None = None
    try:
        with selectors.DefaultSelector() as selector, stop.waking(lambda: _ring(waker)):
            for descriptor in (process.control, process.stdout, process.stderr, woken):
                selector.register(descriptor, selectors.EVENT_READ)
            while process.ended is None:
                now = time.monotonic()
                if halt is None and (stop.reason or now >= deadline):
                    halt = stop.reason or "timeout"
                    deadline = now + _GUARD_PATIENCE
                    process.stop()
                elif now >= deadline:
                    process.abandon()
                    break
                for key, _ in selector.select(min(_TICK, deadline - time.monotonic())):
                    if key.fd == process.control:
                        process.listen()
                    elif key.fd == woken:
                        os.read(woken, 64)
                    elif not _read(key.fd, output):
                        selector.unregister(key.fd)
            while _read(process.stdout, output):
                pass
            assert process.ended is not None
            return process.ended, halt
    finally:
        os.close(woken)
        os.close(waker)


def _read(descriptor: int, output: _Output) -> bool:
    """Take in what a pipe holds; whether there was anything."""
    try:
        data = os.read(descriptor, _CHUNK)
    except BlockingIOError:
        return False
    output.push(data)
    return bool(data)


def _obstacle(line: str, cwd: Path) -> str:
    """Why a command cannot be started, in one sentence, or nothing."""
    if "\0" in line:
        return "the command holds a NUL character, which no shell takes"
    if len(line.encode("utf-8", "surrogateescape")) > _MAX_COMMAND:
        return f"the command is longer than {_MAX_COMMAND // 1000} KB: put it into a script of the repository"
    if not cwd.is_dir():
        return f"the working directory {cwd} does not exist any more"
    return ""


def _exists(pattern: str, directory: Path) -> bool:
    try:
        return (directory / pattern).exists() or any(directory.glob(pattern))
    except (OSError, ValueError, NotImplementedError, RecursionError):  # what pathlib says to a pattern it cannot take
        return False


def _readable(line: bytes) -> str:
    """Text that a log, a database and a prompt take."""
    return line.decode("utf-8", "replace").replace("\0", "\N{REPLACEMENT CHARACTER}")


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _ring(waker: int) -> None:
    try:
        os.write(waker, b"!")
    except BlockingIOError:
        return  # it rings already
