"""A data folder of the predecessor on a real server: taken over once, however often it is asked for."""

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.fakes import legacy_data
from tests.worlds.cli import Cli, Said


@pytest.fixture
def mark() -> str:
    return uuid4().hex[:8]


def folder(path: Path, **files: object) -> str:
    path.mkdir(exist_ok=True)
    for name, data in files.items():
        (path / f"{name}.json").write_text(data if isinstance(data, str) else json.dumps(data))
    return str(path)


def found(said: Said, thing: str) -> dict[str, tuple[str, str]]:
    return {f["field"]: (f["outcome"], f["reason"]) for f in said.json["report"] if thing in f["thing"]}


def results(said: Said) -> dict[str, str]:
    return {thing["name"]: thing["result"] for thing in said.json["things"]}


def full(path: Path, mark: str) -> str:
    """A folder with two jobs, a task without a job, a profile of every source, and settings."""
    work = legacy_data.profile(
        f"My Work {mark}",
        legacy_data.variable("ANTHROPIC_BASE_URL", "static", "https://llm.example.com"),
        legacy_data.variable("ANTHROPIC_AUTH_TOKEN", "static", "secret-value-of-work"),
        legacy_data.variable("REGION", "env", "AWS_REGION"),
        legacy_data.variable("GONE", "unset", ""),
        legacy_data.variable("FROM_KEYCHAIN", "keychain", "service/account"),
        legacy_data.variable("FROM_AWS", "aws_sm", "prod/key", {"region": "eu-central-1"}),
        legacy_data.variable("FROM_SSM", "aws_ssm", "/prod/key"),
        legacy_data.variable("FROM_COMMAND", "command", "cat ~/.key"),
        legacy_data.variable("EMPTY_KEY", "static", ""),
        legacy_data.variable("MAX_OUTPUT_TOKENS", "static", "32000"),
        legacy_data.variable("SIM_PIN", "static", "0042"),
        legacy_data.variable("GIT_AUTHOR_NAME", "static", "Jane Doe"),
        legacy_data.variable("not a name", "static", "x"),
    )
    first, second = legacy_data.job(f"first {mark}", profile=work["id"]), legacy_data.job(f"second {mark}")
    tasks = [legacy_data.task(first, name) for name in ("a", "b", "c")]
    first["task_order"] = [tasks[2]["id"], tasks[0]["id"]]
    tasks += [legacy_data.task(second, "alone", profile=work["id"]), legacy_data.task(None, f"orphan {mark}")]
    settings = {"default_model": "opus", "claude_cli_path": "/opt/claude", "theme": "dark", "max_concurrent_tasks": 3}
    return folder(path, jobs=[first, second], tasks=tasks, profiles=[work], settings=settings, runs=[{"id": "x"}])


def test_a_whole_folder_is_taken_over_and_each_field_accounted_for(ccs: Cli, mark: str, tmp_path: Path) -> None:
    ccs("jobs", "delete", "tasks without a job", "--force")
    path = full(tmp_path / "data", mark)
    said = ccs.ok("import-legacy", path)
    assert set(results(said).values()) == {"created"}
    job = ccs.ok("jobs", "get", f"first {mark}").json
    assert [t["name"] for t in job["tasks"]] == ["c", "a", "b"]
    assert job["profile"] == f"my-work-{mark}"
    tasks = json.loads((Path(path) / "tasks.json").read_text())
    assert {t["id"] for t in job["tasks"]} == {t["id"] for t in tasks[:3]}  # old references still work
    assert ccs.ok("tasks", "get", f"second {mark}/alone").json["profile"] == f"my-work-{mark}"
    assert ccs.ok("tasks", "get", f"orphan {mark}").json["job"] == "tasks without a job"
    assert found(said, "first")["task_order"][0] == "changed"
    assert found(said, "settings")["default_model"][0] == "not mapped"
    assert "CCS_CLAUDE=/opt/claude" in found(said, "settings")["claude_cli_path"][1]
    assert found(said, "settings")["theme"][0] == "left out"
    assert "runs.json" in said.err


def test_every_source_of_a_variable_has_its_place(ccs: Cli, mark: str, tmp_path: Path) -> None:
    said = ccs.ok("import-legacy", full(tmp_path / "data", mark))
    profile = ccs.ok("profiles", "get", f"my-work-{mark}").json
    assert profile["secrets"] == ["ANTHROPIC_AUTH_TOKEN"]
    assert profile["variables"] == {
        "ANTHROPIC_BASE_URL": {"source": "static", "value": "https://llm.example.com"},
        "REGION": {"source": "env", "value": "AWS_REGION"},
        "GONE": {"source": "unset", "value": ""},
        "MAX_OUTPUT_TOKENS": {"source": "static", "value": "32000"},
        "SIM_PIN": {"source": "static", "value": "********"},  # too short to be kept as a secret
        "GIT_AUTHOR_NAME": {"source": "static", "value": "Jane Doe"},
        # fail closed: without them a task would use another login
        **{n: {"source": "env", "value": n} for n in ("FROM_KEYCHAIN", "FROM_AWS", "FROM_SSM", "FROM_COMMAND")},
    }
    kept = ccs.ask("GET", f"/block_documents/{profile['id']}?include_secrets=true").json()["data"]["secrets"]
    assert kept == {"ANTHROPIC_AUTH_TOKEN": "secret-value-of-work"}
    assert "secret-value-of-work" not in said.out + said.err
    fields = found(said, "profile")
    assert fields["env_vars.ANTHROPIC_AUTH_TOKEN"] == ("changed", "looks like a secret and is stored as one")
    for name in ("FROM_KEYCHAIN", "FROM_AWS", "FROM_SSM", "FROM_COMMAND", "EMPTY_KEY", "not a name"):
        assert fields[f"env_vars.{name}"][0] == "not mapped"
        assert f"not mapped: env_vars.{name}: " in said.err


