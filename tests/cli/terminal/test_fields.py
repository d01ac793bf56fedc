"""The options that set fields of a job or task: each reaches the spec, can be taken back, and is refused in words."""

import json
from pathlib import Path
from typing import Any

import pytest

from ccs.cli.client import assignment
from ccs.cli.commands import job_options, task_options
from ccs.cli.terminal import fields
from ccs.cli.terminal.fields import Field
from ccs.flows.spec.job import Job
from ccs.flows.spec.task import Task
from tests.worlds.cli import Cli

SCHEMA: Any = {"type": "object", "properties": {"found": {"type": "integer"}}}


@pytest.fixture
def job(ccs: Cli) -> str:
    """The name of a job with the task `first`."""
    return ccs.job("-C", "/srv", task="first", prompt="p")


JOB_OPTIONS: dict[str, Any] = {
    "--description words": {"description": "words"},
    "--tag a --tag b": {"tags": ["a", "b"]},
    "-C /srv/app": {"working_directory": {"path": "/srv/app"}},
    "--use-worktree --worktree-name w --worktree-branch dev": {
        "working_directory": {"worktree": {"enabled": True, "name": "w", "base_branch": "dev"}}
    },
    "--allow-dirty": {"working_directory": {"allow_dirty": True}},
    "--run-changed-hooks": {"working_directory": {"run_changed_hooks": True}},
    "--no-require-git": {"working_directory": {"require_git": False}},
    "--trust-project": {"working_directory": {"trust_project": True}},
    "--commit-author A\u00a0B\u00a0<a@b.c>": {"commit_author": "A B <a@b.c>"},
    "--transcripts s3://bucket/prefix": {"transcripts": "s3://bucket/prefix"},
    "--only-if test\u00a0-f\u00a0x": {"only_if": "test -f x"},
    "--on-failure continue": {"on_failure": "continue"},
    "--max-parallel 3": {"max_parallel": 3},
    "--timeout 90m": {"timeout": 5400},
    "--budget 2.5 --budget-per-day 10 --budget-per-month 100": {
        "budget_usd": 2.5,
        "budget_usd_per_day": 10,
        "budget_usd_per_month": 100,
    },
}
TASK_OPTIONS: dict[str, Any] = {
    "--prompt words": {"prompt": "words"},
    "--prompt-file p.md": {"prompt_file": "p.md"},
    "--command /review\u00a0src": {"command": "/review src"},
    "--model opus": {"model": "opus"},
    "--disabled": {"enabled": False},
    "--session-mode fork": {"session_mode": "fork"},
    "--append-system-prompt Brief.": {"append_system_prompt": "Brief."},
    f"--output-schema {json.dumps(SCHEMA).replace(' ', '')}": {"output_schema": SCHEMA},
    "--permissions dontAsk": {"permissions": "dontAsk"},
    "--allowed-tools Bash(git\u00a0add,commit\u00a0*),Edit --allowed-tools Read": {
        "allowed_tools": ["Bash(git add,commit *)", "Edit", "Read"]
    },
    "--disallowed-tools Write": {"disallowed_tools": ["Write"]},
    "--on-denied warn": {"on_denied": "warn"},
    "--mcp-config {}": {"mcp_config": "{}"},
    "--depends-on first": {"depends_on": ["first"]},
    "--only-if true": {"only_if": "true"},
    "--retry 3 --retry-delay 30s": {"retry": {"max_attempts": 3, "delay_seconds": 30}},
    "--on-limit fail": {"on_limit": "fail"},
    "--max-limit-wait 2h": {"max_limit_wait": 7200},
    "--gate make\u00a0test --gate true": {
        "gates": [{"command": "make test", "timeout": 600}, {"command": "true", "timeout": 600}]
    },
    "--fix-attempts 2": {"fix_attempts": 2},
    "--expect-changes": {"expect_changes": True},
    "--expect-file a/*.md --expect-file b": {"expect_files": ["a/*.md", "b"]},
    "--no-commit-on-success": {"commit_on_success": False},
    "--max-turns 5": {"max_turns": 5},
    "--budget 1.5": {"budget_usd": 1.5},
    "--attempt-budget 0.5": {"attempt_budget_usd": 0.5},
    "--timeout 90m": {"timeout": 5400},
    "--first-output-timeout 1m": {"first_output_timeout": 60},
    "--idle-timeout 10m": {"idle_timeout": 600},
}
SOURCES = ("--prompt", "--prompt-file", "--command")
OTHERS = {line.split(" ")[0] for line in TASK_OPTIONS} - {*SOURCES}


