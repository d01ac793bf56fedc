"""Order, shortcuts, templates, and runs that are repeated or deleted, on a real server."""

from pathlib import Path
from uuid import uuid4

import pytest

from tests.worlds.cli import Cli
from tests.worlds.runs import table


@pytest.fixture
def name() -> str:
    return f"verbs-{uuid4().hex[:8]}"


def job_of_three(ccs: Cli, name: str) -> list[str]:
    ccs.ok("jobs", "create", "--name", name, "-C", "/srv")
    return [ccs.ok("tasks", "create", "--job", name, "--name", t, "--prompt", "p").json["id"] for t in ("a", "b", "c")]


def order(ccs: Cli, name: str) -> list[str]:
    return [t["name"] for t in ccs.ok("jobs", "tasks", name).json]


def test_tasks_are_put_into_an_order_by_name_and_by_id(ccs: Cli, name: str) -> None:
    ids = job_of_three(ccs, name)
    made = ccs.ok("jobs", "set-order", name, "c", ids[0], ids[1][:13]).json
    assert [t["name"] for t in made["tasks"]] == ["c", "a", "b"]
    assert [t["id"] for t in made["tasks"]] == [ids[2], ids[0], ids[1]]


@pytest.mark.parametrize(
    ("tasks", "says"),
    [
        (["a", "b"], "the order lacks 'c'"),
        (["a", "b", "b"], "'b' is named twice"),
        (["a", "b", "c", "d"], "there is no task"),
        ([], "Missing argument 'TASK...'"),
    ],
)
def test_an_order_that_is_no_permutation_is_refused(ccs: Cli, name: str, tasks: list[str], says: str) -> None:
    job_of_three(ccs, name)
    said = ccs("jobs", "set-order", name, *tasks)
    assert (said.code, said.out) == (1, "")
    assert says in said.err
    assert order(ccs, name) == ["a", "b", "c"]


def test_the_profile_shortcuts_stand_for_profiles(ccs: Cli, name: str) -> None:
    ccs("profiles", "create", "--template", "zai", stdin="a-token-of-zai\n")
    ccs("profiles", "create", "--template", "bedrock", stdin="eu-central-1\nwork\n")
    assert ccs.ok("jobs", "create", "--name", name, "-C", "/srv", "--zai").json["profile"] == "zai"
    assert ccs.ok("jobs", "update", name, "--bedrock").json["profile"] == "bedrock"
    made = ccs.ok("tasks", "create", "--job", name, "--name", "t", "--prompt", "p", "--zai").json
    assert (made["profile"], made["permissions"], made["model"]) == ("zai", "bypass", "sonnet")
    assert ccs.ok("tasks", "update", f"{name}/t", "--bedrock").json["profile"] == "bedrock"
    said = ccs("tasks", "update", f"{name}/t", "--bedrock", "--profile", "zai")
    assert (said.code, "--profile and --bedrock" in said.err) == (1, True)


def test_a_profile_is_named_by_its_id_too(ccs: Cli, name: str) -> None:
    own = ccs.ok("profiles", "create", name, "--env", "A=b").json["id"]
    assert ccs.ok("jobs", "create", "--name", name, "-C", "/srv", "--profile", own[:13]).json["profile"] == name
    task = ccs.ok("tasks", "create", "--job", name, "--name", "t", "--prompt", "p", "--profile", own).json
    assert task["profile"] == name
    ccs.ok("tasks", "update", f"{name}/t", "--unset", "profile")
    assert ccs.ok("tasks", "update", f"{name}/t", "--profile", own).json["profile"] == name
    assert ccs.ok("jobs", "update", name, "--profile", own).json["profile"] == name
    said = ccs("jobs", "update", name, "--profile", str(uuid4()))
    assert (said.code, "make it with: ccs profiles create" in said.err) == (1, True)


def test_one_task_is_run_and_the_run_repeated_and_deleted(ccs: Cli, name: str) -> None:
    job_of_three(ccs, name)
    run = ccs.ok("tasks", "run", f"{name}/b").json
    assert run["only"] == ["b"]
    ccs.ok("tasks", "update", f"{name}/b", "--prompt", "other")
    again = ccs.ok("runs", "restart", run["id"])
    assert (again.json["only"], again.json["job"]) == (["b"], name)
    assert again.json["id"] != run["id"]
    assert "was changed since" in again.err
    stored = ccs.ask("GET", f"/flow_runs/{again.json['id']}").json()["parameters"]["job"]["tasks"][1]
    assert stored["prompt"] == "p"
    both = (run["id"], again.json["id"])
    assert ccs("runs", "delete", *both).code == 1
    assert "deleted 2 runs" in ccs.ok("runs", "delete", *both, "--force").err
    assert [ccs.ask("GET", f"/flow_runs/{i}").status_code for i in both] == [404, 404]


