"""`ccs doctor`: what it finds on server and machine, and what it says to do."""

import contextlib
import os
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from uuid import uuid4

import pytest

from ccs.cli.client import provision
from ccs.cli.client.api import Api
from ccs.cli.client.records import Json, ProfileData, ProfileVariable
from ccs.cli.client.settings import Settings
from ccs.cli.diagnosis import credentials, machine
from ccs.cli.diagnosis.findings import Finding, Level
from ccs.cli.diagnosis.server import check
from tests.worlds.cli import Cli
from tests.worlds.runs import live_node


@pytest.fixture
def program(tmp_path: Path) -> str:
    program = tmp_path / "claude"
    program.write_text("#!/bin/sh\necho '2.1.7 (Claude Code)'\n")
    program.chmod(0o755)
    return str(program)


def checked(ccs: Cli, *arguments: str, **env: str) -> tuple[int, dict[str, Json]]:
    said = ccs("doctor", *arguments, **env)
    return said.code, {c["id"]: c for c in said.json["checks"]}


def profile(variables: dict[str, str], *secrets: str) -> ProfileData:
    """The data of a profile; env:NAME takes a variable of the node."""
    made: dict[str, ProfileVariable] = {
        name: {"source": "env", "value": value[4:]}
        if value.startswith("env:")
        else {"source": "static", "value": value}
        for name, value in variables.items()
    }
    return {"variables": made, "secrets": dict.fromkeys(secrets, "********")}


def found(data: ProfileData, is_node: bool = True, **node: str) -> list[Finding]:
    return list(credentials.check("p", data, node, is_node, logged_in=False))


def test_a_healthy_world_is_ok_in_every_point(ccs: Cli, program: str) -> None:
    pool = f"pool-{uuid4().hex[:8]}"
    ccs.ask("POST", "/work_pools/", {"name": pool, "type": "process"})
    live_node(ccs, pool=pool)
    code, checks = checked(ccs, "--pool", pool, CCS_CLAUDE=program)
    assert code == 0, checks
    names = ("server", "auth", "version", "clock", "profile-type", "pool", "node", "lost-runs", "claude", "git", "disk")
    assert {n: checks[n]["level"] for n in names} == dict.fromkeys(names, "OK")
    assert "2.1.7 (Claude Code)" in checks["claude"]["what"]


def test_it_warns_when_nothing_ends_the_runs_of_a_dead_node(ccs: Cli) -> None:
    name = provision.lost_runs()["name"]
    (watch,) = ccs.ask("POST", "/automations/filter", {"automations": {"name": {"any_": [name]}}}).json()
    ccs.ask("PATCH", f"/automations/{watch['id']}", {"enabled": False})
    assert "switched off" in checked(ccs)[1]["lost-runs"]["what"]
    ccs.ask("DELETE", f"/automations/{watch['id']}")
    missing = checked(ccs)[1]["lost-runs"]
    assert (missing["level"], missing["do"]) == ("WARN", "ccs up -d")
    assert checked(ccs.provisioned())[1]["lost-runs"]["level"] == "OK"


def test_what_is_missing_fails_with_what_to_do(ccs: Cli) -> None:
    code, checks = checked(ccs, "--pool", "no-such-pool")
    assert code == 1
    assert (checks["pool"]["level"], checks["pool"]["do"]) == ("FAIL", "ccs up -d")
    ccs.ask("POST", "/work_pools/", {"name": "empty", "type": "process", "is_paused": True})
    code, checks = checked(ccs, "--pool", "empty")
    assert (code, checks["pool"]["level"], checks["node"]["level"]) == (1, "FAIL", "FAIL")
    assert checks["pool"]["do"] == "prefect work-pool resume empty"


def test_without_a_server_the_machine_is_still_checked() -> None:
    code, checks = checked(Cli({}), PREFECT_API_URL="http://127.0.0.1:9/api")
    assert (code, checks["server"]["level"]) == (1, "FAIL")
    assert "Connection refused" in checks["server"]["what"]
    assert checks["git"]["level"] == "OK"


