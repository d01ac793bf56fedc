"""Runs: listed, shown, followed, stopped; and what `jobs run --wait` says and exits with."""

import json
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from ccs.cli.client import api
from ccs.cli.client.api import Api
from ccs.cli.client.settings import Settings
from ccs.cli.commands import following
from tests.worlds.cli import Cli
from tests.worlds.runs import ended, newest, state


@pytest.fixture
def job(ccs: Cli) -> str:
    return ccs.job("-C", "/srv/my app")


def log(ccs: Cli, run: str, *messages: str, at: datetime | None = None) -> None:
    when = (at or datetime.now(UTC)).isoformat()
    lines = [
        {"name": "prefect.flow_runs", "level": 20, "message": m, "timestamp": when, "flow_run_id": run}
        for m in messages
    ]
    assert ccs.ask("POST", "/logs/", lines).status_code == 201


def started(ccs: Cli, job: str) -> str:
    return str(ccs.ok("jobs", "run", job).json["id"])


def test_a_run_started_without_waiting_says_where_it_is(ccs: Cli, job: str) -> None:
    said = ccs.ok("jobs", "run", job)
    assert said.json["status"] == "Scheduled"
    assert said.json["id"] in said.err
    assert "/runs/flow-run/" in said.err


def test_some_tasks_of_a_job_can_be_run(ccs: Cli, job: str) -> None:
    run = ccs.ok("jobs", "run", job, "--task", "one").json
    parameters = ccs.ask("GET", f"/flow_runs/{run['id']}").json()["parameters"]
    assert parameters["only"] == ["one"]
    assert parameters["job"]["name"] == job


def test_runs_are_listed_with_state_cost_and_turns(ccs: Cli, job: str) -> None:
    run = started(ccs, job)
    state(ccs, run, "RUNNING")
    ended(ccs, run, "COMPLETED")
    (row,) = ccs.ok("runs", "list", "--job", job).json["runs"]
    assert (row["id"], row["job"], row["status"], row["turns"], row["cost_usd"]) == (run, job, "Completed", 3, 0.25)
    assert ccs.ok("runs", "list", "--job", job, "--status", "failed,crashed").json["runs"] == []
    assert len(ccs.ok("runs", "list", "--job", job, "--status", "completed", "--since", "1h").json["runs"]) == 1
    assert "$0.25" in ccs.ok("runs", "list", "--job", job, "--output", "table").out


