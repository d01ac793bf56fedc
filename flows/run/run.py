"""What the tasks of one run share, and what became of them so far."""

import time
from collections.abc import Iterable
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from ccs.flows.budgets.budget import Budget
from ccs.flows.claude.request import Request
from ccs.flows.processes.stop import Stop
from ccs.flows.record.outcome import NOT_RUN, OK, RUNNING, SKIPPED, WAITING, Figures, Outcome, Row, row
from ccs.flows.record.table import RunTable
from ccs.flows.spec.job import Job
from ccs.flows.spec.task import Task
from ccs.flows.workplace.workplace import Workplace


class Run:
    """One execution of a job; its methods may be called from the threads of its tasks."""

    def __init__(
        self, job: Job, run_id: str, job_id: str, workplace: Workplace, rows: Iterable[tuple[Task, Row]]
    ) -> None:
        self.job = job
        self.id = run_id
        self.workplace = workplace
        self.stop = Stop()
        self.outcomes: dict[str, Outcome] = {}  # by task id; of this execution
        earlier = list(rows)
        self.table = RunTable(job, run_id, earlier)
        self.kept = {task.name: found["output"] for task, found in earlier if found["verdict"] == OK}
        self.budget = Budget(
            job, run_id, job_id, spent={task.name: found["cost_usd"] for task, found in earlier}, log=workplace.log
        )
        before = (
            found["run_seconds"] for _, found in earlier if found["verdict"] == WAITING and "run_seconds" in found
        )
        self._started = time.monotonic() - max(before, default=0.0)

    def __enter__(self) -> Self:
        self.table.publish()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self.job.tasks:
            if task.id in self.outcomes and self.outcomes[task.id].waits_until:
                so_far = round(time.monotonic() - self._started, 1)
                self.table.put(task, {**self.table.row(task), "run_seconds": so_far})
        self.table.close()

    @property
    def time_left(self) -> float:
        """Seconds until the run's timeout; infinite without one."""
        if self.job.timeout is None:
            return float("inf")
        return self.job.timeout - (time.monotonic() - self._started)

    @property
    def outputs(self) -> dict[str, Any]:
        """By name the results of the tasks that have succeeded."""
        fresh = {outcome.task.name: outcome.output for outcome in self.outcomes.values() if outcome.ok}
        return {name: output for name, output in {**self.kept, **fresh}.items() if output is not None}

    @property
    def skipped(self) -> set[str]:
        """By name the tasks whose condition did not hold."""
        off = {task.name for task in self.job.tasks if not task.enabled}
        return {row["task"] for row in self.table.rows() if row["verdict"] == SKIPPED} - off

    @property
    def waits_until(self) -> datetime | None:
        """When the first of the tasks that wait for a usage limit is to go on."""
        due = [outcome.waits_until for outcome in self.outcomes.values() if outcome.waits_until]
        return datetime.fromtimestamp(min(due), UTC) if due else None

    def ended_before(self, due: Iterable[Task]) -> dict[str, bool]:
        """By name whether the tasks succeeded that ended before this execution and are not due again."""
        again = {task.name for task in due}
        rows = (row for row in self.table.rows() if row["task"] not in again and row["verdict"] != NOT_RUN)
        return {row["task"]: row["verdict"] in (OK, SKIPPED) for row in rows}

    def interrupted(self, task: Task) -> Row | None:
        """The row of the task's part before this execution, when it was interrupted by a usage limit or a crash."""
        found = self.table.row(task)
        return found if found["verdict"] in (WAITING, RUNNING) else None

    def began(self, task: Task, request: Request, profile: str | None, before: Figures) -> None:
        """An attempt of the task starts; `before` is what the task took so far."""
        started = self.table.row(task)["started"] or datetime.now(UTC).isoformat(timespec="seconds")
        now = {
            "verdict": RUNNING,
            "detail": "",
            "started": started,
            "session_id": request.session_id,
            "transcript": str(request.transcript),
            "profile": profile or "",
            "directory": str(self.workplace.directory),
            "node": self.workplace.node,
            **(before + Figures(attempts=1, cost_is_partial=True)).as_row(),  # what stays if this process is killed
        }
        self.table.put(task, {**self.table.row(task), **now})

    def ended(self, outcome: Outcome) -> None:
        """The task has ended, or has to wait; the server knows it when this returns."""
        self.outcomes[outcome.task.id] = outcome
        before, now = self.table.row(outcome.task), row(outcome)
        if not outcome.attempts:  # it had to wait once more before it could go on in its session
            now |= {name: before[name] for name in ("session_id", "transcript")}
        self.table.put(outcome.task, {**now, "started": before["started"]})
        self.table.flush()
