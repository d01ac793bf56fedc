"""Usage limits that hold, and runs that wait for their end: what `ccs` says about them and how it follows them."""

import json
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from ccs.flows.server.names import limit_variable
from tests.worlds.cli import Cli
from tests.worlds.runs import ended, live_node, newest, state, table

MESSAGE = "usage limit of profile 'x' until then"


@pytest.fixture
def job(ccs: Cli, tmp_path: Path) -> str:
    """A job with a profile and a pool of its own; both are named like it."""
    name = f"job-{uuid4().hex[:12]}"
    assert ccs.ask("POST", "/work_pools/", {"name": name, "type": "process"}).status_code == 201
    live_node(ccs, name=f"node-of-{name}", pool=name)
    ccs.ok("profiles", "create", name)
    ccs.ok("jobs", "create", "--name", name, "-C", str(tmp_path), "--pool", name, "--profile", name)
    ccs.ok("tasks", "create", "--job", name, "--name", "one", "--prompt", "x")
    return name


@pytest.fixture(autouse=True)
def _no_other_limits(ccs: Cli) -> None:
    for variable in ccs.ask("POST", "/variables/filter", {"variables": {"name": {"like_": "ccs_limit"}}}).json():
        ccs.ask("DELETE", f"/variables/{variable['id']}")


def hold(ccs: Cli, name: str, until: object) -> None:
    assert ccs.ask("POST", "/variables/", {"name": name, "value": {"until": until}}).status_code == 201


def in_two_hours() -> float:
    return (datetime.now(UTC) + timedelta(minutes=150)).timestamp()


def found(ccs: Cli, *command: str) -> list[str]:
    """The findings about limits, as level and text."""
    answer = ccs(*command).json
    findings = answer.get("findings") or answer.get("checks")
    return [f"{f['level']} {f['what']} {f['do']}" for f in findings if f["id"] == "limit"]


def waiting(ccs: Cli, run: str) -> str:
    """Have a run wait as a node would leave it; when it goes on."""
    state(ccs, run, "RUNNING")
    due = datetime.fromtimestamp(in_two_hours(), UTC).isoformat()
    state(ccs, run, "SCHEDULED", MESSAGE, name="AwaitingRetry", state_details={"scheduled_time": due})
    return due


def test_a_limit_of_the_jobs_profile_is_told(ccs: Cli, job: str) -> None:
    assert found(ccs, "explain", job) == []
    hold(ccs, limit_variable(job, ""), in_two_hours())
    for command in (("explain", job), ("doctor", "--pool", job)):
        (told,) = found(ccs, *command)
        assert told.startswith(f"WARN usage limit of profile '{job}' until ")
        assert " (in 2h): its tasks wait until then" in told
        assert told.endswith(f"if it is over already: ccs profiles lift-limit {job}")


def test_a_limit_of_another_profile_does_not_concern_a_job(ccs: Cli, job: str) -> None:
    hold(ccs, limit_variable(f"{job}-2", ""), in_two_hours())
    hold(ccs, limit_variable(None, f"node-of-{job}"), in_two_hours())
    assert found(ccs, "explain", job) == []
    assert len(found(ccs, "doctor")) == 2


def test_without_a_profile_the_login_of_its_nodes_counts(ccs: Cli, job: str) -> None:
    other = f"{job}-bare"
    ccs.ok("jobs", "create", "--name", other, "--pool", job)
    ccs.ok("tasks", "create", "--job", other, "--name", "one", "--prompt", "x")
    hold(ccs, limit_variable(None, f"node-of-{job}"), in_two_hours())
    (told,) = found(ccs, "explain", other)
    assert f"usage limit of the login of node 'node-of-{job}' until " in told
    assert told.endswith(f"ccs nodes lift-limit node-of-{job}")


@pytest.mark.parametrize("until", [1, None, "soon", 1e300, [], True])
def test_a_limit_that_is_over_or_cannot_be_read_is_none(ccs: Cli, job: str, until: object) -> None:
    hold(ccs, limit_variable(job, ""), until)
    assert found(ccs, "explain", job) == []
    assert found(ccs, "doctor") == []


