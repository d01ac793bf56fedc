"""The attempts of one task: until it has succeeded, has to wait for a usage limit, or another would be no use."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from uuid import uuid4

from ccs.flows.budgets.budget import Allowance, Stopped
from ccs.flows.budgets.offer import BudgetSpent
from ccs.flows.claude.attempt import run_attempt
from ccs.flows.claude.events import Answered, Event
from ccs.flows.claude.executable import Executable
from ccs.flows.claude.narration import narrate
from ccs.flows.claude.report import Report
from ccs.flows.claude.request import Request
from ccs.flows.limits.gate import LimitGate
from ccs.flows.limits.states import Closed, Pass
from ccs.flows.log import Log
from ccs.flows.processes.command import CommandResult
from ccs.flows.processes.shell import Shell
from ccs.flows.record.outcome import Attempt, Cause, Figures
from ccs.flows.record.pause import Pause, Used
from ccs.flows.run import retry
from ccs.flows.run.gates import check_files, fix_prompt
from ccs.flows.run.profile import ResolvedProfile
from ccs.flows.run.run import Run
from ccs.flows.sessions.store import SessionOpening, SessionStore
from ccs.flows.spec.names import slug
from ccs.flows.spec.task import Task
from ccs.flows.spec.verdict import Reason, Verdict

CONTINUE = "Your work was interrupted by trouble outside of it. Go on where you left off, and finish the task."
"""What a session is told when it goes on after a usage limit or a failure of the API."""

_MIN_SECONDS = 1.0


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """What every attempt of a task shares.

    `request` is the first attempt as it would be in a new session; `continues` is the session that a usage limit or
    the end of the node interrupted, with the `earlier` figures and, after a limit, the `pause` it made. `changed` lists
    what files the task has changed.
    """

    spec: Task
    run: Run
    executable: Executable
    request: Request
    profile: ResolvedProfile
    earlier: Figures
    continues: str
    pause: Pause | None
    redact: Callable[[bytes], bytes]
    gate: LimitGate
    sessions: SessionStore
    shell: Shell
    changed: Callable[[], Sequence[str]]
    log: Log


@dataclass(frozen=True)
class Ended:
    """How the attempts of a task ended together, and the gates of the last round."""

    verdict: Verdict
    attempts: tuple[Attempt, ...]
    pause: Pause | None = None
    gates: tuple[CommandResult, ...] = ()


def run_attempts(task: Assignment) -> Ended:
    """Run a task to its end. Never raises for what befalls `claude`."""
    spec, request = task.spec, task.request
    with task.sessions.opened(
        task.run.job.name, spec.id, spec.session_mode, request.environment, request.cwd, continues=task.continues
    ) as opening:
        return _Attempts(task, opening).run()


class _Attempts:
    def __init__(self, task: Assignment, opening: SessionOpening) -> None:
        self.task, self.spec, self.log = task, task.spec, task.log
        self.opening = opening
        self.stop = task.run.stop
        self.by = f"{task.run.id}/{task.spec.id}"
        used = task.pause.used if task.pause else Used()
        self.began = time.monotonic() - used.seconds
        self.deadline = min(self.began + task.spec.timeout, time.monotonic() + task.run.time_left)
        self.made: list[Attempt] = []
        self.retries, self.fixes = used.retries, used.fixes
        self.gates: list[CommandResult] = []

    def run(self) -> Ended:
        request, cause = self.opened()
        while True:
            try:
                entered = self.enter()
                if isinstance(entered, Closed):
                    return self.at_limit(entered, Verdict(Reason.USAGE_LIMIT, entered.message))
                report, allowance = self.attempt(request, cause)
                following = self.following(request, report, allowance)
            except BudgetSpent as spent:
                return self.end(Verdict(Reason.BUDGET, str(spent)))
            except Stopped:
                return self.end(self.stopped())
            finally:
                self.task.gate.leave()
            if isinstance(following, Ended):
                return following
            request, cause = following

    def enter(self) -> Pass | Closed:
        """Pass the gate; what is waited there for somebody's probe is no time of the task."""
        came = time.monotonic()
        try:
            return self.task.gate.enter(by=self.by, claim_seconds=self.spec.first_output_timeout + 30, sleep=self.pause)
        finally:
            waited = time.monotonic() - came
            self.began += waited
            self.deadline += waited

    def following(self, request: Request, report: Report, allowance: Allowance) -> tuple[Request, Cause] | Ended:
        """What comes after an attempt: another one, and why, or the end."""
        verdict = report.verdict
        if report.session_lost:
            self.log.warning("session %s is gone: the task begins anew in another", request.resume)
            return self.anew(), "retry"
        delay = retry.delay(self.spec.retry, verdict, self.retries + 1)
        is_late = delay is not None and time.monotonic() + delay + _MIN_SECONDS > self.deadline
        if verdict.reason is Reason.USAGE_LIMIT and (delay is None or is_late):
            closed = self.task.gate.close(report.resets_at, self.by, is_of_model=report.limits_model)
            return self.at_limit(closed, verdict)
        if verdict.reason is Reason.BUDGET:
            if allowance.is_share:
                return self.resumed(report, CONTINUE), "budget"
            return self.end(replace(verdict, detail=_overspent(allowance, report)))
        if verdict.ok:
            verdict, question = self.examined(report)
            return (self.resumed(report, question), "fix") if question else self.end(verdict)
        if delay is None:
            return self.end(verdict)
        if is_late:
            return self.end(replace(verdict, detail=f"{verdict.detail}; no time is left for another attempt"))
        self.retries += 1
        self.log.warning("%s: %s; another attempt in %.0f s", verdict.reason, verdict.detail, delay)
        self.task.gate.leave()  # others need not wait for as long
        self.pause(delay)
        return self.retried(request, report), "retry"

    def attempt(self, request: Request, cause: Cause) -> tuple[Report, Allowance]:
        """One `claude` process, its cost settled and its session kept, and what it was allowed to spend.

        Raises BudgetSpent or Stopped instead of starting.
        """
        task, run, number = self.task, self.task.run, self.task.earlier.attempts + len(self.made) + 1
        profile, patience = task.profile, self.deadline - time.monotonic()
        allowance: Allowance = run.budget.reserve(
            self.spec, self.stop, profile=profile.name, block=profile.block, patience=patience
        )
        report: Report | None = None
        try:
            request = replace(
                request,
                budget_usd=allowance.usd,
                timeout=self.left(),
                transcript=request.transcript.with_name(
                    f"{slug(self.spec.name)}-{number}-{request.session_id[:8]}.jsonl"
                ),
            )
            why = "" if cause == "first" else f" ({cause})"
            self.log.info("task %s, attempt %s%s, transcript %s", self.spec.name, number, why, request.transcript)
            before = sum((Figures.of(attempt.report) for attempt in self.made), task.earlier)
            run.began(self.spec, request, profile.name, before)
            report = run_attempt(task.executable, request, redact=task.redact, on_event=self.narrate, stop=self.stop)
        finally:
            spent, unseen = (report.usage.cost_usd, report.unseen_usd) if report else (0.0, math.inf)
            run.budget.settle(allowance, spent, unseen)
        report = replace(report, verdict=self.in_all(report.verdict, request.timeout))
        for warning in report.warnings:
            self.log.warning("%s", warning)
        if report.lines or report.verdict.reason is not Reason.SPAWN:  # else there is no attempt to speak of
            self.made.append(Attempt(number, cause, report))
        if report.lines:
            task.sessions.keep(run.job.name, self.spec.id, report.session_id, request.environment)
        task.sessions.keep_transcripts(run.id, [report.transcript, report.stderr])
        return report, allowance

    def in_all(self, verdict: Verdict, seconds: float) -> Verdict:
        """The verdict on an attempt that had so many seconds, and what task and run have in all, when that is more."""
        if verdict.reason is not Reason.TIMEOUT or self.stop.reason or self.spec.timeout - seconds < _MIN_SECONDS:
            return verdict
        of_run = f" and the {self.task.run.job.timeout} s of the run" if self.task.run.job.timeout else ""
        left = f"that was what was left of the {self.spec.timeout} s of the task{of_run}"
        return replace(verdict, detail=f"{verdict.detail} ({left})")

    def narrate(self, event: Event) -> None:
        if isinstance(event, Answered):
            self.task.gate.answered()
        line = narrate(event)
        if line:
            self.log.info("%s", line)

    def opened(self) -> tuple[Request, Cause]:
        """The first request: in a new session, or in the one that was opened."""
        opening, continues = self.opening, bool(self.task.continues)
        if opening.said:
            self.log.warning("%s", opening.said)
        if not opening.resume:
            return self.task.request, "first"
        request = replace(
            self.task.request,
            resume=opening.resume,
            fork=opening.is_fork,
            session_id=str(uuid4()) if opening.is_fork else opening.session_id,
        )
        return (replace(request, prompt=CONTINUE, is_command=False), "reset") if continues else (request, "first")

    def anew(self) -> Request:
        return replace(self.task.request, session_id=str(uuid4()))

    def resumed(self, report: Report, prompt: str) -> Request:
        """The session of an attempt goes on with another prompt."""
        session = report.session_id
        return replace(self.task.request, prompt=prompt, is_command=False, resume=session, session_id=session)

    def retried(self, request: Request, report: Report) -> Request:
        """The next attempt: it goes on with what was done, in a session of its own unless sessions are reused."""
        if request.resume and not request.fork:
            was_heard = report.progress or report.verdict.reason in (Reason.API_ERROR, Reason.USAGE_LIMIT)
            return self.resumed(report, CONTINUE) if was_heard else request  # else the prompt may not be in the history
        if not report.progress:
            return replace(request, session_id=str(uuid4()))
        return replace(self.resumed(report, CONTINUE), fork=True, session_id=str(uuid4()))

    def examined(self, report: Report) -> tuple[Verdict, str]:
        """What the task is worth after claude said that it is done; and what its session is asked to mend."""
        spec, task = self.spec, self.task
        if missing := check_files(spec.expect_files, task.request.cwd):
            return Verdict(Reason.EXPECTATION, f"claude finished, but there is no {', no '.join(missing)}"), ""
        if spec.expect_changes and not task.changed():
            return Verdict(Reason.EXPECTATION, "claude finished, but no file was changed"), ""
        self.gates = []
        for gate in spec.gates:
            self.log.info("gate: %s", gate.command)
            result = task.shell.run(gate.command, min(gate.timeout, self.left()))
            self.gates.append(result)
            if self.stop.reason:
                return self.stopped(), ""
            if result.ok:
                continue
            verdict = Verdict(Reason.GATE, f"`{gate.command}` failed: {result.sentence}")
            if self.fixes >= spec.fix_attempts or self.left() <= _MIN_SECONDS:
                return verdict, ""
            self.fixes += 1
            self.log.warning("%s; back to the session, fix %s of %s", verdict.detail, self.fixes, spec.fix_attempts)
            return verdict, fix_prompt(gate.command, result)
        return report.verdict, ""

    def at_limit(self, closed: Closed, verdict: Verdict) -> Ended:
        """Wait for the reset, unless the task may not or that would be too long."""
        spec = self.spec
        if self.stop.reason:
            return self.end(self.stopped())
        if spec.on_limit == "fail":
            return self.end(verdict)
        has_moved = any(attempt.report.progress for attempt in self.made)
        since = self.task.pause.since if self.task.pause and not has_moved else closed.now
        if closed.now + closed.seconds - since > spec.max_limit_wait:
            already = f"with the {closed.now - since:.0f} s it has waited already, " if since < closed.now else ""
            too_long = f"{verdict.detail}; {already}that is longer than its max_limit_wait of {spec.max_limit_wait} s"
            return self.end(replace(verdict, detail=too_long))
        waits = replace(verdict, detail=closed.message)
        used = Used(self.retries, self.fixes, round(time.monotonic() - self.began, 1))
        return replace(self.end(waits), pause=Pause(closed.due().timestamp(), since, used))

    def stopped(self) -> Verdict:
        reason = Reason.CANCELLED if self.stop.reason == "cancelled" else Reason.TIMEOUT
        return Verdict(reason, "the run was ended while this task was between two attempts")

    def end(self, verdict: Verdict) -> Ended:
        if verdict.reason is Reason.CANCELLED and self.made:
            by_hand = f"; go on by hand with `claude --resume {self.made[-1].report.session_id}`"
            verdict = replace(verdict, detail=verdict.detail + by_hand)
        return Ended(verdict, tuple(self.made), gates=tuple(self.gates))

    def left(self) -> float:
        return max(_MIN_SECONDS, self.deadline - time.monotonic())

    def pause(self, seconds: float) -> None:
        """Sleep, but not through a request to stop, which raises Stopped."""
        self.stop.wait(seconds)
        if self.stop.reason:
            raise Stopped(self.stop.reason)


def _overspent(allowance: Allowance, report: Report) -> str:
    return (
        f"{allowance.reason} allowed this attempt ${allowance.usd or 0:.4f}, and ${report.usage.cost_usd:.4f} was "
        "spent before the work was done: raise it"
    )
