"""Profiles on a real server: secrets go in, and never come out."""

from pathlib import Path
from uuid import uuid4

import pytest

from tests.worlds.cli import Cli


@pytest.fixture
def name() -> str:
    return f"profile-{uuid4().hex[:8]}"


def clear(ccs: Cli, identity: str) -> dict[str, str]:
    found = ccs.ask("GET", f"/block_documents/{identity}?include_secrets=true").json()
    return dict(found["data"]["secrets"])


def test_a_profile_says_where_its_variables_come_from(ccs: Cli, name: str) -> None:
    made = ccs.ok("profiles", "create", name, "--env", "A=b=c", "--env", "KEY=env:OTHER", "--unset", "GONE").json
    assert made["variables"] == {
        "A": {"source": "static", "value": "b=c"},
        "KEY": {"source": "env", "value": "OTHER"},
        "GONE": {"source": "unset", "value": ""},
    }
    table = ccs.ok("profiles", "get", name, "--output", "table").out
    assert "the node's OTHER" in table
    assert "(removed)" in table


@pytest.mark.parametrize("usd", ["nan", "inf"])
def test_a_budget_without_an_end_is_refused(ccs: Cli, name: str, usd: str) -> None:
    said = ccs("profiles", "create", name, "--budget-per-day", usd)
    assert (said.code, "must be a finite number" in said.err) == (1, True), said


def test_secrets_come_from_stdin_the_environment_or_a_file_and_are_never_shown(
    ccs: Cli, name: str, tmp_path: Path
) -> None:
    (tmp_path / "key").write_text("from-a-file\n")
    options = ["--secret", "TYPED", "--secret", "SECOND", "--secret", "TAKEN=env:HERE"]
    options += ["--secret", f"READ=file:{tmp_path / 'key'}"]
    said = ccs.ok("profiles", "create", name, *options, stdin="typed-in\nsecond-line\n", HERE="from-here")
    assert said.json["secrets"] == ["READ", "SECOND", "TAKEN", "TYPED"]
    assert clear(ccs, said.json["id"]) == {
        "TYPED": "typed-in",
        "SECOND": "second-line",
        "TAKEN": "from-here",
        "READ": "from-a-file",
    }
    everything = said.out + said.err
    for form in ("table", "json", "yaml"):
        everything += ccs.ok("profiles", "get", name, "--output", form).out
        everything += ccs.ok("profiles", "list", "--output", form, "-vvv").out
    assert not any(value in everything for value in ("typed-in", "second-line", "from-here", "from-a-file"))


def test_an_update_keeps_every_secret_that_it_does_not_name(ccs: Cli, name: str) -> None:
    made = ccs.ok("profiles", "create", name, "--secret", "A", "--secret", "B", stdin="secret-a\nsecret-b\n").json
    ccs.ok("profiles", "update", name, "--env", "X=y", "--secret", "C", stdin="secret-c\n")
    assert clear(ccs, made["id"]) == {"A": "secret-a", "B": "secret-b", "C": "secret-c"}
    changed = ccs.ok("profiles", "update", name, "--remove", "A", "--secret", "B", stdin="better-b\n").json
    assert changed["secrets"] == ["B", "C"]
    assert clear(ccs, made["id"]) == {"B": "better-b", "C": "secret-c"}
    last = ccs.ok("profiles", "update", name, "--remove", "B", "--remove", "C", "--description", "bare").json
    assert (last["secrets"], last["variables"], last["description"]) == (
        [],
        {"X": {"source": "static", "value": "y"}},
        "bare",
    )


def test_a_variable_is_either_a_secret_or_not(ccs: Cli, name: str) -> None:
    made = ccs.ok("profiles", "create", name, "--env", "TOKEN=readable").json
    changed = ccs.ok("profiles", "update", name, "--secret", "TOKEN", stdin="hidden-now\n").json
    assert (changed["variables"], changed["secrets"]) == ({}, ["TOKEN"])
    assert clear(ccs, made["id"]) == {"TOKEN": "hidden-now"}


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--secret", "KEY=sk-plain-value"], "would show in ps"),
        (["--secret", "KEY"], "no line on stdin"),
        (["--secret", "KEY=env:NOT_SET_ANYWHERE"], "is not set here"),
        (["--secret", "KEY=file:/does/not/exist"], "cannot be read"),
        (["--env", "KEY"], "has no value"),
        (["--env", "1KEY=x"], "is not the name of an environment variable"),
        (["--env", "KEY=env:a-b"], "is not the name of an environment variable"),
        (["--env", "KEY=x", "--secret", "KEY=env:HOME"], "given twice"),
    ],
)
def test_bad_variables_are_refused_without_showing_a_value(ccs: Cli, name: str, options: list[str], says: str) -> None:
    said = ccs("profiles", "create", name, *options)
    assert said.code == 1
    assert says in said.err
    assert "sk-plain-value" not in said.err
    assert ccs("profiles", "get", name).code == 1


@pytest.mark.parametrize("value", ["tiny1", "********"])
def test_a_secret_that_could_not_be_kept_is_refused(ccs: Cli, name: str, value: str) -> None:
    said = ccs("profiles", "create", name, "--secret", "KEY", stdin=value + "\n")
    assert (said.code, value in said.err) == (1, False)


