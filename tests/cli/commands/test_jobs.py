"""Jobs and tasks on a real server: created, shown, changed, deleted; and what bad input gets."""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.worlds.cli import CCS, Cli


def made(ccs: Cli, name: str, *options: str) -> Any:
    return ccs.ok("jobs", "create", "--name", name, *options).json


def with_task(ccs: Cli, job: str, task: str = "one", *options: str) -> Any:
    return ccs.ok("tasks", "create", "--job", job, "--name", task, "--prompt", "do it", *options).json


def test_a_job_is_a_deployment_that_prefect_can_run_too(ccs: Cli) -> None:
    job = made(ccs, "whole", "-C", "~/app", "--description", "words", "--tag", "a", "--timeout", "2h")
    deployment = ccs.ask("GET", f"/deployments/{job['id']}").json()
    assert deployment["entrypoint"] == "ccs.flows.job:job"
    assert deployment["enforce_parameter_schema"] is True
    assert deployment["work_pool_name"] == "ccs"
    assert deployment["pull_steps"] == []
    assert (deployment["description"], deployment["tags"]) == ("words", ["a"])
    spec = deployment["parameters"]["job"]
    assert spec["working_directory"]["path"] == str(Path("~/app").expanduser())
    assert spec["timeout"] == 7200
    assert deployment["parameters"]["only"] == []


