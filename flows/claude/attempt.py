"""One attempt: runs `claude` on a request, watches its clocks, and reports."""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import IO, Any

from ccs.flows.claude.argv import build_argv
from ccs.flows.claude.clocks import Clocks
from ccs.flows.claude.ending import Ending, Halt
from ccs.flows.claude.events import Event
from ccs.flows.claude.executable import Executable
from ccs.flows.claude.facts import Denial
from ccs.flows.claude.judgement import is_session_lost, is_unknown_command, judge
from ccs.flows.claude.output import OUTPUT, cleaned, nests_too_deep
from ccs.flows.claude.report import Report
from ccs.flows.claude.request import Request, obstacle, prompt_bytes
from ccs.flows.claude.session import SessionCost
from ccs.flows.claude.story import Story
from ccs.flows.claude.stream import Record
from ccs.flows.claude.usage import Usage
from ccs.flows.processes.process import GuardedProcess, ProcessEnd, SpawnError
from ccs.flows.processes.pump import Stream, pump
from ccs.flows.processes.stop import Stop
from ccs.flows.spec.verdict import Reason, Verdict

LINGER = 120.0
"""Seconds a process may live on after its last result before it is stopped; the result still counts."""

MAX_REFUSED_LOGINS = 2
"""Refusals of the key or token in a row that are enough; claude itself goes on trying for three minutes."""

REPLY_USD = 1.0
"""What a reply counts of which nobody knows the cost; most cost some cents, few of long sessions or texts more."""

_OF_A_MODEL = "seven_day_"  # begins the names of the windows that one model has, such as seven_day_opus


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
    return _Attempt(executable, request, Story(request.transcript, redact, on_event), stop, linger).run()