def test_a_readable_value_that_looks_like_a_secret_is_warned_about(ccs: Cli, name: str) -> None:
    assert "--secret API_KEY" in ccs.ok("profiles", "create", name, "--env", "API_KEY=abc").err


OPEN = ("DB_PASSWORD=hunter2-hunter2", "DATABASE_URL=postgres://u:pw-pw-pw@h/db", "SIM_PIN=0042", "COLOUR=vermilion")
VALUES = ("hunter2", "pw-pw-pw", "0042")


def older(ccs: Cli, name: str) -> str:
    """A profile as an older ccs kept it, secrets among its variables; its id."""
    made = ccs.ok("profiles", "create", name, "--secret", "KEPT", stdin="sk-kept-secret\n").json
    found = ccs.ask("GET", f"/block_documents/{made['id']}").json()
    pairs = (option.partition("=") for option in OPEN)
    data = {**found["data"], "variables": {k: {"source": "static", "value": v} for k, _, v in pairs}}
    body = {"data": data, "merge_existing_data": False, "block_schema_id": found["block_schema_id"]}
    assert ccs.ask("PATCH", f"/block_documents/{made['id']}", body).status_code == 204
    return str(made["id"])


def test_a_value_that_looks_like_a_secret_is_stored_as_one(ccs: Cli, name: str) -> None:
    ccs.ok("profiles", "create", name, "--env", "A=b")
    said = ccs.ok("profiles", "update", name, *(word for option in OPEN for word in ("--env", option)))
    assert "DB_PASSWORD looks like a secret and is stored as one\n" in said.err
    assert said.json["secrets"] == ["DATABASE_URL", "DB_PASSWORD"]
    assert said.json["variables"]["SIM_PIN"] == {"source": "static", "value": "********"}  # too short for a secret
    assert said.json["variables"]["COLOUR"] == {"source": "static", "value": "vermilion"}
    assert clear(ccs, said.json["id"]) == {
        "DB_PASSWORD": "hunter2-hunter2",
        "DATABASE_URL": "postgres://u:pw-pw-pw@h/db",
    }
    theirs = ccs.ask("GET", f"/block_documents/{said.json['id']}").text  # what Prefect's own pages and commands show
    assert not any(value in theirs for value in VALUES[:2])


def test_a_template_keeps_a_login_in_an_answer_as_a_secret(ccs: Cli, name: str) -> None:
    options = ["--template", "zai", "--env", "ANTHROPIC_BASE_URL=https://me:pw-pw-pw@llm.example.com"]
    said = ccs.ok("profiles", "create", name, *options, stdin="sk-of-zai\n")
    assert said.json["secrets"] == ["ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_BASE_URL"]


def test_masked_output_is_not_taken_for_a_value(ccs: Cli, name: str) -> None:
    said = ccs("profiles", "create", name, "--env", "DB_PASSWORD=********")
    assert (said.code, "row of asterisks" in said.err) == (1, True)


@pytest.mark.parametrize("form", ["table", "json", "yaml", "ndjson"])
def test_what_an_older_profile_keeps_readable_is_shown_nowhere(ccs: Cli, name: str, form: str) -> None:
    older(ccs, name)
    reads = (
        "profiles list",
        f"profiles get {name}",
        "state",
        "debug profiles",
        f"debug env {name}",
        "debug all",
        "doctor",
    )
    changes = (f"profiles update {name} --env X=y", f"profiles update {name} --name {name}-2")
    for line in (*reads, *(f"{change} --dry-run" for change in changes), changes[0]):
        said = ccs(*line.split(), "--output", form, "-vvv")
        assert not [value for value in VALUES if value in said.out + said.err], line


@pytest.mark.parametrize("change", [(), ("--description", "mine"), ("--name", "renamed")])
def test_an_update_stores_what_an_older_profile_keeps_readable(ccs: Cli, name: str, change: tuple[str, ...]) -> None:
    older(ccs, name)
    after = f"{name}-renamed"
    said = ccs.ok("profiles", "update", name, *(after if word == "renamed" else word for word in change))
    assert said.err.count("looks like a secret and is stored as one") == 2
    kept = clear(ccs, said.json["id"])
    assert kept == {
        "KEPT": "sk-kept-secret",
        "DB_PASSWORD": "hunter2-hunter2",
        "DATABASE_URL": "postgres://u:pw-pw-pw@h/db",
    }
    assert "nothing to change" in ccs("profiles", "update", said.json["name"]).err


def test_a_second_profile_of_a_name_is_refused(ccs: Cli, name: str) -> None:
    ccs.ok("profiles", "create", name, "--env", "A=b")
    assert "already" in ccs("profiles", "create", name, "--env", "A=c").err
    assert ccs("profiles", "create", "Not A Name").code == 1


def test_a_profile_in_use_is_deleted_only_after_its_jobs_were_named(ccs: Cli, name: str) -> None:
    ccs.ok("profiles", "create", name, "--env", "A=b")
    ccs.ok("jobs", "create", "--name", f"user-of-{name}", "--profile", name)
    assert f"user-of-{name}" in ccs("profiles", "delete", name).err
    assert f"user-of-{name}" in ccs.ok("profiles", "delete", name, "--force").err
    assert ccs("profiles", "get", name).code == 1
