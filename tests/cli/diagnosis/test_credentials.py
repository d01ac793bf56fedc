"""What is wrong with the credentials of a profile, told without a value."""

from typing import Any

import pytest

from ccs.cli.client.records import ProfileData, ProfileVariable
from ccs.cli.diagnosis import credentials
from ccs.cli.diagnosis.findings import Finding, Level

SECRET = "sk-ant-made-up-0123456789"


def static(value: str) -> ProfileVariable:
    return {"source": "static", "value": value}


def profile(*secrets: str, **variables: ProfileVariable) -> ProfileData:
    return {"variables": variables, "secrets": dict.fromkeys(secrets, "********")}


def found(data: ProfileData, is_node: bool = True, logged_in: bool = False, **more: Any) -> list[Finding]:
    node = {"HERE": "set", "EMPTY": ""}
    return list(credentials.check("work", data, node, is_node, logged_in, **more))


def test_secrets_are_variables_without_a_value() -> None:
    data = profile("KEY", A=static("a"))
    assert credentials.variables(data) == {"A": static("a"), "KEY": {"source": "secret", "value": ""}}
    assert credentials.variables({}) == {}


def test_what_a_node_does_not_have_is_unresolved() -> None:
    data = profile(A={"source": "env", "value": "HERE"}, B={"source": "env", "value": "EMPTY"}, C=static(""))
    assert credentials.unresolved(data, {"HERE": "set", "EMPTY": ""}) == {"B": "EMPTY"}


@pytest.mark.parametrize(("is_node", "level"), [(True, Level.FAIL), (False, Level.WARN)])
def test_a_missing_variable_fails_where_runs_take_place(is_node: bool, level: Level) -> None:
    (finding,) = found(profile(ANTHROPIC_API_KEY={"source": "env", "value": "GONE"}), is_node)
    assert (finding.level, finding.id) == (level, "profile work")
    assert finding.what == "profile 'work': ANTHROPIC_API_KEY comes from GONE, which is not set here"


def test_nothing_fails_a_profile_that_no_job_uses() -> None:
    (finding,) = found(profile(ANTHROPIC_API_KEY={"source": "env", "value": "GONE"}), is_used=False)
    assert finding.level is Level.WARN
    assert finding.what.endswith("(no job uses the profile)")


@pytest.mark.parametrize(
    ("data", "level", "said"),
    [
        (profile("ANTHROPIC_API_KEY"), Level.OK, "claude logs in with ANTHROPIC_API_KEY"),
        (profile(CLAUDE_CODE_USE_BEDROCK=static("1")), Level.OK, "claude logs in with CLAUDE_CODE_USE_BEDROCK"),
        (profile(CLAUDE_CODE_USE_BEDROCK=static("0")), Level.OK, "it names no login"),
        (profile(), Level.OK, "it names no login, so that of claude on the node is used"),
        (profile(ANTHROPIC_API_KEY=static("")), Level.WARN, "is empty, so it is not set"),
        (profile("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"), Level.WARN, "are both sent"),
        (profile("ANTHROPIC_API_KEY", "CLAUDE_CODE_OAUTH_TOKEN"), Level.WARN, "CLAUDE_CODE_OAUTH_TOKEN is not used"),
        (
            profile(CLAUDE_CODE_USE_BEDROCK=static("1"), CLAUDE_CODE_USE_VERTEX=static("true")),
            Level.FAIL,
            "CLAUDE_CODE_USE_BEDROCK and CLAUDE_CODE_USE_VERTEX are both on",
        ),
        (
            profile(CLAUDE_CODE_USE_BEDROCK=static("1"), ANTHROPIC_BASE_URL=static("http://x")),
            Level.WARN,
            "ANTHROPIC_BASE_URL is not used",
        ),
        (profile("ANTHROPIC_API_KEY", CLAUDE_CODE_USE_VERTEX=static("1")), Level.WARN, "ANTHROPIC_API_KEY is not used"),
        (profile(ANTHROPIC_BASE_URL=static("http://x")), Level.WARN, "ANTHROPIC_BASE_URL is set without a key"),
        (profile(ANTHROPIC_API_KEY={"source": "unset", "value": ""}), Level.OK, "it names no login"),
    ],
)
def test_traps_are_named(data: ProfileData, level: Level, said: str) -> None:
    findings = found(data)
    assert any(f.level is level and said in f.what for f in findings), findings
    assert all(f.do for f in findings if f.level in (Level.FAIL, Level.WARN))


def test_a_key_goes_before_a_login_and_that_costs_money() -> None:
    (finding,) = found(profile("ANTHROPIC_API_KEY"), logged_in=True)
    assert finding.level is Level.WARN
    assert "instead of the login of this machine" in finding.what
    assert found(profile("ANTHROPIC_API_KEY"), is_node=False, logged_in=True)[0].level is Level.OK


def test_no_value_is_told() -> None:
    data = profile("ANTHROPIC_API_KEY", ANTHROPIC_AUTH_TOKEN=static(SECRET), ANTHROPIC_BASE_URL=static(SECRET))
    for is_node in (False, True):
        for logged_in in (False, True):
            assert SECRET not in repr(found(data, is_node, logged_in))


@pytest.mark.parametrize(
    ("node", "logged_in", "level", "do"),
    [
        ({}, True, Level.OK, ""),
        ({}, False, Level.INFO, "ccs profiles create NAME --secret ANTHROPIC_API_KEY"),
        ({"ANTHROPIC_API_KEY": SECRET}, False, Level.INFO, "--env ANTHROPIC_API_KEY=env:ANTHROPIC_API_KEY"),
    ],
    ids=["logged in", "not logged in", "a key in the shell"],
)
def test_jobs_without_a_profile(node: dict[str, str], logged_in: bool, level: Level, do: str) -> None:
    finding = credentials.without_profile(node, logged_in)
    assert finding.level is level
    assert do in finding.do
    assert SECRET not in repr(finding)