def test_a_waiting_run_is_listed_with_its_reason_and_when_it_goes_on(ccs: Cli, job: str) -> None:
    run = str(ccs.ok("jobs", "run", job).json["id"])
    due = waiting(ccs, run)
    (listed,) = ccs.ok("runs", "list", "--job", job).json["runs"]
    assert (listed["status"], listed["reason"]) == ("AwaitingRetry", MESSAGE)
    assert datetime.fromisoformat(listed["goes_on"]) == datetime.fromisoformat(due)
    assert MESSAGE in ccs.ok("runs", "list", "--job", job, "--output", "table").out
    assert "(in 2h)" in ccs.ok("runs", "get", run, "--output", "table").out


def test_a_waiting_run_is_explained_and_not_called_late(ccs: Cli, job: str) -> None:
    past = (datetime.now(UTC) - timedelta(hours=3)).isoformat()
    identity = ccs.ok("jobs", "get", job).json["id"]
    asked = {"state": {"type": "SCHEDULED", "state_details": {"scheduled_time": past}}}
    run = str(ccs.ask("POST", f"/deployments/{identity}/create_flow_run", asked).json()["id"])
    assert "late" in {f["id"] for f in ccs.ok("explain", run).json["findings"]}
    waiting(ccs, run)
    findings = ccs.ok("explain", run).json["findings"]
    (told,) = [f["what"] for f in findings if f["id"] == "waiting"]
    assert told.startswith("it waits and goes on by itself at ")
    assert told.endswith(f"(in 2h): {MESSAGE}")
    about_job = ccs.ok("explain", job).json["findings"]
    assert any(f["id"] == "waiting" and MESSAGE in f["what"] for f in about_job)
    assert not {"late", "full"} & {f["id"] for f in [*findings, *about_job]}


def test_a_waiting_run_is_stopped_at_once(ccs: Cli, job: str) -> None:
    run = str(ccs.ok("jobs", "run", job).json["id"])
    waiting(ccs, run)
    assert ccs.ok("runs", "stop", run).json["status"] == "Cancelled"


def due_in(ccs: Cli, run: str) -> float:
    """Seconds until a run that waits goes on."""
    listed = ccs.ok("runs", "get", run).json
    return (datetime.fromisoformat(listed["goes_on"]) - datetime.now(UTC)).total_seconds()


def limited(ccs: Cli, job: str, **row: str) -> str:
    """A run of a job of which a task waits for the end of a usage limit."""
    run = str(ccs.ok("jobs", "run", job).json["id"])
    table(ccs, run, [{"verdict": "waiting", **row}])
    waiting(ccs, run)
    return run


def test_lifting_a_limit_has_the_runs_go_on_that_wait_for_it_and_no_others(ccs: Cli, job: str) -> None:
    mine, others = limited(ccs, job, profile=job), limited(ccs, job, profile=f"{job}-2", node=job)
    hold(ccs, variable := limit_variable(job, ""), in_two_hours())
    hold(ccs, limit_variable(f"{job}-2", ""), in_two_hours())
    asked = ccs.ok("profiles", "lift-limit", job, "--dry-run").json["requests"]
    assert [r["method"] for r in asked] == ["PATCH", "POST"]
    assert due_in(ccs, mine) > 3600
    done = ccs.ok("profiles", "lift-limit", job).json
    assert (done["name"], done["lifted"]) == (job, True)
    assert done["runs"] == [ccs.ok("runs", "get", mine).json["name"]]
    assert due_in(ccs, mine) < 5
    assert due_in(ccs, others) > 3600
    left = ccs.ask("GET", f"/variables/name/{variable}").json()["value"]
    assert left["until"] <= datetime.now(UTC).timestamp() + 2  # over, as far as tasks know: one of them tries
    assert found(ccs, "explain", job) == []
    again = ccs.ok("profiles", "lift-limit", job, "--output", "table").out
    assert again == f"no usage limit of profile '{job}' holds\n"


@pytest.mark.parametrize("odd", ["", " on the Hill (2)"])
def test_the_limit_of_a_nodes_login_is_lifted_by_its_name_or_as_it_was_told(ccs: Cli, job: str, odd: str) -> None:
    node = f"node-of-{job}{odd}"
    run = limited(ccs, job, profile="", node=node)
    hold(ccs, variable := limit_variable(None, node), in_two_hours())
    (told,) = found(ccs, "doctor", "--pool", job)
    assert told.endswith(command := f"ccs nodes lift-limit {variable.removeprefix('ccs_limit_node_')}")
    assert ccs.ok(*command.split()[1:], "--pool", job).json["lifted"]
    assert due_in(ccs, run) < 5
    waiting(ccs, run)
    hold_again = {"value": {"until": in_two_hours()}}
    ccs.ask("PATCH", f"/variables/name/{variable}", hold_again)
    done = ccs.ok("nodes", "lift-limit", node, "--pool", job, "--output", "table").out
    assert done.startswith(f"lifted the usage limit of the login of node '{node}'; 1 run that waited for it")