def test_a_refused_login_is_told_apart_from_no_server(tmp_path: Path) -> None:
    class Refusing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(401)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Refusing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        code, checks = checked(Cli({}), PREFECT_API_URL=f"http://127.0.0.1:{server.server_port}/api")
        server.shutdown()
    assert (code, checks["auth"]["level"]) == (1, "FAIL")
    assert "PREFECT_API_AUTH_STRING" in checks["auth"]["do"]


def test_a_line_says_level_finding_and_next_step(ccs: Cli) -> None:
    lines = ccs("doctor", "--pool", "none-such", "--output", "table").out.splitlines()
    assert "FAIL  there is no work pool 'none-such'; next: ccs up -d" in lines


@pytest.mark.skipif(os.geteuid() != 0, reason="claude refuses root only")
def test_root_is_warned_of_tasks_that_claude_would_refuse(ccs: Cli) -> None:
    name = f"job-{uuid4().hex[:8]}"
    ccs.ok("jobs", "create", "--name", name)
    ccs.ok("tasks", "create", "--job", name, "--name", "t", "--prompt", "x")
    assert "you are root" in checked(ccs)[1]["root"]["what"]


@pytest.mark.skipif(os.geteuid() != 0, reason="from another user, a node hides its login")
def test_root_is_warned_that_claude_can_read_what_the_node_holds(ccs: Cli) -> None:
    settings = Settings(ccs.env)
    with contextlib.closing(Api(settings)) as api:
        found = {f.id: f for f in check(api, settings, "ccs", is_node=True, logged_in=False)}
        elsewhere = [f.id for f in check(api, settings, "ccs", is_node=False, logged_in=False)]
    assert found["node-user"].level is Level.WARN
    assert "run the node as a user of its own" in found["node-user"].do
    assert "node-user" not in elsewhere


def test_claude_is_found_where_a_node_would_find_it(program: str, tmp_path: Path) -> None:
    place = tmp_path / ".bun" / "bin"
    place.mkdir(parents=True)
    Path(program).rename(place / "claude")
    settings = Settings({"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "CCS_HOME": str(tmp_path)})
    assert machine.claude(settings) == str(place / "claude")


def test_a_claude_that_does_not_run_is_no_claude(tmp_path: Path) -> None:
    broken = tmp_path / "claude"
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o755)
    for path in (str(broken), str(tmp_path), "/nowhere/claude"):
        settings = Settings({"CCS_CLAUDE": path, "CCS_HOME": str(tmp_path)})
        checks = {f.id: f for f in machine.check(settings, is_node=True)}
        assert checks["claude"].level is Level.FAIL, path
    assert {f.id: f for f in machine.check(settings, is_node=False)}["claude"].level is Level.WARN


def test_a_different_server_of_plain_prefect_is_a_warning(tmp_path: Path) -> None:
    env = {"CCS_API_URL": "http://a/api", "PREFECT_API_URL": "http://b/api", "CCS_HOME": str(tmp_path), "PATH": ""}
    (warning,) = (f for f in machine.check(Settings(env), is_node=False) if f.id == "prefect")
    assert (warning.level, warning.do) == (Level.WARN, "prefect config set PREFECT_API_URL=http://a/api")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (profile({"CLAUDE_CODE_OAUTH_TOKEN": "env:T"}, "ANTHROPIC_API_KEY"), "CLAUDE_CODE_OAUTH_TOKEN is not used"),
        (profile({}, "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"), "both sent"),
        (
            profile({"CLAUDE_CODE_USE_BEDROCK": "1", "ANTHROPIC_BASE_URL": "https://x"}),
            "ANTHROPIC_BASE_URL is not used",
        ),
        (profile({"CLAUDE_CODE_USE_BEDROCK": "1"}, "ANTHROPIC_API_KEY"), "ANTHROPIC_API_KEY is not used"),
        (profile({"CLAUDE_CODE_USE_BEDROCK": "1", "CLAUDE_CODE_USE_VERTEX": "1"}), "are both on"),
        (profile({"ANTHROPIC_BASE_URL": "https://x"}), "without a key"),
        (profile({"ANTHROPIC_MODEL": ""}), "ANTHROPIC_MODEL is empty"),
    ],
)
def test_variables_that_conflict_are_named(data: ProfileData, says: str) -> None:
    problems = [f for f in found(data, T="a-token") if f.level in (Level.WARN, Level.FAIL)]
    assert len(problems) == 1
    assert says in problems[0].what
    assert problems[0].do.startswith("ccs profiles update p ")


