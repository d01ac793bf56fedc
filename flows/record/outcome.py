"""What became of a task: as a sentence, and as a row of the run's table."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, Self

from ccs.flows.claude.report import Report
from ccs.flows.processes.command import CommandResult
from ccs.flows.record.pause import Pause
from ccs.flows.record.row import EMPTY, NO_PAUSE, FiguresRow, TaskRow
from ccs.flows.spec.task import Task
from ccs.flows.spec.verdict import Reason, TaskState, Verdict

Cause = Literal["first", "retry", "fix", "reset", "budget"]
"""Why an attempt was made; `reset` goes on after a usage limit, `budget` after a share of the budget was used up."""


@dataclass(frozen=True)
class Figures:
    """What attempts took together. Cost is claude's own estimate; "at least" that, when it is partial."""

    attempts: int = 0
    turns: int = 0
    cost_usd: float = 0.0
    cost_is_partial: bool = False
    input_tokens: int = 0
    output_tokens: int = 0
    duration_seconds: float = 0.0

    @classmethod
    def of(cls, report: Report) -> Self:
        """The figures of one attempt."""
        usage = report.usage
        return cls(
            1,
            report.num_turns,
            usage.cost_usd,
            usage.is_partial,
            usage.input_tokens,
            usage.output_tokens,
            report.duration_seconds,
        )

    @classmethod
    def read(cls, row: FiguresRow) -> Self:
        """The figures that a row holds."""
        values: Mapping[str, Any] = row
        return cls(**{field.name: values[field.name] for field in fields(cls)})

    def __add__(self, other: "Figures") -> "Figures":
        return Figures(**{field.name: getattr(self, field.name) + getattr(other, field.name) for field in fields(self)})

    def as_row(self) -> FiguresRow:
        """The figures as a part of a row."""
        return {
            "attempts": self.attempts,
            "turns": self.turns,
            "cost_usd": round(self.cost_usd, 6),
            "cost_is_partial": bool(self.cost_is_partial),
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "duration_seconds": round(self.duration_seconds, 1),
        }


@dataclass(frozen=True)
class Attempt:
    """One `claude` process of a task."""

    number: int
    cause: Cause
    report: Report


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The end of one task in one run, or of its part before a usage limit.

    Without attempts, `claude` was never started. `earlier` has the figures of the parts before; with a `pause` the task
    waits and is to go on; `commands` are its condition and the gates of the last round, `output` is the object it was
    asked for, `commit` what git made of its changes, `notes` are sentences. While it is `undecided`, what it changed is
    yet to be committed or set aside, together with what a task beside it changes.
    """

    task: Task
    verdict: Verdict
    node: str
    directory: Path
    attempts: tuple[Attempt, ...] = ()
    executable: Path | None = None
    profile: str = ""
    earlier: Figures = Figures()
    pause: Pause | None = None
    is_skipped: bool = False
    commands: tuple[CommandResult, ...] = ()
    output: Any = None
    changed: tuple[str, ...] = ()
    commit: str = ""
    aside: str = ""
    undecided: bool = False
    notes: tuple[str, ...] = ()
    found: TaskRow | None = None
    """The row of a task that ended before a usage limit interrupted the run; its attempts are not here then."""

    @classmethod
    def read(cls, task: Task, found: TaskRow) -> Self:
        """The outcome that a row tells of."""
        verdict, place = Verdict(Reason(found["verdict"]), found["detail"]), Path(found["directory"])
        return cls(task=task, verdict=verdict, node=found["node"], directory=place, output=found["output"], found=found)

    @property
    def ok(self) -> bool:
        return self.verdict.ok

    @property
    def standing(self) -> Reason | TaskState:
        """The reason of its verdict, or the state that stands in its place."""
        if self.pause:
            return TaskState.WAITING
        return TaskState.SKIPPED if self.is_skipped else self.verdict.reason

    @property
    def sentence(self) -> str:
        """One line: the reason's name and the detail."""
        return f"{self.verdict.reason}: {self.verdict.detail}" if self.verdict.detail else str(self.verdict.reason)

    @property
    def report(self) -> Report | None:
        """The report of the last attempt."""
        return self.attempts[-1].report if self.attempts else None

    @property
    def figures(self) -> Figures:
        """What the task took in this run."""
        return sum((Figures.of(attempt.report) for attempt in self.attempts), self.earlier)

    @property
    def has_changed(self) -> bool:
        """Whether files were changed while it ran; by it, or by a task beside it."""
        return bool(self.changed or (self.found and self.found["changed"]))

    @property
    def session_id(self) -> str:
        """The session of the last attempt; empty without one."""
        if self.report:
            return self.report.session_id
        return self.found["session_id"] if self.found else ""

    def failed(self, reason: Reason, detail: str) -> "Outcome":
        """The same with another verdict."""
        return replace(self, verdict=Verdict(reason, detail))

    def skipped(self, why: str) -> "Outcome":
        """The same of a task that was not to run."""
        return replace(self, verdict=Verdict(Reason.OK, why), is_skipped=True)

    def remarked(self, *remarks: str) -> "Outcome":
        """The same with more to say, whatever the verdict."""
        said = "; ".join(text for text in (self.verdict.detail, *remarks) if text)
        return replace(self, verdict=replace(self.verdict, detail=said))

    def noted(self, *notes: str) -> "Outcome":
        """The same with more notes."""
        return replace(self, notes=tuple(dict.fromkeys((*self.notes, *notes))))


def row(job: str, outcome: Outcome) -> TaskRow:
    """The task's row in the table of a run of the job."""
    report, verdict = outcome.report, outcome.verdict
    if outcome.found:  # only what became of its changes is new
        return {
            **outcome.found,
            "verdict": str(outcome.standing),
            "detail": verdict.detail,
            "commit": outcome.commit,
            "aside": outcome.aside,
            "undecided": outcome.undecided,
        }
    return {
        **blank(job, outcome.task, outcome.standing, verdict.detail),
        **outcome.figures.as_row(),
        **(outcome.pause.as_row() if outcome.pause else NO_PAUSE),
        "profile": outcome.profile,
        "model": ", ".join(report.models) if report and report.models else outcome.task.model,
        "session_id": outcome.session_id,
        "transcript": str(report.transcript or "") if report else "",
        "directory": str(outcome.directory),
        "changed": len(outcome.changed),
        "commit": outcome.commit,
        "aside": outcome.aside,
        "undecided": outcome.undecided,
        "output": outcome.output,
        "node": outcome.node,
    }


def blank(job: str, task: Task, standing: Reason | TaskState, detail: str) -> TaskRow:
    """The row of a task about which there is nothing more to say than this."""
    named: TaskRow = {**EMPTY, "job": job, "task": task.name, "id": task.id, "model": task.model}
    return {**named, "verdict": str(standing), "detail": detail}


def kept(found: TaskRow, run_id: str) -> TaskRow:
    """The row of a task that an earlier run finished: its result, but not its figures, which that run has."""
    return {**found, **Figures().as_row(), "detail": f"done in run {run_id}: kept"}