def test_a_second_time_nothing_is_doubled_and_nothing_changed(ccs: Cli, mark: str, tmp_path: Path) -> None:
    path = full(tmp_path / "data", mark)
    ccs.ok("import-legacy", path)
    ccs.ok("jobs", "update", f"first {mark}", "--description", "mine now")
    before = [ccs.ok("jobs", "get", f"{n} {mark}").out for n in ("first", "second")]
    profiles = ccs.ok("profiles", "list").out
    said = ccs.ok("import-legacy", path)
    assert set(results(said).values()) == {"exists already"}
    assert [ccs.ok("jobs", "get", f"{n} {mark}").out for n in ("first", "second")] == before
    assert ccs.ok("profiles", "list").out == profiles
    assert {f["thing"] for f in said.json["report"]} == {"settings", "history"}
    table = ccs.ok("import-legacy", path, "--output", "table").out
    assert table.count("exists already") == len(results(said))


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({}, "holds no data of claude-code-scheduler"),
        ({"jobs": "{not json"}, "jobs.json is not JSON"),
        ({"jobs": {"a": 1}}, "jobs.json is not a list of objects"),
        ({"jobs": [], "tasks": [7]}, "tasks.json is not a list of objects"),
        ({"jobs": [legacy_data.job("never", task_order="x")]}, "task_order must be a list"),
        (
            {"jobs": [legacy_data.job("never")], "profiles": [legacy_data.profile("p", {"name": 5})]},
            "name must be a text",
        ),
        ({"jobs": [legacy_data.job("never")], "settings": []}, "settings is not an object"),
        (
            {"jobs": [legacy_data.job("never")], "tasks": [legacy_data.task(None, "t", prompt=["x"])]},
            "prompt must be a text",
        ),
        (
            {"jobs": [legacy_data.job("never")], "tasks": [legacy_data.task(None, "t", prompt="x" * 600_000)]},
            "more than the 500 KB",
        ),
        ({"jobs": '[{"id": "a", "name": "never", "description": "\\ud800"}]'}, "is not JSON"),
    ],
)
def test_a_malformed_file_is_one_sentence_and_nothing_is_written(
    ccs: Cli, tmp_path: Path, files: dict[str, Any], says: str
) -> None:
    before = ccs.ok("profiles", "list").out
    said = ccs("import-legacy", folder(tmp_path / "data", **files))
    assert (said.code, said.out) == (1, ""), said
    assert says in said.err
    assert len(said.err.strip().splitlines()) <= 2
    assert ccs("jobs", "get", "never").code == 1
    assert ccs.ok("profiles", "list").out == before


def test_the_folder_is_looked_for_at_home(ccs: Cli, mark: str, tmp_path: Path) -> None:
    assert ".claude-scheduler" in ccs("import-legacy", HOME=str(tmp_path)).err
    folder(tmp_path / ".claude-scheduler", jobs=[legacy_data.job(f"at home {mark}")])
    assert results(ccs.ok("import-legacy", HOME=str(tmp_path))) == {f"at home {mark}": "created"}


def test_a_profile_that_the_folder_lacks_is_warned_about(ccs: Cli, mark: str, tmp_path: Path) -> None:
    job = legacy_data.job(f"dangling {mark}", profile=f"lost-{mark}")
    said = ccs.ok("import-legacy", folder(tmp_path / "data", jobs=[job]))
    assert f"'lost-{mark}', which is not there" in said.err


def test_a_job_of_the_same_name_that_lacks_the_tasks_is_left_alone_and_told(
    ccs: Cli, mark: str, tmp_path: Path
) -> None:
    ccs.ok("jobs", "create", "--name", f"mine {mark}")
    job = legacy_data.job(f"mine {mark}")
    said = ccs.ok("import-legacy", folder(tmp_path / "data", jobs=[job], tasks=[legacy_data.task(job, "theirs")]))
    assert said.json["things"][0]["lacks"] == ["theirs"]
    assert "it lacks: theirs" in said.err
    assert ccs.ok("jobs", "tasks", f"mine {mark}").json == []


def test_two_jobs_of_one_name_stay_two(ccs: Cli, mark: str, tmp_path: Path) -> None:
    path = folder(tmp_path / "data", jobs=[legacy_data.job(f"twin {mark}"), legacy_data.job(f"twin {mark}")])
    names = [f"twin {mark}", f"twin {mark} (2)"]
    assert list(results(ccs.ok("import-legacy", path))) == names
    assert results(ccs.ok("import-legacy", path)) == dict.fromkeys(names, "exists already")