class _Attempt:
    def __init__(self, executable: Executable, request: Request, story: Story, stop: Stop, linger: float) -> None:
        self.executable, self.request, self.story, self.stop = executable, request, story, stop
        self.clocks = Clocks(request, linger)
        self.halt: Halt | None = None
        self.halted_tool: str | None = None
        self.session_cost = SessionCost()

    def run(self) -> Report:
        problem = obstacle(self.request)
        if problem:
            return self.report(Verdict(Reason.SPAWN, problem), None)
        if self.stop.reason:
            reason = Reason.CANCELLED if self.stop.reason == "cancelled" else Reason.TIMEOUT
            return self.report(Verdict(reason, "stopped before claude was started"), None)
        self.session_cost = SessionCost.opened(self.request)
        try:
            with _stored(prompt_bytes(self.request)) as prompt, self.started(prompt) as process:
                try:
                    ended = pump(process, self, self.stop)
                finally:
                    self.story.flush()
        except SpawnError as error:
            return self.report(Verdict(Reason.SPAWN, str(error)), None)
        finally:
            self.story.close()
        ending = Ending(ended.returncode, self.halt, self.halted_tool, self.story.last_stderr)
        return self.report(judge(self.story.facts, ending, self.request), ended)

    def started(self, prompt: IO[bytes]) -> GuardedProcess:
        return GuardedProcess(
            build_argv(self.executable, self.request),
            name="claude",
            stdin=prompt,
            cwd=self.request.cwd,
            environment=self.request.environment,
            mark=self.request.session_id,
        )

    def take(self, stream: Stream, data: bytes) -> None:
        """As a listener of the pump: take in what claude wrote."""
        self.story.push(stream, data)
        if stream == "stdout" and not self.story.facts.unanswered:
            self.clocks.heard()  # each try on a silent API takes minutes, and ends with a line that is no sign of life

    def is_over(self) -> bool:
        """As a listener of the pump: whether claude is to be stopped now."""
        self.clocks.note(finished=self.story.facts.finished)
        due = self.stop.reason or self.futility() or self.clocks.due()
        if due:
            self.bring_down(due)
        return bool(due)

    def left(self) -> float:
        """As a listener of the pump: seconds until a clock is due."""
        return self.clocks.left()

    def interrupted(self) -> None:
        """As a listener of the pump: an exception came in from outside."""
        self.story.on_event = None
        self.bring_down("cancelled")

    def futility(self) -> Halt | None:
        """Why nothing will come of this attempt, or None."""
        if is_unknown_command(self.story.facts, self.request):
            return "unknown_command"
        return "auth" if self.story.facts.refused_logins >= MAX_REFUSED_LOGINS else None

    def bring_down(self, halt: Halt) -> None:
        if halt not in ("cancelled", "unknown_command") and self.clocks.finished:
            halt = "lingering"
        self.halt, self.halted_tool = halt, self.story.facts.running_tool

    def report(self, verdict: Verdict, ended: ProcessEnd | None) -> Report:
        story, facts, clean = self.story, self.story.facts, self.story.clean
        result = facts.result or Record({})
        is_on_usage = verdict.reason is Reason.USAGE_LIMIT and not verdict.is_transient
        usage, unseen_usd = self.usage(has_run=ended is not None)
        return Report(
            verdict=replace(verdict, detail=clean(verdict.detail)),
            session_id=self.request.session_id,
            claude_version=clean(facts.init.text("claude_code_version")),
            api_key_source=clean(facts.init.text("apiKeySource")),
            models=tuple(map(clean, facts.models)),
            num_turns=result.integer("num_turns"),
            usage=usage,
            unseen_usd=unseen_usd,
            duration_seconds=self.clocks.elapsed,
            text=clean(result.text("result")),
            output=self.output(result),
            progress=facts.replies,
            session_lost=is_session_lost(facts, self.request),
            denials=tuple(Denial(clean(d.tool), clean(d.summary)) for d in facts.denials.values()),
            transcript=story.transcript.path if story.transcript.exists else None,
            stderr=story.stderr.path if story.stderr.exists else None,
            returncode=ended.returncode if ended else None,
            survivors_killed=ended.killed if ended else 0,
            lines=facts.lines,
            resets_at=facts.rejection.integer("resetsAt") or None if is_on_usage else None,
            limits_model=is_on_usage and facts.rejection.text("rateLimitType").startswith(_OF_A_MODEL),
            warnings=tuple(self.warnings(ended)),
        )

    def usage(self, *, has_run: bool) -> tuple[Usage, float]:
        """What was spent, and the dollars that may come on top when that is partial."""
        facts = self.story.facts
        if not has_run or facts.finished or not self.may_have_cost():
            return facts.usage(is_partial=False), 0.0
        usage, noted = facts.usage(is_partial=True), self.session_cost.spent(self.request)
        if noted is None:
            return usage, REPLY_USD * (facts.replies + 1)
        return usage.at_least(noted), noted.cost_usd / facts.replies if facts.replies and noted.cost_usd else REPLY_USD

    def may_have_cost(self) -> bool:
        """Whether something may have been spent that nobody summed up: not without a request that was let in."""
        facts = self.story.facts
        return bool(facts.replies or (facts.init.fields and self.halt != "auth"))

    def output(self, result: Record) -> Any:
        value = result.fields.get(OUTPUT)
        if self.request.output_schema is None or nests_too_deep(value):
            return None
        return cleaned(value, self.story.clean)

    def warnings(self, ended: ProcessEnd | None) -> Iterator[str]:
        for file in (self.story.transcript, self.story.stderr):
            if file.problem:
                yield file.problem
        if self.halt == "lingering":
            yield "claude did not leave after its last result and was stopped; the result counts"
        if ended and ended.left:
            yield f"{ended.left} processes that claude had started could not be killed"
        if self.story.facts.denials and self.request.on_denied == "warn":
            yield f"{len(self.story.facts.denials)} tool calls were not permitted"


def _stored(prompt: bytes) -> IO[bytes]:
    """An open file without a name: unlike a pipe, it takes any size at once, and never runs dry."""
    file = None
    try:
        file = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
        file.write(prompt)
        file.seek(0)
    except OSError as error:
        if file:
            file.close()
        raise SpawnError(f"the prompt could not be stored in {tempfile.gettempdir()}: {error.strerror}") from error
    return file