def test_more_runs_than_the_server_gives_at_once_have_their_costs(
    ccs: Cli, job: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        run = started(ccs, job)
        state(ccs, run, "RUNNING")
        ended(ccs, run, "COMPLETED")
        ended(ccs, run, "COMPLETED")  # as after a wait: a table for each part
    monkeypatch.setattr(api, "PAGE", 2)
    assert [row["cost_usd"] for row in ccs.ok("runs", "list", "--job", job).json["runs"]] == [0.25] * 3


def test_planned_runs_are_listed_only_when_asked_for(ccs: Cli) -> None:
    name = f"planned-{uuid4().hex[:8]}"
    job = ccs.ok("jobs", "create", "--name", name, "--every", "1d").json
    ccs.ask("POST", f"/deployments/{job['id']}/schedule", {"min_runs": 3})
    assert ccs.ok("runs", "list", "--job", name).json["runs"] == []
    assert len(ccs.ok("runs", "list", "--job", name, "--status", "scheduled").json["runs"]) >= 3


def test_a_run_is_shown_with_what_each_task_left_behind(ccs: Cli, job: str) -> None:
    run = started(ccs, job)
    ended(ccs, run, "FAILED", verdict="api_error", detail="overloaded")
    shown = ccs.ok("runs", "get", run[:13]).json
    assert (shown["status"], shown["reason"]) == ("Failed", "it failed")
    assert shown["tasks"][0]["detail"] == "overloaded"
    assert shown["tasks"][0]["resume"] == "cd '/srv/my app' && claude --resume 5e55-10n"
    table = ccs.ok("runs", "get", run, "--output", "table").out
    for word in ("api_error", "overloaded", "$0.25", "4.2s", "/runs/flow-run/", "claude --resume 5e55-10n"):
        assert word in table


@pytest.mark.parametrize(
    ("kind", "found", "verdict"),
    [("CRASHED", "running", "killed"), ("CANCELLED", "waiting", "cancelled"), ("RUNNING", "running", "running")],
)
def test_a_task_of_a_run_that_has_ended_is_not_under_way(
    ccs: Cli, job: str, kind: str, found: str, verdict: str
) -> None:
    run = started(ccs, job)
    ended(ccs, run, kind, verdict=found)
    assert ccs.ok("runs", "get", run).json["tasks"][0]["verdict"] == verdict


@pytest.mark.parametrize(
    ("kind", "verdict", "code"),
    [
        ("COMPLETED", "ok", 0),
        ("FAILED", "gate", 10),
        ("FAILED", "usage_limit", 75),
        ("FAILED", "budget", 76),
        ("CRASHED", "killed", 11),
        ("CANCELLED", "cancelled", 130),
    ],
)
def test_waiting_ends_with_the_run_and_its_exit_code(ccs: Cli, job: str, kind: str, verdict: str, code: int) -> None:
    waiting = ccs.start("jobs", "run", job, "--wait")
    run = newest(ccs, job)
    state(ccs, run, "RUNNING")
    log(ccs, run, "working on it", "Finished in state X()")
    ended(ccs, run, kind, verdict=verdict)
    out, err = waiting.communicate(timeout=120)
    assert waiting.returncode == code, err
    result = json.loads(out)
    assert (result["id"], result["status_type"]) == (run, kind)
    assert result["tasks"][0]["verdict"] == verdict
    assert err.count("working on it") == 1


def test_waiting_without_a_node_stops_by_itself_and_says_so(ccs: Cli, job: str) -> None:
    said = ccs.process("jobs", "run", job, "--wait")
    assert said.code == 1
    assert "no node of work pool 'ccs' is alive; the run stays queued" in said.err
    assert "ccs up -d" in said.err


def test_waiting_for_a_paused_pool_says_so(ccs: Cli, job: str) -> None:
    ccs.ask("PATCH", "/work_pools/ccs", {"is_paused": True})
    try:
        said = ccs.process("jobs", "run", job, "--wait")
    finally:
        ccs.ask("PATCH", "/work_pools/ccs", {"is_paused": False})
    assert (said.code, "work pool 'ccs' is paused" in said.err) == (1, True)


def test_interrupted_waiting_leaves_the_run_alone(ccs: Cli, job: str) -> None:
    waiting = ccs.start("jobs", "run", job, "--wait")
    run = newest(ccs, job)
    state(ccs, run, "RUNNING")
    log(ccs, run, "begun")
    assert waiting.stderr
    seen = ""
    while "begun" not in seen:
        line = waiting.stderr.readline()
        assert line, f"it ended: {seen}"
        seen += line
    waiting.send_signal(2)
    _, err = waiting.communicate(timeout=120)
    assert waiting.returncode == 130
    assert f"ccs runs stop {run}" in err
    assert ccs.ok("runs", "get", run).json["status"] == "Running"
    state(ccs, run, "CANCELLED")


def test_a_long_log_comes_whole_and_once(ccs: Cli, job: str) -> None:
    run = started(ccs, job)
    same = datetime.now(UTC)
    for start in range(0, 450, 150):  # all with one time stamp: more than a page of them
        log(ccs, run, *(f"line {n}" for n in range(start, start + 150)), at=same)
    lines = ccs.ok("runs", "logs", run).out.splitlines()
    assert sorted(line.split(" ", 1)[1] for line in lines) == sorted(f"line {n}" for n in range(450))


def test_a_followed_log_has_late_lines_too_and_ends_with_the_run(ccs: Cli, job: str) -> None:
    run = started(ccs, job)
    state(ccs, run, "RUNNING")
    following = ccs.start("runs", "logs", run, "-f")
    assert following.stdout
    log(ccs, run, "first")
    seen = [following.stdout.readline()]
    log(ccs, run, "late", at=datetime.now(UTC) - timedelta(seconds=20))
    seen.append(following.stdout.readline())
    log(ccs, run, "Finished in state Completed()")
    state(ccs, run, "COMPLETED")
    rest, err = following.communicate(timeout=120)
    assert [line.split(" ", 1)[1].strip() for line in seen] == ["first", "late"]
    assert rest.count("\n") == 1
    assert (following.returncode, err) == (0, "")


def test_a_log_that_is_written_while_it_is_read_is_neither_cut_nor_doubled(ccs: Cli, job: str) -> None:
    run = started(ccs, job)
    api = Api(Settings(ccs.env))
    read, reader = following.Log(api, run), []

    def write() -> None:
        for number in range(120):
            log(ccs, run, f"{number}a", f"{number}b")

    writer = threading.Thread(target=write)
    writer.start()
    while writer.is_alive():
        reader += read.new()
    reader += read.new()
    api.close()
    assert sorted(line["message"] for line in reader) == sorted(f"{n}{x}" for n in range(120) for x in "ab")


def test_a_log_can_be_had_as_json(ccs: Cli, job: str) -> None:
    run = started(ccs, job)
    log(ccs, run, "hello")
    assert ccs.ok("runs", "logs", run, "--output", "json").json[0]["message"] == "hello"
    assert json.loads(ccs.ok("runs", "logs", run, "--output", "ndjson").out)["message"] == "hello"


def test_tracebacks_and_bookkeeping_of_prefect_show_only_when_asked_for(ccs: Cli, job: str) -> None:
    run = started(ccs, job)
    trace = "\nTraceback (most recent call last):\n  File ..."
    log(ccs, run, "Engine execution exited with unexpected exception" + trace, "mine" + trace)
    short = ccs.ok("runs", "logs", run).out
    assert "mine" in short
    assert "Traceback" not in short
    assert "Engine" not in short
    assert "Traceback" in ccs.ok("runs", "logs", run, "-vv").out


def test_a_run_that_waits_is_stopped_at_once(ccs: Cli, job: str) -> None:
    run = started(ccs, job)
    assert ccs.ok("runs", "stop", run).json["status"] == "Cancelled"
    assert "has ended already" in ccs.ok("runs", "stop", run).err


def test_a_running_run_is_asked_to_end_and_waited_for(ccs: Cli, job: str) -> None:
    run = started(ccs, job)
    state(ccs, run, "RUNNING")
    stopping = ccs.start("runs", "stop", run)
    while ccs.ok("runs", "get", run).json["status"] != "Cancelling":
        assert stopping.poll() is None
        time.sleep(0.1)
    state(ccs, run, "CANCELLED")  # as its node would
    out, _ = stopping.communicate(timeout=120)
    assert json.loads(out)["status"] == "Cancelled"


def test_all_runs_of_a_job_are_stopped_but_not_its_schedule(ccs: Cli, job: str) -> None:
    runs = {started(ccs, job) for _ in range(2)}
    stopped: Any = ccs.ok("jobs", "stop", job).json["runs"]
    assert {r["id"] for r in stopped} == runs
    assert ccs.ok("jobs", "stop", job).json["runs"] == []


def test_an_interrupt_while_a_run_is_ending_says_that_it_has_been_asked_to(
    ccs: Cli, job: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = ccs.ok("jobs", "run", job).json
    state(ccs, run["id"], "RUNNING")

    def interrupted(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", interrupted)
    said = ccs("runs", "stop", run["id"])
    assert said.code == 130
    assert f"stopped waiting; run {run['name']} has been asked to end: ccs runs get {run['name']}" in said.err
    assert ccs.ok("runs", "get", run["id"]).json["status"] == "Cancelling"