@pytest.mark.parametrize(
    "data",
    [
        profile({"CLAUDE_CODE_USE_BEDROCK": "0", "ANTHROPIC_BASE_URL": "https://x"}, "ANTHROPIC_AUTH_TOKEN"),
        profile({"ANTHROPIC_API_KEY": "env:T"}),
        profile({"CLAUDE_CODE_USE_VERTEX": "1"}),
        profile({}),
    ],
)
def test_a_profile_that_fits_together_is_ok(data: ProfileData) -> None:
    assert [f.level for f in found(data, T="a-token")] == [Level.OK]


def test_a_key_beside_a_login_is_warned_about_where_the_login_is() -> None:
    data = profile({}, "ANTHROPIC_API_KEY")

    def levels(is_node: bool, logged_in: bool) -> list[Level]:
        return [f.level for f in credentials.check("p", data, {}, is_node, logged_in)]

    assert levels(is_node=True, logged_in=True) == [Level.WARN]
    assert levels(is_node=True, logged_in=False) == levels(is_node=False, logged_in=True) == [Level.OK]


def test_a_variable_without_a_value_here_fails_a_node_and_warns_others() -> None:
    data = profile({"ANTHROPIC_API_KEY": "env:NOPE"})
    for is_node, level in ((True, Level.FAIL), (False, Level.WARN)):
        (problem,) = found(data, is_node)
        assert problem.level is level
        assert "ANTHROPIC_API_KEY comes from NOPE, which is not set here" in problem.what


def test_a_profile_that_no_job_uses_fails_nothing(ccs: Cli) -> None:
    used, unused = f"p-{uuid4().hex[:8]}", f"q-{uuid4().hex[:8]}"
    for each in (used, unused):
        ccs.ok("profiles", "create", each, "--env", "A_KEY=env:NOPE")
    ccs.ok("jobs", "create", "--name", used)
    ccs.ok("tasks", "create", "--job", used, "--name", "t", "--prompt", "x", "--profile", used)
    settings = Settings(ccs.env)
    with contextlib.closing(Api(settings)) as api:
        found = {f.id: f for f in check(api, settings, "ccs", is_node=True, logged_in=False)}
    assert found[f"profile {used}"].level is Level.FAIL
    assert found[f"profile {unused}"].level is Level.WARN
    assert found[f"profile {unused}"].what.endswith("not set here (no job uses the profile)")


def test_a_readable_secret_is_named_with_the_command_that_mends_it(ccs: Cli) -> None:
    readable = {"DB_PASSWORD": "hunter2-hunter2", "SIM_PIN": "0042", "MAX_THINKING_TOKENS": "10000"}
    (problem,) = (f for f in found(profile(readable)) if f.level is Level.WARN)
    assert (problem.what.partition(" looks")[0], problem.do) == ("profile 'p': DB_PASSWORD", "ccs profiles update p")
    assert "hunter2" not in problem.what


def test_no_value_is_ever_printed(ccs: Cli) -> None:
    name = f"profile-{uuid4().hex[:8]}"
    ccs.ok("profiles", "create", name, "--secret", "A_KEY", "--env", "B_TOKEN=env:SOME", stdin="sk-secret-a\n")
    said = ccs("doctor", SOME="sk-secret-b")
    assert name in said.out
    assert "sk-secret" not in said.out + said.err
