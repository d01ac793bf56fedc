"""Tasks that change their job or name, profiles that change theirs: everything that names them follows."""

import threading
from typing import Any
from uuid import uuid4

import pytest

from tests.worlds.cli import Cli, Said


def job_of(ccs: Cli, *tasks: str, **options: str) -> str:
    """The name of a new job with these tasks."""
    name = f"job-{uuid4().hex[:8]}"
    ccs.ok("jobs", "create", "--name", name, "-C", "/srv", *(w for k, v in options.items() for w in (f"--{k}", v)))
    for task in tasks:
        ccs.ok("tasks", "create", "--job", name, "--name", task, "--prompt", f"do {task}")
    return name


def names(ccs: Cli, job: str) -> list[str]:
    return [t["name"] for t in ccs.ok("jobs", "tasks", job).json]


def only(ccs: Cli, job: str, tasks: list[str]) -> Any:
    """Have the schedule of a job name some of its tasks."""
    path = f"/deployments/{ccs.ok('jobs', 'get', job).json['id']}"
    (schedule,) = ccs.ask("GET", path).json()["schedules"]
    assert ccs.ask("PATCH", f"{path}/schedules/{schedule['id']}", {"parameters": {"only": tasks}}).is_success
    return lambda: [s["parameters"].get("only") for s in ccs.ask("GET", path).json()["schedules"]]


def test_a_task_moves_to_the_end_of_another_job_and_keeps_its_id(ccs: Cli) -> None:
    old, new = job_of(ccs, "a", "b"), job_of(ccs, "c")
    task = ccs.ok("tasks", "get", f"{old}/a").json
    moved = ccs.ok("tasks", "update", f"{old}/a", "--job", new, "--model", "opus").json
    assert (moved["id"], moved["job"], moved["model"]) == (task["id"], new, "opus")
    assert (names(ccs, old), names(ccs, new)) == (["b"], ["c", "a"])
    assert ccs.ok("tasks", "update", task["id"], "--job", new).json["job"] == new  # it is there already


@pytest.mark.parametrize("options", [(), ("--name", "c")])
def test_a_task_that_cannot_be_in_the_other_job_stays(ccs: Cli, options: tuple[str, ...]) -> None:
    old, new = job_of(ccs, "a", "b"), job_of(ccs, "c")
    if not options:
        ccs.ok("tasks", "update", f"{old}/b", "--depends-on", "a")
    said = ccs("tasks", "update", f"{old}/a", "--job", new, *options)
    assert (said.code, "depends on 'a'" in said.err or "two tasks" in said.err) == (1, True)
    assert (names(ccs, old), names(ccs, new)) == (["a", "b"], ["c"])


def test_tasks_that_change_places_at_the_same_time_are_not_lost(ccs: Cli) -> None:
    one, two = job_of(ccs, "a"), job_of(ccs, "b")
    said: list[Said] = []
    lines = [("tasks", "update", f"{one}/a", "--job", two), ("tasks", "update", f"{two}/b", "--job", one)]
    threads = [threading.Thread(target=lambda line=line: said.append(ccs.process(*line))) for line in lines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [s.code for s in said] == [0, 0], said
    assert (names(ccs, one), names(ccs, two)) == (["b"], ["a"])


def test_what_depends_on_a_task_and_what_is_scheduled_follow_its_new_name(ccs: Cli) -> None:
    job = job_of(ccs, "a", "b", every="1d")
    ccs.ok("tasks", "update", f"{job}/b", "--depends-on", "a")
    planned = only(ccs, job, ["a", "b"])
    ccs.ok("tasks", "update", f"{job}/a", "--name", "first")
    assert ccs.ok("tasks", "get", f"{job}/b").json["depends_on"] == ["first"]
    assert planned() == [["first", "b"]]


def test_a_schedule_for_a_task_that_is_gone_does_not_run_all_of_them(ccs: Cli) -> None:
    job = job_of(ccs, "a", "b", every="1d")
    planned = only(ccs, job, ["a", "b"])
    ccs.ok("tasks", "delete", f"{job}/a", "--force")
    assert planned() == [["b"]]
    ccs.ok("tasks", "create", "--job", job, "--name", "c", "--prompt", "p")
    said = ccs.ok("tasks", "delete", f"{job}/b", "--force")
    assert planned() == []
    assert "schedule" in said.err


def test_a_profile_gets_another_name_with_its_secrets_and_its_jobs(ccs: Cli) -> None:
    old, new = f"old-{uuid4().hex[:8]}", f"new-{uuid4().hex[:8]}"
    ccs("profiles", "create", old, "--secret", "ANTHROPIC_API_KEY", "--env", "A=b", stdin="a-secret-value\n")
    job, other = job_of(ccs, "a", profile=old), job_of(ccs, "a", "b")
    ccs.ok("tasks", "update", f"{other}/b", "--profile", old)
    said = ccs.ok("profiles", "update", old, "--name", new, "--env", "C=d")
    assert (said.json["name"], sorted(said.json["variables"])) == (new, ["A", "C"])
    assert "a-secret-value" not in said.out + said.err
    assert ccs("profiles", "get", old).code == 1
    document = ccs.ask("GET", f"/block_documents/{said.json['id']}?include_secrets=true").json()
    assert document["data"]["secrets"] == {"ANTHROPIC_API_KEY": "a-secret-value"}
    assert ccs.ok("jobs", "get", job).json["profile"] == new
    assert [t.get("profile") for t in ccs.ok("jobs", "tasks", other).json] == [None, new]


def test_a_profile_keeps_its_name_when_that_is_not_safe(ccs: Cli) -> None:
    name, other = f"p-{uuid4().hex[:8]}", f"q-{uuid4().hex[:8]}"
    for profile in (name, other):
        ccs.ok("profiles", "create", profile, "--env", "A=b")
    job = job_of(ccs, "a", profile=name)
    assert "there is a profile" in ccs("profiles", "update", name, "--name", other).err
    assert "is not a name" in ccs("profiles", "update", name, "--name", "No Name").err
    run = ccs.ok("jobs", "run", job).json
    said = ccs("profiles", "update", name, "--name", f"{name}-2")
    assert (said.code, run["name"] in said.err) == (1, True)
    assert ccs("profiles", "get", f"{name}-2").code == 1
    ccs.ok("runs", "stop", run["id"])
    assert ccs.ok("profiles", "update", name, "--name", f"{name}-2").json["name"] == f"{name}-2"


def test_a_rehearsal_of_a_new_name_shows_no_secret(ccs: Cli) -> None:
    name = f"r-{uuid4().hex[:8]}"
    ccs("profiles", "create", name, "--secret", "TOKEN", stdin="a-secret-value\n")
    said = ccs.ok("profiles", "update", name, "--name", f"{name}-2", "--dry-run")
    assert "a-secret-value" not in said.out + said.err
    assert ccs("profiles", "get", f"{name}-2").code == 1
