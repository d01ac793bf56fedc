"""What became of a task: as a sentence, and as a row of the run's table."""

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, Self

from ccs.flows.claude.report import Report
from ccs.flows.processes.command import CommandResult
from ccs.flows.spec.task import Task
from ccs.flows.spec.verdict import Reason, Verdict

Row = dict[str, Any]
"""One task in the run's table; the command line reads it back."""

OK = str(Reason.OK)
SKIPPED = "skipped"
NOT_RUN = "not_run"
RUNNING = "running"
WAITING = "waiting"
"""What stands in place of a verdict where there is none; OK is one."""

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
    def read(cls, row: Row) -> Self:
        """The figures that a row holds."""
        return cls(**{field.name: row[field.name] for field in fields(cls) if field.name in row})

    def __add__(self, other: "Figures") -> "Figures":
        return Figures(**{field.name: getattr(self, field.name) + getattr(other, field.name) for field in fields(self)})

    def as_row(self) -> Row:
        return {
            **vars(self),
            "cost_usd": round(self.cost_usd, 6),
            "cost_is_partial": bool(self.cost_is_partial),
            "duration_seconds": round(self.duration_seconds, 1),
        }


@dataclass(frozen=True)
class Used:
    """What a task has used of the retries, fix rounds and seconds it may take: to wait for a limit gives none back."""

    retries: int = 0
    fixes: int = 0
    seconds: float = 0.0

    @classmethod
    def read(cls, row: Row) -> Self:
        """What a task had used that is to go on after a usage limit; nothing else is counted on."""
        found = row.get("used") if row["verdict"] == WAITING else None
        return cls(**found) if isinstance(found, dict) else cls()


@dataclass(frozen=True)
class Attempt:
    """One `claude` process of a task."""

    number: int
    cause: Cause
    report: Report


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The end of one task in one run, or of its part before a usage limit.

    Without attempts, `claude` was never started. `earlier` has the figures of the parts before; `waits_until` (seconds
    since 1970) is set when the task is to go on then, and has waited since `limited_since`; `used` is for then, too;
    `commands` are its condition and the gates of the last round, `output` is the object it was asked for, `commit` what
    git made of its changes, `notes` are sentences. While it is `undecided`, what it changed is yet to be committed or
    set aside, together with what a task beside it changes.
    """

    task: Task
    verdict: Verdict
    node: str
    directory: Path
    attempts: tuple[Attempt, ...] = ()
    executable: Path | None = None
    profile: str = ""
    earlier: Figures = Figures()
    waits_until: float | None = None
    limited_since: float | None = None
    used: Used = Used()
    is_skipped: bool = False
    commands: tuple[CommandResult, ...] = ()
    output: Any = None
    changed: tuple[str, ...] = ()
    commit: str = ""
    aside: str = ""
    undecided: bool = False
    notes: tuple[str, ...] = ()
    found: Row | None = None
    """The row of a task that ended before a usage limit interrupted the run; its attempts are not here then."""

    @classmethod
    def read(cls, task: Task, found: Row) -> Self:
        """The outcome that a row tells of."""
        verdict, place = Verdict(Reason(found["verdict"]), found["detail"]), Path(found["directory"])
        return cls(task=task, verdict=verdict, node=found["node"], directory=place, output=found["output"], found=found)

    @property
    def ok(self) -> bool:
        return self.verdict.ok

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
        return self.report.session_id if self.report else str((self.found or {}).get("session_id", ""))

    def failed(self, reason: Reason, detail: str) -> "Outcome":
        """The same with another verdict."""
        return replace(self, verdict=Verdict(reason, detail))

    def remarked(self, *remarks: str) -> "Outcome":
        """The same with more to say, whatever the verdict."""
        said = "; ".join(text for text in (self.verdict.detail, *remarks) if text)
        return replace(self, verdict=replace(self.verdict, detail=said))

    def noted(self, *notes: str) -> "Outcome":
        """The same with more notes."""
        return replace(self, notes=tuple(dict.fromkeys((*self.notes, *notes))))


def row(outcome: Outcome) -> Row:
    """The task's row in the run's table."""
    report, spec = outcome.report, outcome.task
    verdict = WAITING if outcome.waits_until else SKIPPED if outcome.is_skipped else str(outcome.verdict.reason)
    if outcome.found:  # only what became of its changes is new
        settled = {"commit": outcome.commit, "aside": outcome.aside, "undecided": outcome.undecided}
        return {**outcome.found, "verdict": verdict, "detail": outcome.verdict.detail, **settled}
    return blank(spec, verdict, outcome.verdict.detail) | {
        **outcome.figures.as_row(),
        "profile": outcome.profile,
        "model": ", ".join(report.models) if report and report.models else spec.model,
        "session_id": outcome.session_id,
        "transcript": str(report.transcript or "") if report else "",
        "directory": str(outcome.directory),
        "changed": len(outcome.changed),
        "commit": outcome.commit,
        "aside": outcome.aside,
        "undecided": outcome.undecided,
        "output": outcome.output,
        "waits_until": outcome.waits_until,
        "limited_since": outcome.limited_since,
        "used": vars(outcome.used),
        "node": outcome.node,
    }


def blank(task: Task, verdict: str, detail: str) -> Row:
    """The row of a task about which there is nothing more to say than this."""
    return {
        "task": task.name,
        "id": task.id,
        "verdict": verdict,
        "detail": detail,
        **Figures().as_row(),
        "profile": "",
        "model": task.model,
        "started": None,
        "session_id": "",
        "transcript": "",
        "directory": "",
        "changed": 0,
        "commit": "",
        "aside": "",
        "undecided": False,
        "output": None,
        "waits_until": None,
        "limited_since": None,
        "used": vars(Used()),
        "run_seconds": 0.0,
        "node": "",
    }


def kept(found: Row, run_id: str) -> Row:
    """The row of a task that an earlier run finished: its result, but not its figures, which that run has."""
    return {**found, **Figures().as_row(), "detail": f"done in run {run_id}: kept"}
