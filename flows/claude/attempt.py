"""One attempt: runs `claude` on a request, watches its clocks, and reports."""

import os
import selectors
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from ccs.flows.claude.argv import build_argv
from ccs.flows.claude.events import Event, Init, Noise, Notice, events_of
from ccs.flows.claude.executable import Executable
from ccs.flows.claude.facts import Denial, Facts
from ccs.flows.claude.process import GRACE, Ended, GuardedProcess, SpawnError
from ccs.flows.claude.report import Report
from ccs.flows.claude.request import Request, command_name, obstacle, prompt_bytes
from ccs.flows.claude.stop import Stop
from ccs.flows.claude.stream import LineFramer, Record
from ccs.flows.claude.transcript import MAX_STDERR, LineFile
from ccs.flows.claude.verdict import Ending, Halt, Reason, Verdict, judge

LINGER = 120.0
"""Seconds a process may live on after its last result before it is stopped; the result still counts."""

MAX_NOISE = 50
"""Lines of noise that become events; all of them are in the files."""

_CHUNK = 1 << 20
_TAIL_LINE = 2000
_TICK = 1.0  # seconds between looks at the clock; an exception raised from another thread needs some, too
_GUARD_PATIENCE = GRACE + 20.0


def run_attempt(
    executable: Executable,
    request: Request,
    *,
    redact: Callable[[bytes], bytes],
    on_event: Callable[[Event], None],
    stop: Stop,
    linger: float = LINGER,
) -> Report:
    """Run one attempt to its end; afterwards no process of it is alive.

    Failures of `claude` are verdicts, never exceptions. An exception that comes in from outside (a signal handler,
    `on_event`) stops the attempt, kills everything it started, and goes on its way. `redact` is applied to every
    line before it is written and to every text before it is handed out.
    """
    return _Attempt(executable, request, redact, on_event, stop, linger).run()


