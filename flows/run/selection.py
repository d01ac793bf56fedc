"""Which tasks a run is to do: those that were asked for, and of these what is not done yet."""

import difflib
from collections.abc import Mapping, Sequence

from ccs.flows.record.outcome import blank
from ccs.flows.record.row import TaskRow
from ccs.flows.spec.job import Job
from ccs.flows.spec.task import Task
from ccs.flows.spec.verdict import Reason, TaskState, is_failure
from ccs.flows.workplace.directory import WorkplaceError


def selected(job: Job, only: Sequence[str]) -> list[Task]:
    """The tasks named by `only` (names or ids), in the job's order; WorkplaceError for one that is not there."""
    known = {key for t in job.tasks for key in (t.name, t.id)}
    for wanted in only:
        if wanted not in known:
            close = difflib.get_close_matches(wanted, [t.name for t in job.tasks], 1)
            hint = (
                f"did you mean {close[0]!r}?" if close else f"it has {', '.join(t.name for t in job.tasks) or 'none'}"
            )
            raise WorkplaceError(f"job {job.name!r} has no task {wanted!r}: {hint}")
    return [t for t in job.tasks if not only or t.name in only or t.id in only]


def not_done(job: Job, chosen: Sequence[Task], done: Mapping[str, TaskRow]) -> list[Task]:
    """Those of the chosen tasks that have not succeeded; after a usage limit those that have not ended.

    `done` has by id the rows of what was done before.
    """
    verdicts = {t.id: done[t.id]["verdict"] if t.id in done else TaskState.NOT_RUN for t in chosen}
    if TaskState.WAITING not in verdicts.values():
        return [t for t in chosen if verdicts[t.id] != Reason.OK]
    wanted = {TaskState.WAITING, TaskState.RUNNING}
    if job.on_failure == "continue" or not any(map(is_failure, verdicts.values())):
        wanted.add(TaskState.NOT_RUN)
    return [t for t in chosen if verdicts[t.id] in wanted]


def begun_anew(row: TaskRow) -> TaskRow:
    """The row of a task whose files are gone: it begins anew if it waited, or its changes are not committed yet."""
    is_lost = row["verdict"] == TaskState.WAITING or (row["verdict"] == Reason.OK and row["undecided"])
    return {**row, "verdict": str(TaskState.NOT_RUN)} if is_lost else row


def first_row(job: Job, spec: Task) -> TaskRow:
    """The row of a task before the run has come to it."""
    if spec.enabled:
        return blank(job.name, spec, TaskState.NOT_RUN, "the run ended before it")
    return blank(job.name, spec, TaskState.SKIPPED, "the task is disabled")