@pytest.mark.parametrize(
    ("verdicts", "keeps"),
    [(("ok", "auth", "not_run"), True), (("timeout", "ok", "ok"), True), (("auth", "skipped", "not_run"), False)],
)
def test_a_run_goes_on_with_what_did_not_succeed(ccs: Cli, name: str, verdicts: tuple[str, ...], keeps: bool) -> None:
    job_of_three(ccs, name)
    run = ccs.ok("jobs", "run", name, "--task", "a", "--task", "b").json
    table(ccs, run["id"], [{"task": task, "verdict": verdict} for task, verdict in zip("abc", verdicts, strict=True)])
    again = ccs.ok("runs", "restart", run["id"], "--from-failed").json
    assert (again["only"], again["continues"]) == (["a", "b"], run["id"] if keeps else None)
    shown = ccs.ok("runs", "get", again["id"], "--output", "table").out
    assert (f"run {run['id']}: what succeeded there is kept" in shown) == keeps


def test_a_run_without_a_failure_has_nowhere_to_go_on_from(ccs: Cli, name: str) -> None:
    job_of_three(ccs, name)
    run = ccs.ok("jobs", "run", name).json
    table(ccs, run["id"], [{"task": task, "verdict": "ok"} for task in "abc"])
    said = ccs("runs", "restart", run["id"], "--from-failed")
    assert (said.code, said.out) == (1, "")
    assert "every task of run" in said.err


def test_a_run_that_is_under_way_is_not_deleted(ccs: Cli, name: str) -> None:
    job_of_three(ccs, name)
    run = ccs.ok("jobs", "run", name).json
    ccs.ask("POST", f"/flow_runs/{run['id']}/set_state", {"state": {"type": "RUNNING"}, "force": True})
    said = ccs("runs", "delete", run["id"], "--force")
    assert (said.code, "ccs runs stop" in said.err) == (1, True)
    assert ccs.ask("GET", f"/flow_runs/{run['id']}").status_code == 200


def test_the_run_of_a_deleted_job_is_not_repeated(ccs: Cli, name: str) -> None:
    job_of_three(ccs, name)
    job, run = ccs.ok("jobs", "get", name).json, ccs.ok("jobs", "run", name).json
    ccs.ask("DELETE", f"/deployments/{job['id']}")
    said = ccs("runs", "restart", run["id"])
    assert (said.code, said.out) == (1, "")


def test_the_template_of_zai_carries_what_is_known_to_go_wrong(ccs: Cli, name: str) -> None:
    made = ccs.ok("profiles", "create", name, "--template", "zai", stdin="a-token-of-zai\n")
    assert made.json["secrets"] == ["ANTHROPIC_AUTH_TOKEN"]
    assert {k: v["value"] for k, v in made.json["variables"].items()} == {
        "ANTHROPIC_BASE_URL": "https://api.z.ai/api/anthropic",
        "CLAUDE_CODE_USE_BEDROCK": "0",
    }
    assert "a-token-of-zai" not in made.out + made.err


def test_a_template_takes_the_source_that_is_named_instead_of_asking(ccs: Cli, name: str, tmp_path: Path) -> None:
    secret = ("--secret", "ANTHROPIC_AUTH_TOKEN=env:ZAI_TOKEN")
    made = ccs.ok("profiles", "create", name, "--template", "zai", *secret, ZAI_TOKEN="a-token-of-zai").json
    assert made["secrets"] == ["ANTHROPIC_AUTH_TOKEN"]
    node = ("--env", "ANTHROPIC_AUTH_TOKEN=env:ZAI", "--env", "ANTHROPIC_BASE_URL=https://proxy.example")
    other = ccs.ok("profiles", "create", f"{name}-2", "--template", "zai", *node).json
    assert other["secrets"] == []
    assert other["variables"]["ANTHROPIC_AUTH_TOKEN"] == {"source": "env", "value": "ZAI"}
    assert other["variables"]["ANTHROPIC_BASE_URL"]["value"] == "https://proxy.example"


def test_a_template_leaves_out_what_is_empty_with_a_warning(ccs: Cli, name: str) -> None:
    said = ccs.ok("profiles", "create", name, "--template", "bedrock", stdin="env:AWS_REGION\n\n")
    assert {k: (v["source"], v["value"]) for k, v in said.json["variables"].items()} == {
        "CLAUDE_CODE_USE_BEDROCK": ("static", "1"),
        "AWS_REGION": ("env", "AWS_REGION"),
    }
    assert "warning: AWS_PROFILE has no value" in said.err


@pytest.mark.parametrize("template", ["anthropic", "vertex"])
def test_every_template_makes_a_profile(ccs: Cli, name: str, template: str) -> None:
    said = ccs.ok("profiles", "create", name, "--template", template, stdin="first-answer\nsecond-answer\n")
    assert said.json["description"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--template", "nope"], "one of: anthropic, zai, bedrock, vertex"),
        ([], "a profile needs a name"),
        (["x-y", "--template", "zai"], "no line on stdin for the secret ANTHROPIC_AUTH_TOKEN"),
    ],
)
def test_a_profile_that_cannot_be_made_is_one_sentence(ccs: Cli, options: list[str], says: str) -> None:
    said = ccs("profiles", "create", *options)
    assert (said.code, said.out) == (1, "")
    assert says in said.err


def test_a_shortcut_without_its_profile_says_how_to_make_it(ccs: Cli, name: str) -> None:
    ccs("profiles", "delete", "bedrock", "--force")
    said = ccs("jobs", "create", "--name", name, "-C", "/srv", "--bedrock")
    assert (said.code, "ccs profiles create bedrock --template bedrock" in said.err) == (1, True)
