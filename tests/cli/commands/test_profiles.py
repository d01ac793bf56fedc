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