def test_a_relative_directory_becomes_absolute(ccs: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert made(ccs, "relative", "-C", "app")["working_directory"]["path"] == str(tmp_path / "app")


def test_a_job_is_found_by_name_id_and_the_beginning_of_its_id(ccs: Cli) -> None:
    job = made(ccs, "found")
    for reference in ("found", "job/found", job["id"], job["id"][:13]):
        assert ccs.ok("jobs", "get", reference).json["id"] == job["id"]


def test_jobs_and_tasks_are_listed_as_the_documented_pipelines_expect(ccs: Cli) -> None:
    everything = ("--limit", "10000")  # other tests have jobs on this server, too
    job, task = made(ccs, "listed"), with_task(ccs, "listed")
    assert job["id"] in [j["id"] for j in ccs.ok("jobs", "list", *everything).json["jobs"]]
    assert [t["id"] for t in ccs.ok("jobs", "tasks", job["id"]).json] == [task["id"]]
    assert [t["id"] for t in ccs.ok("tasks", "list", "--job", "listed").json["tasks"]] == [task["id"]]
    assert job["id"] in ccs.ok("jobs", "list", "--output", "ids", *everything).out.splitlines()
    assert "listed" in ccs.ok("jobs", "list", "--output", "table", *everything).out
    assert "name: listed" in ccs.ok("jobs", "get", "listed", "--output", "yaml").out
    assert len(ccs.ok("jobs", "list", "--output", "ndjson", "--limit", "1").out.splitlines()) == 1


def test_a_schedule_is_shown_in_words_with_its_next_three_times(ccs: Cli) -> None:
    job = made(ccs, "cron", "--cron", "0 9 * * 1-5", "--timezone", "Europe/Amsterdam")
    assert job["schedules"][0]["in_words"] == "Monday to Friday at 09:00 (Europe/Amsterdam)"
    assert len(job["next"]) == 3
    assert all("T09:00:00" in time["local"] for time in job["next"])
    table = ccs.ok("jobs", "get", "cron", "--output", "table").out
    assert "Monday to Friday at 09:00 (Europe/Amsterdam)" in table
    assert "UTC)" in table


def test_the_server_plans_the_times_that_are_shown(ccs: Cli) -> None:
    job = made(ccs, "planned", "--cron", "0 9 * * 1-5", "--timezone", "Europe/Amsterdam")
    ccs.ask("POST", f"/deployments/{job['id']}/schedule", {"min_runs": 3})
    body = {"deployments": {"id": {"any_": [job["id"]]}}, "sort": "EXPECTED_START_TIME_ASC", "limit": 3}
    runs = ccs.ask("POST", "/flow_runs/filter", body).json()
    assert [r["expected_start_time"][:19] for r in runs] == [n["utc"][:19] for n in job["next"]]


def test_a_new_schedule_takes_the_place_of_the_old_and_keeps_the_tasks_it_names(ccs: Cli) -> None:
    job = made(ccs, "moved", "--every", "90m")
    old = ccs.ask("GET", f"/deployments/{job['id']}").json()["schedules"][0]
    ccs.ask("PATCH", f"/deployments/{job['id']}/schedules/{old['id']}", {"parameters": {"only": ["one"]}})
    changed = ccs.ok("jobs", "update", "moved", "--cron", "0 7 * * *").json
    assert [(s["cron"], s["only"]) for s in changed["schedules"]] == [("0 7 * * *", ["one"])]
    assert ccs.ok("jobs", "update", "moved", "--no-schedule").json["schedules"] == []


def test_a_change_of_tasks_keeps_schedules_and_their_parameters(ccs: Cli) -> None:
    job = made(ccs, "kept", "--every", "90m")
    schedule = ccs.ask("GET", f"/deployments/{job['id']}").json()["schedules"][0]
    ccs.ask("PATCH", f"/deployments/{job['id']}/schedules/{schedule['id']}", {"parameters": {"only": ["one"]}})
    with_task(ccs, "kept")
    assert ccs.ask("GET", f"/deployments/{job['id']}").json()["schedules"][0]["parameters"] == {"only": ["one"]}


def test_after_a_change_the_next_runs_are_planned_at_once_with_the_new_spec(ccs: Cli) -> None:
    job = made(ccs, "tick", "--cron", "* * * * *")
    with_task(ccs, "tick", "late")
    body = {"deployments": {"id": {"any_": [job["id"]]}}, "flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}}}
    runs = ccs.ask("POST", "/flow_runs/filter", body).json()
    assert runs
    assert all(r["parameters"]["job"]["tasks"][0]["name"] == "late" for r in runs)
    ccs.ok("jobs", "delete", "tick", "--force")


def test_what_is_not_named_in_an_update_stays(ccs: Cli) -> None:
    made(ccs, "partial", "-C", "/srv/app", "--description", "old", "--on-failure", "continue")
    with_task(ccs, "partial")
    job = ccs.ok("jobs", "update", "partial", "--description", "new", "--no-require-git").json
    assert (job["description"], job["on_failure"], len(job["tasks"])) == ("new", "continue", 1)
    directory = job["working_directory"]
    assert (directory["path"], directory["require_git"], directory["trust_project"]) == ("/srv/app", False, False)
    job = ccs.ok("jobs", "update", "partial", "--unset", "on-failure").json
    assert job["on_failure"] == "stop"


def test_a_paused_job_says_so(ccs: Cli) -> None:
    made(ccs, "paused", "--every", "1d")
    paused = ccs.ok("jobs", "update", "paused", "--pause").json
    assert (paused["paused"], paused["next"]) == (True, [])
    assert ccs.ok("jobs", "update", "paused", "--resume").json["paused"] is False


@pytest.mark.parametrize(
    "prompt", ["- a list item", "--force", "-", "/not a command", "zwei Wörter\nund 漢字 \U0001f600"]
)
def test_a_prompt_may_look_like_anything(ccs: Cli, prompt: str) -> None:
    ccs("jobs", "create", "--name", "prompts")
    name = f"p{abs(hash(prompt))}"
    arguments = ("tasks", "create", "--job", "prompts", "--name", name, "--prompt", prompt)
    task = ccs.ok(*arguments, stdin="from stdin").json
    assert task["prompt"] == ("from stdin" if prompt == "-" else prompt)


def test_a_prompt_that_is_no_text_is_refused_and_not_repaired(ccs: Cli) -> None:
    ccs("jobs", "create", "--name", "prompts")
    command = f"printf 'caf\\351' | {CCS} tasks create --job prompts --name latin --prompt -"
    child = subprocess.run(
        ["sh", "-c", command], env={**os.environ, **ccs.env}, capture_output=True, text=True, check=False
    )
    assert child.returncode == 1
    assert "--prompt -: standard input is not text in UTF-8 (byte 4)" in child.stderr


def test_tasks_are_found_by_path_name_and_beginning_of_the_id(ccs: Cli) -> None:
    made(ccs, "path")
    task = with_task(ccs, "path", "unique-name")
    for reference in ("path/unique-name", "unique-name", task["id"], task["id"][:13], f"path/{task['id'][:8]}"):
        assert ccs.ok("tasks", "get", reference).json["id"] == task["id"]


def test_a_name_that_two_jobs_use_must_be_said_with_its_job(ccs: Cli) -> None:
    for job in ("twin-a", "twin-b"):
        made(ccs, job)
        with_task(ccs, job, "same")
    said = ccs("tasks", "get", "same")
    assert said.code == 1
    assert "twin-a/same, twin-b/same" in said.err
    assert "JOB/TASK" in said.err


def test_a_task_is_switched_renamed_and_deleted_and_keeps_its_id(ccs: Cli) -> None:
    made(ccs, "changing")
    task = with_task(ccs, "changing", "before")
    assert ccs.ok("tasks", "disable", task["id"]).json["enabled"] is False
    assert ccs.ok("tasks", "enable", "changing/before").json["enabled"] is True
    renamed = ccs.ok("tasks", "update", task["id"], "--name", "after", "--command", "/review src").json
    assert (renamed["id"], renamed["name"], renamed["command"]) == (task["id"], "after", "/review src")
    assert "prompt" not in renamed
    ccs.ok("tasks", "delete", "changing/after", "--force")
    assert ccs.ok("jobs", "tasks", "changing").json == []


def test_deleting_a_job_takes_its_runs_along(ccs: Cli) -> None:
    job = made(ccs, "gone", "--every", "1d")
    run = ccs.ok("jobs", "run", "gone").json
    assert ccs("jobs", "delete", "gone").code == 1
    said = ccs.ok("jobs", "delete", "gone", "--force")
    assert "with 0 tasks, 1 schedule, " in said.err
    assert ccs.ask("GET", f"/deployments/{job['id']}").status_code == 404
    assert ccs.ask("GET", f"/flow_runs/{run['id']}").status_code == 404


def test_two_jobs_cannot_have_one_name(ccs: Cli) -> None:
    first = made(ccs, "once", "--description", "first")
    said = ccs("jobs", "create", "--name", "once")
    assert (said.code, said.out) == (1, "")
    assert "there is a job 'once' already" in said.err
    assert ccs.ok("jobs", "get", "once").json["description"] == first["description"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("jobs get bsic", "did you mean basic"),
        ("jobs run bsic", "did you mean basic"),
        ("runs get nothing-like-it", "there is no run"),
        ("jobs create --name new --profile nope", "there is no profile 'nope'"),
        ("jobs create --name new --pool nope", "there is no work pool 'nope'"),
        ("jobs create --name a/b", "is not a name"),
        ("jobs create --name new --on-failure explode", "on_failure: must be 'stop' or 'continue'"),
        ("jobs create --name new --cron nonsense", "has 1 fields"),
        ("jobs create --name new --every 10s", "shorter than 60 seconds"),
        ("jobs create --name new --every 1d --timezone Europe/Amstardam", "did you mean Europe/Amsterdam"),
        ("jobs create --name new --timeout soon", "is not a duration"),
        ("jobs create", "Missing option '--name'"),
        ("jobs update basic", "nothing to change"),
        ("jobs run basic --task nope", "there is no task 'basic/nope'"),
        ("tasks create --job basic --name t", "exactly one of prompt, prompt_file and command"),
        ("tasks create --job basic --name t --prompt x --command /y", "exactly one of"),
        ("tasks create --job basic --name t --command y", "must start with /"),
        ("tasks create --job basic --name t --prompt x --max-turns 0", "max_turns: must be greater than 0"),
        ("tasks create --job basic --name t --prompt x --permissions root", "permissions: must be 'default', 'accept"),
        ("tasks create --job basic --name t --prompt x --model ", "model: must not be empty"),
        ("runs list --status nope", "is not a state of a run"),
        ("runs list --since yesterday", "is not a duration"),
        ("jobs list --output csv", "is not an output format"),
        ("jobs list --limit 0", "Invalid value for '--limit'"),
        ("jobs nope", "No such command 'nope'"),
        ("jbos list", "did you mean jobs"),
    ],
)
def test_bad_input_is_exit_code_one_and_a_clear_sentence(ccs: Cli, arguments: str, says: str) -> None:
    ccs("jobs", "create", "--name", "basic")
    said = ccs(*arguments.split(" "))
    assert said.code == 1, said
    assert says in said.err
    assert said.out == ""
    assert len(said.err.strip().splitlines()) <= 2


def test_an_empty_prompt_is_refused(ccs: Cli) -> None:
    ccs("jobs", "create", "--name", "basic")
    said = ccs("tasks", "create", "--job", "basic", "--name", "empty", "--prompt", "  ")
    assert (said.code, "prompt: must not be empty" in said.err) == (1, True)


def test_a_prompt_of_five_megabytes_is_refused_with_the_way_out(ccs: Cli) -> None:
    ccs("jobs", "create", "--name", "basic")
    said = ccs("tasks", "create", "--job", "basic", "--name", "big", "--prompt", "-", stdin="a" * 5_000_000)
    assert said.code == 1
    assert "prompt_file" in said.err
    assert len(said.err) < 400


def test_a_deployment_without_a_spec_is_listed_and_its_change_refused(ccs: Cli) -> None:
    flow = ccs.ask("POST", "/flows/", {"name": "job"}).json()
    ccs.ask("POST", "/deployments/", {"name": "bare", "flow_id": flow["id"]})
    assert "bare" in [j["name"] for j in ccs.ok("jobs", "list").json["jobs"]]
    said = ccs("tasks", "create", "--job", "bare", "--name", "t", "--prompt", "x")
    assert (said.code, "holds no job spec" in said.err) == (1, True)
    ccs.ok("jobs", "delete", "bare", "--force")