def words(line: str) -> list[str]:
    return [word.replace("\u00a0", " ") for word in line.split(" ")]


def holds(whole: Any, part: Any) -> bool:
    """Whether all of `part` is in `whole`."""
    if isinstance(part, dict):
        return all(holds(whole.get(key), value) for key, value in part.items())
    return bool(whole == part)


def stored(ccs: Cli, job: str) -> Any:
    (found,) = [d for d in ccs.ask("POST", "/deployments/filter", {}).json() if d["name"] == job]
    return found["parameters"]["job"]


def test_every_option_of_a_job_reaches_the_spec_at_its_creation_and_later(ccs: Cli, job: str) -> None:
    options = [word for line in JOB_OPTIONS for word in words(line)]
    ccs.ok("jobs", "create", "--name", f"{job}-2", *options)
    ccs.ok("jobs", "update", job, *options)
    for spec in (stored(ccs, job), stored(ccs, f"{job}-2")):
        assert [line for line, part in JOB_OPTIONS.items() if not holds(spec, part)] == []
    assert stored(ccs, job)["tasks"][0]["name"] == "first"


@pytest.mark.parametrize("source", SOURCES)
def test_every_option_of_a_task_reaches_the_spec_at_its_creation_and_later(ccs: Cli, job: str, source: str) -> None:
    lines = [line for line in TASK_OPTIONS if line.split(" ")[0] in (source, *OTHERS)]
    options = [word for line in lines for word in words(line)]
    ccs.ok("tasks", "create", "--job", job, "--name", "new", *options)
    ccs.ok("tasks", "create", "--job", job, "--name", "old", "--prompt", "p")
    ccs.ok("tasks", "update", f"{job}/old", *options)
    for task in stored(ccs, job)["tasks"][1:]:
        assert [line for line in lines if not holds(task, TASK_OPTIONS[line])] == []


def test_every_field_has_an_option_and_every_option_a_field() -> None:
    own = {"name", "tasks", "id"}  # set otherwise
    for model, options in ((Job, job_options.FIELDS), (Task, task_options.FIELDS)):
        assert {option.path.split(".")[0] for option in options} == set(model.model_fields) - own
    tried = {word for line in (*JOB_OPTIONS, *TASK_OPTIONS) for word in line.split() if word.startswith("--")}
    every = {flag for o in (*job_options.FIELDS, *task_options.FIELDS) for flag in o.flags.replace(",", "/").split("/")}
    opposite = {
        "--no-worktree",
        "--no-allow-dirty",
        "--no-run-changed-hooks",
        "--require-git",
        "--no-trust-project",
        "--enabled",
    }
    opposite |= {"--no-expect-changes", "--commit-on-success"}
    elsewhere = {"--profile", "--zai", "--bedrock", "--working-directory", "-C"}
    assert every - tried == opposite | elsewhere


@pytest.mark.parametrize(
    "line", ["tag", "use-worktree", "worktree-branch", "only-if", "budget-per-day", "budget_usd", "--timeout", "tags"]
)
def test_unset_takes_a_field_of_a_job_back_to_its_default(ccs: Cli, job: str, line: str) -> None:
    before = stored(ccs, job)
    options = ("--tag", "a", "--use-worktree", "--worktree-branch", "dev", "--only-if", "true", "--timeout", "9m")
    ccs.ok("jobs", "update", job, *options, "--budget", "1", "--budget-per-day", "2")
    changed = stored(ccs, job)
    ccs.ok("jobs", "update", job, "--unset", line)
    after = stored(ccs, job)
    path = {f.name: f.path for f in job_options.FIELDS}.get(line.lstrip("-"), line)

    def at(spec: Any) -> Any:
        for level in path.split("."):
            spec = spec.get(level)
        return spec

    assert at(after) == at(before) != at(changed)


