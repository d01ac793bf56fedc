"""The pause of a task at a usage limit: until when, since when, and what it had used of what it may."""

from dataclasses import dataclass
from typing import Self

from ccs.flows.record.row import PauseRow, TaskRow
from ccs.flows.spec.verdict import TaskState


@dataclass(frozen=True)
class Used:
    """What a task has used of the retries, fix rounds and seconds it may take: to wait for a limit gives none back."""

    retries: int = 0
    fixes: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class Pause:
    """A task goes on at `until`, and has got nowhere for usage limits since `since`; both in seconds since 1970.

    `run_seconds` is what the run had used of its timeout when the last of its tasks came to wait.
    """

    until: float
    since: float
    used: Used = Used()
    run_seconds: float = 0.0

    @classmethod
    def read(cls, row: TaskRow) -> Self | None:
        """The last pause of a task that waits, or that was killed after it; None when there was none."""
        until, since, used = row["waits_until"], row["limited_since"], row["used"]
        if until is None or row["verdict"] not in (TaskState.WAITING, TaskState.RUNNING):
            return None
        if since is None:  # in rows of an older ccs
            since = until
        if row["verdict"] == TaskState.RUNNING:  # what it used is of the time before
            return cls(until, since)
        return cls(until, since, Used(used["retries"], used["fixes"], used["seconds"]), row["run_seconds"])

    def as_row(self) -> PauseRow:
        """The pause as a part of the task's row."""
        used = self.used
        return {
            "waits_until": self.until,
            "limited_since": self.since,
            "used": {"retries": used.retries, "fixes": used.fixes, "seconds": used.seconds},
            "run_seconds": self.run_seconds,
        }
