"""What the tasks of one run share, and what became of them so far."""

import time
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from ccs.blocks.redact import Redaction
from ccs.flows.budgets.budget import Budget
from ccs.flows.claude.request import Request
from ccs.flows.processes.stop import Stop
from ccs.flows.record.outcome import Figures, Outcome, row
from ccs.flows.record.pause import Pause
from ccs.flows.record.row import TaskRow
from ccs.flows.record.table import RunTable
from ccs.flows.spec.job import Job
from ccs.flows.spec.task import Task
from ccs.flows.spec.verdict import FINE, Reason, TaskState
from ccs.flows.workplace.workplace import Workplace


class Run:
    """One execution of a job; its methods may be called from the threads of its tasks."""

    def __init__(
        self,
        job: Job,
        run_id: str,
        job_id: str,
        workplace: Workplace,
        rows: Iterable[tuple[Task, TaskRow]],
        redaction: Redaction,
    ) -> None:
        self.job = job
        self.id = run_id
        self.workplace = workplace
        self.redaction = redaction
        """What all texts of the run go through; it learns the secrets of each profile that is resolved."""
        self.stop = Stop()
        self.outcomes: dict[str, Outcome] = {}  # by task id; of this execution
        earlier = list(rows)
        self.table = RunTable(job, run_id, earlier, redaction)
        self.kept = {task.name: found["output"] for task, found in earlier if found["verdict"] == Reason.OK}
        self.budget = Budget(
            job, run_id, job_id, spent={task.name: found["cost_usd"] for task, found in earlier}, log=workplace.log
        )
        pauses = [pause for _, found in earlier if (pause := Pause.read(found))]
        self._started = time.monotonic() - max((pause.run_seconds for pause in pauses), default=0.0)

    def __enter__(self) -> Self:
        self.table.publish()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self.job.tasks:
            if task.id in self.outcomes and (pause := self.outcomes[task.id].pause):
                pause = replace(pause, run_seconds=round(time.monotonic() - self._started, 1))
                self.table.put(task, {**self.table.row(task), **pause.as_row()})
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
        return {row["task"] for row in self.table.rows() if row["verdict"] == TaskState.SKIPPED} - off

    @property
    def goes_on(self) -> datetime | None:
        """When the first of the tasks that wait for a usage limit is to go on; None when none waits."""
        due = [outcome.pause.until for outcome in self.outcomes.values() if outcome.pause]
        return datetime.fromtimestamp(min(due), UTC) if due else None

    def ended_before(self, due: Iterable[Task]) -> dict[str, bool]:
        """By name whether the tasks succeeded that ended before this execution and are not due again."""
        again = {task.name for task in due}
        rows = (row for row in self.table.rows() if row["task"] not in again and row["verdict"] != TaskState.NOT_RUN)
        return {row["task"]: row["verdict"] in FINE for row in rows}

    def interrupted(self, task: Task) -> TaskRow | None:
        """The row of the task's part before this execution, when it was interrupted by a usage limit or a crash."""
        found = self.table.row(task)
        return found if found["verdict"] in (TaskState.WAITING, TaskState.RUNNING) else None

    def began(self, task: Task, request: Request, profile: str | None, before: Figures) -> None:
        """An attempt of the task starts; `before` is what the task took so far."""
        started = self.table.row(task)["started"] or datetime.now(UTC).isoformat(timespec="seconds")
        now: TaskRow = {
            **self.table.row(task),
            **(before + Figures(attempts=1, cost_is_partial=True)).as_row(),  # what stays if this process is killed
            "verdict": str(TaskState.RUNNING),
            "detail": "",
            "started": started,
            "session_id": request.session_id,
            "transcript": str(request.transcript),
            "profile": profile or "",
            "directory": str(self.workplace.directory),
            "node": self.workplace.node,
        }
        self.table.put(task, now)

    def ended(self, outcome: Outcome) -> None:
        """The task has ended, or has to wait; the server knows it when this returns."""
        self.outcomes[outcome.task.id] = outcome
        before, now = self.table.row(outcome.task), row(self.job.name, outcome)
        if not outcome.attempts:  # it had to wait once more before it could go on in its session
            now = {**now, "session_id": before["session_id"], "transcript": before["transcript"]}
        self.table.put(outcome.task, {**now, "started": before["started"]})
        self.table.flush()
