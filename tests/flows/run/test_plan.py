"""Which task starts when."""

from typing import Any

from ccs.flows.run.plan import Plan
from ccs.flows.spec.job import Job


def job(*tasks: dict[str, Any], **fields: Any) -> Job:
    tasks = tuple({"prompt": "p", **t} for t in tasks)
    return Job.model_validate({"name": "j", "working_directory": {"path": "/r"}, "tasks": list(tasks), **fields})


def plan(spec: Job, **done: bool) -> Plan:
    return Plan(spec, spec.tasks, done)


def starts(found: Plan) -> list[str]:
    """The names of all tasks that may start now."""
    names = []
    while task := found.next():
        names.append(task.name)
    return names


def test_one_at_a_time_in_the_order_of_the_list() -> None:
    spec = job({"name": "a"}, {"name": "b"})
    found = plan(spec)
    assert starts(found) == ["a"]
    found.ended(spec.tasks[0], ok=True)
    assert starts(found) == ["b"]


def test_as_many_as_allowed_and_what_they_wait_for() -> None:
    spec = job({"name": "c", "depends_on": ["a", "b"]}, {"name": "a"}, {"name": "b"}, {"name": "d"}, max_parallel=3)
    found = plan(spec)
    assert starts(found) == ["a", "b", "d"]
    found.ended(spec.tasks[1], ok=True)
    assert starts(found) == []
    found.ended(spec.tasks[2], ok=True)
    assert starts(found) == ["c"]
    assert found.running == 2


def test_a_failure_stops_the_rest_or_only_what_waits_for_it() -> None:
    tasks = ({"name": "a"}, {"name": "b", "depends_on": ["a"]}, {"name": "c"}, {"name": "d", "depends_on": ["b", "c"]})
    for policy, expected in (("stop", []), ("continue", ["c"])):
        spec = job(*tasks, on_failure=policy)
        found = plan(spec)
        assert starts(found) == ["a"]
        found.ended(spec.tasks[0], ok=False)
        assert starts(found) == expected
        assert found.obstacle(spec.tasks[1]) == "it depends on a, which failed"
        assert found.obstacle(spec.tasks[3]) == "it depends on b, which could not run"


def test_a_task_that_failed_in_the_end_is_a_failure() -> None:
    spec = job({"name": "a"}, {"name": "b", "depends_on": ["a"]}, {"name": "c"}, on_failure="continue")
    found = plan(spec)
    assert starts(found) == ["a"]
    found.ended(spec.tasks[0], ok=True)
    found.failed("a")  # it could not be committed with its neighbours
    assert starts(found) == ["c"]
    assert found.obstacle(spec.tasks[1]) == "it depends on a, which failed"


def test_what_is_not_to_run_is_not_waited_for() -> None:
    spec = job({"name": "a"}, {"name": "b", "depends_on": ["a"]})
    assert starts(Plan(spec, [spec.tasks[1]], {})) == ["b"]
    assert starts(Plan(spec, [spec.tasks[1]], {"a": True})) == ["b"]
    assert starts(Plan(spec, [spec.tasks[1]], {"a": False})) == []


def test_a_halted_plan_starts_nothing() -> None:
    found = plan(job({"name": "a"}))
    found.halt()
    assert starts(found) == []