def test_the_limit_of_a_node_that_is_not_there_is_not_lifted(ccs: Cli, job: str) -> None:
    said = ccs("nodes", "lift-limit", f"node-off-{job}", "--pool", job)
    assert (said.code, f"did you mean node-of-{job}?" in said.err) == (1, True)
    assert ccs.ok("nodes", "lift-limit", f"node-of-{job}", "--pool", job).json["lifted"] is False


def reads(child: "subprocess.Popen[str]", text: str) -> str:
    """What it says on stderr until it says this."""
    assert child.stderr
    seen = ""
    while text not in seen:
        line = child.stderr.readline()
        assert line, f"it ended: {seen}"
        seen += line
    return seen


def test_waiting_for_a_run_goes_on_while_the_run_waits(ccs: Cli, job: str) -> None:
    child = ccs.start("jobs", "run", job, "--wait")
    run = newest(ccs, job)
    state(ccs, run, "RUNNING")
    ccs.ask("PATCH", f"/work_pools/{job}", {"is_paused": True})  # which matters to a run only when it is due
    bookkeeping = {"name": "prefect.task_runs", "level": 40, "message": f'Finished in state Waiting("{MESSAGE}")'}
    line = {**bookkeeping, "timestamp": datetime.now(UTC).isoformat(), "flow_run_id": run}
    assert ccs.ask("POST", "/logs/", [line]).status_code == 201
    waiting(ccs, run)
    assert "(in 2h) and then goes on" in reads(child, "the run waits until ")
    ended(ccs, run, "FAILED", verdict="usage_limit")
    out, err = child.communicate(timeout=120)
    assert child.returncode == 75, err
    assert json.loads(out)["tasks"][0]["verdict"] == "usage_limit"
    assert "the run waits" not in err  # once
    assert "Finished in state Waiting" not in err  # no error


def test_waiting_for_a_run_says_that_it_waits_for_others_of_its_job(ccs: Cli, job: str) -> None:
    child = ccs.start("jobs", "run", job, "--wait")
    run = newest(ccs, job)
    soon = (datetime.now(UTC) + timedelta(seconds=30)).isoformat()
    state(ccs, run, "SCHEDULED", name="AwaitingConcurrencySlot", state_details={"scheduled_time": soon})
    assert "ccs explain " in reads(child, "the run waits until others of its job have ended")
    state(ccs, run, "CANCELLED")
    assert (child.communicate(timeout=60), child.returncode)[1] == 130


def test_a_followed_log_goes_on_while_the_run_waits(ccs: Cli, job: str) -> None:
    run = str(ccs.ok("jobs", "run", job).json["id"])
    waiting(ccs, run)
    child = ccs.start("runs", "logs", run, "-f")
    reads(child, "the run waits until ")
    state(ccs, run, "RUNNING")
    line = {"name": "prefect.flow_runs", "level": 20, "message": "on it", "timestamp": datetime.now(UTC).isoformat()}
    assert ccs.ask("POST", "/logs/", [{**line, "flow_run_id": run}]).status_code == 201
    ended(ccs, run, "COMPLETED")
    out, err = child.communicate(timeout=120)
    assert child.returncode == 0, err
    assert out.endswith(" on it\n")


def test_a_planned_run_that_waits_in_the_middle_is_under_way(ccs: Cli, job: str) -> None:
    deployment = ccs.ok("jobs", "update", job, "--every", "1d").json["id"]
    ccs.ask("POST", f"/deployments/{deployment}/schedule", {"min_runs": 2})
    planned = [str(r["id"]) for r in ccs.ok("runs", "list", "--job", job, "--status", "scheduled").json["runs"]]
    assert len(planned) > 1
    waiting(ccs, planned[0])
    for refused in (("jobs", "delete", job, "--force"), ("runs", "delete", planned[0], "--force")):
        said = ccs(*refused)
        assert (said.code, "under way: " in said.err) == (1, True), said
    stopped = ccs.ok("jobs", "stop", job).json["runs"]
    assert [run["id"] for run in stopped] == planned[:1]
    ccs.ok("jobs", "delete", job, "--force")