def test_unset_takes_fields_of_a_task_back_to_their_defaults(ccs: Cli, job: str) -> None:
    before = stored(ccs, job)["tasks"][0]
    options = ("--gate", "true", "--retry", "3", "--retry-delay", "5m", "--output-schema", json.dumps(SCHEMA))
    ccs.ok("tasks", "update", f"{job}/first", *options, "--max-turns", "3")
    names = ("gate", "retry", "--retry-delay", "output_schema", "max-turns")
    ccs.ok("tasks", "update", f"{job}/first", *(word for name in names for word in ("--unset", name)))
    assert stored(ccs, job)["tasks"][0] == before


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ("--retry 0", "retry, max_attempts: must be greater than or equal to 1"),
        ("--session-mode never", "session_mode: must be 'new', 'reuse' or 'fork'"),
        ("--on-limit later", "on_limit: must be 'wait' or 'fail'"),
        ("--depends-on gone", "depends on 'gone', which is no task of the job"),
        ("--depends-on first", "the tasks wait for each other"),
        ("--budget 0", "budget_usd: must be greater than 0"),
        ("--budget nan", "budget_usd"),
        ("--budget inf", "--unset budget"),
        ("--max-limit-wait 0", "max_limit_wait: must be greater than 0"),
        ("--retry-delay soon", "'soon' is not a duration"),
        ("--output-schema {", "--output-schema is not JSON"),
        ("--output-schema /gone/away", "cannot be read"),
        ("--output-schema {}", "must be a JSON schema"),
        ("--gate \u00a0", "must not be empty"),
        ("--unset prompt", "give exactly one of prompt, prompt_file and command"),
        ("--unset gats", "did you mean gate"),
        ("--unset name", "name: field required"),
        ("--max-turns many", "not a valid int"),
    ],
)
def test_a_value_that_the_spec_refuses_is_one_sentence_and_changes_nothing(
    ccs: Cli, job: str, options: str, says: str
) -> None:
    before = stored(ccs, job)
    said = ccs("tasks", "update", f"{job}/first", *words(options))
    assert (said.code, said.out) == (1, ""), said
    assert says in said.err
    assert stored(ccs, job) == before


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ("--max-parallel 0", "max_parallel"),
        ("--commit-author somebody", "commit_author"),
        ("--transcripts relative", "transcripts"),
        ("--worktree-name a/b", "worktree, name"),
        ("--on-failure never", "on_failure: must be 'stop' or 'continue'"),
        ("--zai --bedrock", "--zai and --bedrock say the same thing twice"),
        ("--name other", "a job keeps its name"),
        ("--unset path", "there is no field 'path'"),
        ("--unset working-directory", "path: field required"),
    ],
)
def test_a_value_that_a_job_cannot_have_is_one_sentence_and_changes_nothing(
    ccs: Cli, job: str, options: str, says: str
) -> None:
    before = stored(ccs, job)
    said = ccs("jobs", "update", job, *words(options))
    assert (said.code, said.out) == (1, ""), said
    assert says in said.err
    assert stored(ccs, job) == before


def test_a_schema_comes_from_a_file_too(ccs: Cli, job: str, tmp_path: Path) -> None:
    (tmp_path / "schema.json").write_text(json.dumps(SCHEMA))
    made = ccs.ok("tasks", "update", f"{job}/first", "--output-schema", str(tmp_path / "schema.json")).json
    assert made["output_schema"] == SCHEMA
    shown = ccs.ok("tasks", "get", f"{job}/first", "--output", "table").out
    assert json.dumps(SCHEMA) in shown


def test_a_worktree_that_is_named_and_not_used_is_told(ccs: Cli, job: str) -> None:
    assert "--use-worktree" in ccs.ok("jobs", "update", job, "--worktree-name", "w").err
    assert "--use-worktree" not in ccs.ok("jobs", "update", job, "--use-worktree").err


def test_a_job_that_an_older_ccs_made_gets_the_fields_of_today(ccs: Cli, job: str) -> None:
    spec = stored(ccs, job)
    found = ccs.ok("jobs", "get", job).json
    schema = ccs.ask("GET", f"/deployments/{found['id']}").json()["parameter_openapi_schema"]
    del schema["definitions"]["Task"]["properties"]["gates"]
    spec["tasks"][0].pop("gates")
    older = {"parameters": {"job": spec}, "parameter_openapi_schema": schema}
    assert ccs.ask("PATCH", f"/deployments/{found['id']}", older).is_success
    ccs.ok("tasks", "update", f"{job}/first", "--gate", "true")
    run = ccs.ok("jobs", "run", job).json
    assert ccs.ask("GET", f"/flow_runs/{run['id']}").json()["parameters"]["job"]["tasks"][0]["gates"]


def test_a_switch_with_one_side_is_not_given_when_it_is_left_out() -> None:
    options = (Field("a.b", "--b", "", kind=bool, read=lambda _: 1), Field("c", "--c/--no-c", "", kind=bool))
    assert fields.read(options, {"b": False, "c": False}) == {"c": False}
    assert assignment.put({"a": {"x": 2}}, {"a.b": 1, "c": False}) == {"a": {"x": 2, "b": 1}, "c": False}
