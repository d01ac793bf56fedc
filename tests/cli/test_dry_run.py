"""`--dry-run`: every verb that writes shows its requests and sends none of them."""

from typing import Any
from uuid import uuid4

import pytest

from tests.worlds.cli import Cli


@pytest.fixture
def job(ccs: Cli) -> str:
    return ccs.job("--every", "1d")


def everything(ccs: Cli) -> Any:
    """What the server holds, but for what it does by itself."""
    kinds = ("deployments", "block_documents", "flow_runs", "variables", "work_pools")
    found = {kind: ccs.ask("POST", f"/{kind}/filter", {}).json() for kind in kinds}
    found["flow_runs"] = [r["id"] for r in found["flow_runs"] if not r["auto_scheduled"]]
    for kind in ("deployments", "work_pools"):
        found[kind] = [{k: v for k, v in thing.items() if k not in ("status", "updated")} for thing in found[kind]]
    return found


def rehearsed(ccs: Cli, *arguments: str, **more: str) -> list[tuple[str, str]]:
    """Method and path of the requests a command line would have sent, having seen that it sent none."""
    before = everything(ccs)
    said = ccs.ok(*arguments, "--dry-run", **more)
    assert everything(ccs) == before
    assert list(said.json) == ["requests"]
    return [(r["method"], r["path"]) for r in said.json["requests"]]


def test_a_new_job_is_shown_as_the_requests_it_takes(ccs: Cli) -> None:
    requests = rehearsed(ccs, "jobs", "create", "--name", "rehearsed", "--cron", "0 9 * * *")
    assert requests == [("POST", "/flows/"), ("POST", "/deployments/")]
    body = ccs.ok("jobs", "create", "--name", "rehearsed", "--dry-run").json["requests"][1]["body"]
    assert body["parameters"]["job"]["name"] == "rehearsed"
    assert body["flow_id"] == "<id from request 1>"


def test_changes_of_a_job_and_its_tasks_are_shown(ccs: Cli, job: str) -> None:
    identity = ccs.ok("jobs", "get", job).json["id"]
    here = f"/deployments/{identity}"
    changed = [("PATCH", here), ("POST", f"{here}/schedule")]
    assert rehearsed(ccs, "jobs", "update", job, "--description", "d") == changed
    assert rehearsed(ccs, "tasks", "create", "--job", job, "--name", "two", "--prompt", "y") == changed
    assert rehearsed(ccs, "tasks", "update", f"{job}/one", "--model", "opus") == changed
    assert rehearsed(ccs, "tasks", "disable", f"{job}/one") == changed
    assert rehearsed(ccs, "tasks", "delete", f"{job}/one") == changed
    several = rehearsed(ccs, "jobs", "update", job, "--description", "d", "--every", "2d", "--pause")
    assert [m for m, _ in several] == ["PATCH", "POST", "DELETE", "POST", "PATCH", "POST"]
    assert rehearsed(ccs, "jobs", "delete", job)[0] == ("DELETE", here)


def test_starting_and_stopping_waits_for_nothing(ccs: Cli, job: str) -> None:
    identity = ccs.ok("jobs", "get", job).json["id"]
    start = [("POST", f"/deployments/{identity}/create_flow_run")]
    assert rehearsed(ccs, "jobs", "run", job, "--wait") == start
    run = ccs.ok("jobs", "run", job).json["id"]
    stop = [("POST", f"/flow_runs/{run}/set_state")]
    assert rehearsed(ccs, "runs", "stop", run) == stop
    assert rehearsed(ccs, "jobs", "stop", job) == stop
    ccs.ok("runs", "stop", run)


def test_a_prompt_run_once_is_shown(ccs: Cli) -> None:
    requests = rehearsed(ccs, "run", "hello")
    assert [m for m, _ in requests] == ["POST", "POST", "POST"]
    assert requests[2][1] == "/deployments/<id from request 2>/create_flow_run"


def test_the_secrets_of_a_profile_are_masked(ccs: Cli) -> None:
    arguments = ["profiles", "create", "rehearsed", "--secret", "ANTHROPIC_API_KEY", "--env", "MY_TOKEN=readable-token"]
    rehearsed(ccs, *arguments, stdin="sk-ant-secret-value\n")
    said = ccs.ok(*arguments, "--dry-run", "--output", "yaml", stdin="sk-ant-secret-value\n")
    assert "sk-ant-secret" not in said.out + said.err
    assert "readable-token" not in said.out + said.err
    assert "ANTHROPIC_API_KEY: '********'" in said.out


def test_changes_of_a_profile_are_shown(ccs: Cli) -> None:
    name = f"profile-{uuid4().hex[:8]}"
    ccs.ok("profiles", "create", name, "--secret", "KEY", stdin="sk-secret-value\n")
    identity = ccs.ok("profiles", "get", name).json["id"]
    here = f"/block_documents/{identity}"
    assert rehearsed(ccs, "profiles", "update", name, "--env", "A=b") == [("PATCH", here)]
    assert rehearsed(ccs, "profiles", "delete", name) == [("DELETE", here)]


def test_a_job_edited_in_a_rehearsal_stays(ccs: Cli, job: str) -> None:
    before = everything(ccs)
    said = ccs.process("jobs", "edit", job, "--dry-run", EDITOR="sed -i s/sonnet/opus/")
    assert [r["method"] for r in said.json["requests"]] == ["PATCH", "POST"]
    assert "+  model: opus" in said.err
    assert everything(ccs) == before


def test_a_wrong_request_is_wrong_in_a_rehearsal_too(ccs: Cli, job: str) -> None:
    said = ccs("jobs", "create", "--name", job, "--dry-run")
    assert (said.code, said.out) == (1, "")
    assert "already" in said.err
    assert ccs("tasks", "update", f"{job}/none", "--model", "opus", "--dry-run").code == 1
    assert ccs("jobs", "run", job, "--dry-run", PREFECT_API_URL="http://127.0.0.1:9/api").code == 3


def test_a_rehearsal_says_nothing_of_success(ccs: Cli, job: str) -> None:
    assert ccs.ok("jobs", "delete", job, "--dry-run").err == ""
    assert "DELETE" in ccs.ok("jobs", "delete", job, "--dry-run", "--output", "table").out
    assert ccs.ok("jobs", "get", job).json["name"] == job
