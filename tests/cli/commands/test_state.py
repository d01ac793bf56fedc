"""`ccs state`, `scheduler`, `stats`, `debug`, and every form of output on every read."""

import json
from datetime import datetime
from pathlib import Path
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
import yaml

from tests.worlds.cli import Cli
from tests.worlds.runs import ended, live_node, state


@pytest.fixture(scope="module")
def cli(server_url: str, tmp_path_factory: pytest.TempPathFactory) -> Cli:
    home = tmp_path_factory.mktemp("ccs-home")
    made = Cli({"PREFECT_API_URL": server_url, "CCS_HOME": str(home)}).provisioned()
    assert made.ask("POST", "/work_pools/", {"name": "overview", "type": "process"}).status_code == 201
    live_node(made, pool="overview")
    return made


HOUR = (datetime.now(ZoneInfo("Europe/Amsterdam")).hour + 12) % 24
"""Of a job that is not due while the tests run."""


@pytest.fixture(scope="module")
def job(cli: Cli) -> str:
    return cli.job("--cron", f"0 {HOUR} * * *", "--timezone", "Europe/Amsterdam")


@pytest.fixture(scope="module")
def run(cli: Cli, job: str) -> str:
    identity = str(cli.ok("jobs", "run", job).json["id"])
    state(cli, identity, "RUNNING")
    ended(cli, identity, "COMPLETED")
    folder = Path(cli.env["CCS_HOME"]) / "runs" / identity
    folder.mkdir(parents=True)
    (folder / "one-5e55.jsonl").write_text('{"type":"system"}\n{"type":"result"}\n')
    return identity


@pytest.fixture(scope="module")
def own_profile(cli: Cli) -> str:
    name = f"profile-{uuid4().hex[:8]}"
    variables = ("A=plain-value", "B=env:SET_HERE", "C=env:NOT_HERE", "D_TOKEN=env:SECRET_HERE", "G=env:PASSWORD_HERE")
    options = [word for v in variables for word in ("--env", v)]
    cli.ok("profiles", "create", name, *options, "--secret", "E", "--unset", "F", stdin="sk-secret-e\n")
    return name


def test_the_state_is_everything_in_one_answer(cli: Cli, job: str, run: str, own_profile: str) -> None:
    found = cli.ok("state").json
    assert list(found) == ["jobs", "tasks", "profiles", "runs", "nodes"]
    assert job in [j["name"] for j in found["jobs"]]
    assert job in [t["job"] for t in found["tasks"]]
    assert own_profile in [p["name"] for p in found["profiles"]]
    assert {r["id"]: r["cost_usd"] for r in found["runs"]}[run] == 0.25
    assert "n1" in [n["name"] for n in found["nodes"]]
    assert "LATEST RUNS" in cli.ok("state", "--output", "table").out


def test_the_scheduler_tells_what_comes_due_first(cli: Cli, job: str) -> None:
    soon, paused = f"soon-{uuid4().hex[:8]}", f"paused-{uuid4().hex[:8]}"
    cli.ok("jobs", "create", "--name", soon, "--every", "1m")
    cli.ok("jobs", "create", "--name", paused, "--every", "1m")
    cli.ok("jobs", "update", paused, "--pause")
    rows = cli.ok("scheduler").json["schedules"]
    names = [r["job"] for r in rows]
    assert names.index(soon) < names.index(job) < names.index(paused)
    assert {r["job"]: r["status"] for r in rows}[paused] == "job paused"
    due = next(r for r in rows if r["job"] == job)
    assert f"T{HOUR:02}:00:00+0" in due["next"]
    assert f"every day at {HOUR:02}:00 (Europe/Amsterdam)" in cli.ok("scheduler", "--output", "table").out
    for name in (soon, paused):  # their runs would come into lists that other tests compare
        cli.ok("jobs", "delete", name, "--force")


def test_statistics_add_up_by_job(cli: Cli) -> None:
    name = f"stats-{uuid4().hex[:8]}"
    cli.ok("jobs", "create", "--name", name)
    for kind, cost in (("COMPLETED", 0.5), ("COMPLETED", 0.25), ("FAILED", 0.125)):
        ended(cli, cli.ok("jobs", "run", name).json["id"], kind, cost_usd=cost)
    found = cli.ok("stats", "--job", name, "--since", "1h").json
    assert (found["runs"], found["cost_usd"], found["turns"]) == (3, 0.875, 9)
    assert found["status"] == {"completed": 2, "failed": 1}
    assert [j["name"] for j in found["jobs"]] == [name]
    assert "$0.8750" in cli.ok("stats", "--job", name, "--output", "table").out
    assert cli("stats", "--since", "soon").code == 1


