"""Which tasks a run is to do: those asked for, and after an earlier part of it those that are left."""

from typing import Any

import pytest

from ccs.flows.record.outcome import blank
from ccs.flows.record.row import TaskRow
from ccs.flows.run.selection import begun_anew, first_row, not_done, selected
from ccs.flows.spec.job import Job
from ccs.flows.spec.verdict import Reason, TaskState
from ccs.flows.workplace.directory import WorkplaceError

OK, AUTH, WAITING, RUNNING, NOT_RUN = (
    *(Reason.OK, Reason.AUTH, TaskState.WAITING, TaskState.RUNNING, TaskState.NOT_RUN),
)


def job(**fields: Any) -> Job:
    tasks = [{"name": name, "prompt": "p"} for name in "abcd"]
    return Job.model_validate({"name": "j", "working_directory": {"path": "/"}, "tasks": tasks, **fields})


def left(spec: Job, *verdicts: Reason | TaskState) -> str:
    """The names of the tasks that are left, when the first of them came to these verdicts."""
    done = {t.id: blank(spec.name, t, v, "") for t, v in zip(spec.tasks, verdicts, strict=False)}
    return "".join(t.name for t in not_done(spec, spec.tasks, done))


def test_tasks_are_asked_for_by_name_or_id_and_come_in_the_order_of_the_job() -> None:
    spec = job()
    assert [t.name for t in selected(spec, [])] == ["a", "b", "c", "d"]
    assert [t.name for t in selected(spec, ["c", spec.tasks[0].id])] == ["a", "c"]
    with pytest.raises(WorkplaceError, match="job 'j' has no task 'x': it has a, b, c, d"):
        selected(spec, ["a", "x"])


@pytest.mark.parametrize(
    ("on_failure", "verdicts", "expected"),
    [
        ("stop", (), "abcd"),
        ("stop", (OK, AUTH, NOT_RUN), "bcd"),  # a run that goes on from a failed one
        ("stop", (OK, RUNNING), "bcd"),  # one whose process was killed
        ("stop", (OK, WAITING), "bcd"),
        ("stop", (AUTH, WAITING, RUNNING, NOT_RUN), "bc"),  # one failed beside the one that waits: nothing new begins
        ("continue", (AUTH, WAITING, RUNNING, NOT_RUN), "bcd"),
    ],
)
def test_what_is_left_of_a_run(on_failure: str, verdicts: tuple[Reason | TaskState, ...], expected: str) -> None:
    assert left(job(on_failure=on_failure), *verdicts) == expected


@pytest.mark.parametrize(
    ("verdict", "undecided", "begins"),
    [(WAITING, False, True), (OK, True, True), (OK, False, False), (AUTH, True, False)],
)
def test_what_begins_anew_when_its_files_are_gone(verdict: Reason | TaskState, undecided: bool, begins: bool) -> None:
    spec = job()
    row: TaskRow = {**blank(spec.name, spec.tasks[0], verdict, ""), "undecided": undecided, "cost_usd": 0.5}
    anew = begun_anew(row)
    assert (anew["verdict"] == TaskState.NOT_RUN, anew["cost_usd"]) == (begins, 0.5)


def test_a_disabled_task_is_skipped_from_the_start() -> None:
    (off,) = job(tasks=[{"name": "a", "prompt": "p", "enabled": False}]).tasks
    assert first_row(job(), off)["verdict"] == TaskState.SKIPPED
    assert first_row(job(), job().tasks[0])["verdict"] == TaskState.NOT_RUN