class _Attempt:
    def __init__(
        self,
        executable: Executable,
        request: Request,
        redact: Callable[[bytes], bytes],
        on_event: Callable[[Event], None],
        stop: Stop,
        linger: float,
    ) -> None:
        self.executable, self.request, self.stop = executable, request, stop
        self.redact, self.on_event = redact, on_event
        self.linger = min(linger, request.idle_timeout)
        self.facts = Facts()
        self.halt: Halt | None = None
        self.transcript = LineFile(request.transcript)
        self.stderr = LineFile(request.transcript.with_suffix(".stderr"), MAX_STDERR)
        self.framers = {"stdout": LineFramer(), "stderr": LineFramer()}
        self.stderr_tail: deque[str] = deque(maxlen=20)
        self.noise = 0
        self.silent = True
        self.unknown_command = False
        self.began = self.last_output = time.monotonic()
        self.halted_at = 0.0
        self.halted_tool: str | None = None
        self.result_at: float | None = None

    def run(self) -> Report:
        problem = obstacle(self.request)
        if problem:
            return self.report(Verdict(Reason.SPAWN, problem), None)
        if self.stop.reason:
            reason = Reason.CANCELLED if self.stop.reason == "cancelled" else Reason.TIMEOUT
            return self.report(Verdict(reason, "stopped before claude was started"), None)
        try:
            with GuardedProcess(
                build_argv(self.executable, self.request),
                prompt=prompt_bytes(self.request),
                cwd=self.request.cwd,
                environment=self.request.environment,
                session_id=self.request.session_id,
            ) as process:
                ended = self.watch(process)
        except SpawnError as error:
            return self.report(Verdict(Reason.SPAWN, str(error)), None)
        finally:
            self.transcript.close()
            self.stderr.close()
        last_stderr = next((line for line in reversed(self.stderr_tail) if line.strip()), "")
        ending = Ending(ended.returncode, self.halt, self.halted_tool, last_stderr)
        return self.report(judge(self.facts, ending, self.request), ended)

    def watch(self, process: GuardedProcess) -> Ended:
        """Read until the process has ended; an exception ends it first."""
        woken, waker = os.pipe()
        os.set_blocking(waker, False)
        try:
            with selectors.DefaultSelector() as selector, self.stop.waking(lambda: _ring(waker)):
                selector.register(process.control, selectors.EVENT_READ, "control")
                selector.register(process.stdout, selectors.EVENT_READ, "stdout")
                selector.register(process.stderr, selectors.EVENT_READ, "stderr")
                selector.register(woken, selectors.EVENT_READ, "woken")
                try:
                    return self.pump(process, selector)
                except SpawnError:
                    raise
                except BaseException:  # also of a signal handler: whatever it is, it must not leave processes
                    self.on_event = _ignore
                    self.bring_down(process, "cancelled")
                    self.pump(process, selector)
                    raise
        finally:
            os.close(woken)
            os.close(waker)

    def pump(self, process: GuardedProcess, selector: selectors.BaseSelector) -> Ended:
        while process.ended is None:
            for key, _ in selector.select(self.time_left()):
                if key.data == "control":
                    process.listen()
                elif key.data == "woken":
                    os.read(key.fd, 64)
                elif self.read(key.data, key.fd) == 0:
                    selector.unregister(key.fd)
            self.look_at_clocks(process)
        for key in list(selector.get_map().values()):
            while key.data in self.framers and self.read(key.data, key.fd):
                pass
        for name, framer in self.framers.items():
            self.take(name, framer.flush())
        return process.ended

    def read(self, name: str, descriptor: int) -> int | None:
        """Take in what a pipe holds; how many bytes that were, 0 at its end, None if there is nothing now."""
        try:
            data = os.read(descriptor, _CHUNK)
        except BlockingIOError:
            return None
        if name == "stdout" and data:
            self.last_output, self.silent = time.monotonic(), False
        self.take(name, self.framers[name].push(data))
        return len(data)

    def take(self, name: str, lines: list[bytes]) -> None:
        """Lines of a stream: first into the file, then into the story."""
        redacted = [self.redact(line) for line in lines]
        if name == "stderr":
            self.stderr.append(redacted)
            for line in redacted:
                self.stderr_tail.append(_text(line[:_TAIL_LINE]))
                self.make_noise(Noise(_text(line[:_TAIL_LINE]), "stderr"))
            return
        self.transcript.append(redacted)
        for line, safe in zip(lines, redacted, strict=True):
            if line.strip():
                self.observe(line, safe)

    def observe(self, line: bytes, safe: bytes) -> None:
        """One line of the stream: verdicts must not depend on what redaction hides, nor texts show it."""
        self.facts.lines += 1
        record = Record.parse(line)
        if record is not None and safe != line:
            record = record.cleaned(self.clean)
        if record is None:
            self.facts.last_noise = _text(safe[:_TAIL_LINE])
            self.make_noise(Noise(self.facts.last_noise))
            return
        self.facts.observe(record)
        self.result_at = time.monotonic() if self.facts.finished else None
        for event in events_of(record):
            self.emit(event)
            if isinstance(event, Init) and self.is_unknown_command(event):
                self.unknown_command = True

    def is_unknown_command(self, init: Init) -> bool:
        """Whether claude would silently send the command to the model as a text."""
        name = command_name(self.request)
        if not self.request.is_command or init.commands is None:
            return False
        return name not in init.commands and not name.startswith("mcp__")  # servers may bring theirs later

    def make_noise(self, noise: Noise) -> None:
        self.noise += 1
        if self.noise <= MAX_NOISE:
            self.emit(noise)
        elif self.noise == MAX_NOISE + 1:
            self.emit(Notice("more lines of this kind follow; they are only in the files of the attempt"))

    def emit(self, event: Event) -> None:
        texts: dict[str, Any] = {name: self.clean(text) for name, text in vars(event).items() if isinstance(text, str)}
        self.on_event(replace(event, **texts))

    def clean(self, text: str) -> str:
        """The text without secrets and without what databases refuse."""
        return _text(self.redact(text.replace("\0", "").encode("utf-8", "replace")))

    def look_at_clocks(self, process: GuardedProcess) -> None:
        now = time.monotonic()
        if self.halt:
            if now - self.halted_at > _GUARD_PATIENCE and process.ended is None:
                process.abandon()
            return
        due: Halt | None = self.stop.reason
        if due is None and self.unknown_command:
            due = "unknown_command"
        if due is None:
            deadline, halt = self.next_deadline()
            due = halt if now >= deadline else None
        if due and process.ended is None:
            self.bring_down(process, due)

    def next_deadline(self) -> tuple[float, Halt]:
        """The clock that runs out first."""
        clocks: list[tuple[float, Halt]] = [(self.began + self.request.timeout, "own_timeout")]
        if self.result_at is not None:
            clocks.append((self.result_at + self.linger, "lingering"))
        elif self.silent:
            clocks.append((self.began + self.request.first_output_timeout, "first_output"))
        else:
            clocks.append((self.last_output + self.request.idle_timeout, "idle"))
        return min(clocks)

    def time_left(self) -> float:
        if self.halt:
            return _TICK
        return max(0.0, min(_TICK, self.next_deadline()[0] - time.monotonic()))

    def bring_down(self, process: GuardedProcess, halt: Halt) -> None:
        if halt != "cancelled" and self.result_at is not None:
            halt = "lingering"
        self.halt, self.halted_at, self.halted_tool = halt, time.monotonic(), self.facts.running_tool
        process.stop()

    def report(self, verdict: Verdict, ended: Ended | None) -> Report:
        facts, result = self.facts, self.facts.result or Record({})
        return Report(
            verdict=replace(verdict, detail=self.clean(verdict.detail)),
            session_id=self.request.session_id,
            claude_version=self.clean(facts.init.text("claude_code_version")),
            api_key_source=self.clean(facts.init.text("apiKeySource")),
            models=tuple(map(self.clean, facts.models)),
            num_turns=result.integer("num_turns"),
            usage=facts.usage(is_partial=ended is not None and not facts.finished),
            duration_seconds=time.monotonic() - self.began,
            text=self.clean(result.text("result")),
            denials=tuple(Denial(self.clean(d.tool), self.clean(d.summary)) for d in facts.denials.values()),
            transcript=self.transcript.path if self.transcript.exists else None,
            stderr=self.stderr.path if self.stderr.exists else None,
            returncode=ended.returncode if ended else None,
            survivors_killed=ended.killed if ended else 0,
            lines=facts.lines,
            resets_at=facts.rejection.integer("resetsAt") or None,
            warnings=tuple(self.warnings(ended)),
        )

    def warnings(self, ended: Ended | None) -> Iterator[str]:
        for file in (self.transcript, self.stderr):
            if file.problem:
                yield file.problem
        if self.halt == "lingering":
            yield "claude did not leave after its last result and was stopped; the result counts"
        if ended and ended.left:
            yield f"{ended.left} processes that claude had started could not be killed"
        if self.facts.denials and self.request.on_denied == "warn":
            yield f"{len(self.facts.denials)} tool calls were not permitted"


def _ring(waker: int) -> None:
    try:
        os.write(waker, b"!")
    except BlockingIOError:
        return  # it rings already


def _ignore(event: Event) -> None:
    """Nobody listens any more."""


def _text(line: bytes) -> str:
    return line.decode("utf-8", "replace").replace("\0", "")