def test_variables_of_a_profile_are_resolved_here_without_showing_a_secret(cli: Cli, own_profile: str) -> None:
    said = cli.ok("debug", "env", own_profile, SET_HERE="seen", SECRET_HERE="sk-secret-d", PASSWORD_HERE="sk-secret-g")
    rows = {r["name"]: (r["status"], r["value"]) for r in said.json["variables"]}
    assert rows == {
        "A": ("set", "plain-value"),
        "B": ("set", "seen"),
        "C": ("not set on this machine: its tasks fail here", ""),
        "D_TOKEN": ("set", "********"),
        "E": ("kept on the server", "********"),
        "F": ("removed", ""),
        "G": ("set", "********"),
    }
    assert "sk-secret" not in said.out + said.err


def test_the_transcripts_of_a_run_are_found_on_its_machine(cli: Cli, run: str) -> None:
    (file,) = cli.ok("debug", "logs").json["logs"]
    assert (file["id"], file["kind"]) == (run, "transcript")
    name = cli.ok("runs", "get", run).json["name"]
    for word in (run[:8], name):
        assert cli.ok("debug", "log", word).out == '{"type":"system"}\n{"type":"result"}\n'
    assert cli.ok("debug", "log", run, "--output", "json").json[0]["lines"][1] == '{"type":"result"}'


@pytest.mark.parametrize("word", ["", "../..", "zzz"])
def test_what_names_no_run_has_no_transcript(cli: Cli, run: str, word: str) -> None:
    said = cli("debug", "log", word)
    assert (said.code, said.out) == (1, "")


def test_a_run_of_another_machine_has_no_transcript_here(cli: Cli, job: str) -> None:
    identity = cli.ok("jobs", "run", job).json["id"]
    said = cli("debug", "log", identity)
    assert (said.code, "ccs runs logs" in said.err) == (1, True)
    cli.ok("runs", "stop", identity)


def test_settings_say_where_they_come_from_without_the_login(cli: Cli) -> None:
    said = cli.ok("debug", "settings", PREFECT_API_AUTH_STRING="user:sk-secret", CCS_POOL="other")
    assert said.json["api_url_from"] == "PREFECT_API_URL"
    assert (said.json["login"], said.json["pool"]) == ("PREFECT_API_AUTH_STRING", "other")
    assert "sk-secret" not in said.out


def test_debug_shows_jobs_tasks_runs_and_what_it_can_show(cli: Cli, job: str, run: str) -> None:
    assert len(cli.ok("debug", "runs", "-n", "1").json["runs"]) == 1
    assert cli.ok("debug", "run", run).json["id"] == run
    assert cli.ok("debug", "task", f"{job}/one").json["name"] == "one"
    assert {"settings", "jobs", "logs"} <= set(cli.ok("debug", "all").json)
    shown = {o["id"] for o in cli.ok("debug", "options").json["options"]}
    listed = cli.ok("debug", "--help").out.partition("Commands:")[2].splitlines()
    assert shown == {line.split()[0] for line in listed if line.startswith("  ") and line[2] != " "}


READS = (
    "jobs list", "jobs get JOB", "jobs tasks JOB", "tasks list", "tasks get JOB/one", "runs list", "runs get RUN",
    "runs logs RUN", "profiles list", "profiles get PROFILE", "nodes list", "status", "health", "state", "scheduler",
    "stats", "explain JOB", "explain RUN", "open JOB", "doctor", "debug all", "debug tasks", "debug task JOB/one",
    "debug runs", "debug run RUN", "debug logs", "debug log RUN", "debug profiles", "debug env PROFILE",
    "debug settings", "debug options",
)  # fmt: skip


@pytest.mark.parametrize("line", READS)
def test_every_read_is_written_in_every_form(cli: Cli, job: str, run: str, own_profile: str, line: str) -> None:
    words = [w.replace("JOB", job).replace("RUN", run).replace("PROFILE", own_profile) for w in line.split()]
    said = {form: cli(*words, "--output", form) for form in ("table", "json", "yaml", "ndjson", "ids")}
    assert {s.code for s in said.values()} <= ({0, 1} if line == "doctor" else {0}), said
    assert [s.err for s in said.values() if "ccs:" in s.err] == []
    plain = json.loads(said["json"].out)
    assert type(yaml.safe_load(said["yaml"].out)) is type(plain)
    lines = [json.loads(text) for text in said["ndjson"].out.splitlines()]
    ids = said["ids"].out.splitlines()
    rows = plain if isinstance(plain, list) else next(iter(plain.values())) if len(plain) == 1 else None
    if isinstance(rows, list) and line != "debug log RUN":
        assert len(lines) == len(ids) == len(rows)
        assert all(ids)
    elif rows is None:
        assert len(lines) == 1
        assert ids == ([str(plain["id"])] if "id" in plain else [])
