"""`ccs explain` and `ccs open`: why a job did not run, why a run ended so, and where to look."""

import re
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from ccs.cli.client.records import Json
from ccs.cli.diagnosis import advice
from tests.worlds.cli import Cli
from tests.worlds.runs import ended, live_node, state


@pytest.fixture
def pool(ccs: Cli) -> str:
    name = f"pool-{uuid4().hex[:8]}"
    assert ccs.ask("POST", "/work_pools/", {"name": name, "type": "process"}).status_code == 201
    return name


@pytest.fixture
def job(ccs: Cli, pool: str) -> str:
    return ccs.job("--every", "1d", "--pool", pool)


def explained(ccs: Cli, thing: str) -> dict[str, str]:
    """The findings: subject and text; the first text of a subject counts."""
    found: dict[str, str] = {}
    for f in ccs.ok("explain", thing).json["findings"]:
        found.setdefault(f["id"], f"{f['level']} {f['what']} {f['do']}")
    return found


def test_a_job_without_a_live_node_is_told_so_first(ccs: Cli, job: str, pool: str) -> None:
    first = ccs.ok("explain", job).json["findings"][0]
    assert (first["level"], first["id"]) == ("FAIL", "node")
    assert first["do"] == f"ccs up -d --pool {pool}"
    line = ccs.ok("explain", job, "--output", "table").out.splitlines()[0]
    assert line == f"FAIL  no node of work pool '{pool}' is alive; next: ccs up -d --pool {pool}"


def test_a_job_that_is_well_says_when_it_runs_next(ccs: Cli, job: str, pool: str) -> None:
    live_node(ccs, pool=pool)
    found = explained(ccs, job)
    assert not any(text.startswith("FAIL") for text in found.values())
    assert "every 1d (UTC): next " in found["schedule"]
    assert "n1" in found["node"]
    assert "no run of it has ended" in found["last"]


def test_what_keeps_a_job_from_running_is_named(ccs: Cli, job: str, pool: str) -> None:
    ccs.ok("jobs", "update", job, "--pause")
    ccs.ok("tasks", "disable", f"{job}/one")
    ccs.ask("PATCH", f"/work_pools/{pool}", {"is_paused": True})
    found = explained(ccs, job)
    assert found["paused"].startswith("FAIL the job is paused")
    assert f"ccs jobs update '{job}' --resume" in found["paused"]
    assert "every task is disabled" in found["tasks"]
    assert f"prefect work-pool resume {pool}" in found["pool"]


def test_an_inactive_schedule_a_missing_profile_and_no_tasks_are_named(ccs: Cli, pool: str) -> None:
    name, profile = f"job-{uuid4().hex[:12]}", f"profile-{uuid4().hex[:8]}"
    ccs.ok("profiles", "create", profile)
    made = ccs.ok("jobs", "create", "--name", name, "--every", "1d", "--pool", pool, "--profile", profile).json
    ccs.ok("profiles", "delete", profile, "--force")
    (schedule,) = made["schedules"]
    ccs.ask("PATCH", f"/deployments/{made['id']}/schedules/{schedule['id']}", {"active": False})
    found = explained(ccs, name)
    assert "all its 1 schedules are inactive" in found["schedule"]
    assert f"there is no profile '{profile}'" in found["profile"]
    assert "the job has no tasks" in found["tasks"]


def test_a_full_pool_and_late_runs_are_named(ccs: Cli, job: str, pool: str) -> None:
    ccs.ask("PATCH", f"/work_pools/{pool}", {"concurrency_limit": 1})
    state(ccs, ccs.ok("jobs", "run", job).json["id"], "RUNNING")
    due = (datetime.now(UTC) - timedelta(hours=2)).isoformat()
    body = {"state": {"type": "SCHEDULED", "name": "Late", "state_details": {"scheduled_time": due}}}
    identity = ccs.ok("jobs", "get", job).json["id"]
    waiting = ccs.ask("POST", f"/deployments/{identity}/create_flow_run", body).json()
    found = explained(ccs, job)
    assert "takes 1 runs at a time, and 1 are under way" in found["limit"]
    assert f"1 run(s) are late; {waiting['name']} was due 2h ago" in found["late"]
    of_run = explained(ccs, waiting["name"])
    assert "it was due 2h ago and waits (Late)" in of_run["late"]
    assert "1 other run of the job under way" in of_run["other"]


def test_the_verdict_of_a_failed_run_comes_with_what_to_do(ccs: Cli, job: str) -> None:
    run = ccs.ok("jobs", "run", job).json
    ended(ccs, run["id"], "FAILED", verdict="permission_denied", detail="Bash was denied")
    found = explained(ccs, run["name"])
    assert re.search(r"FAIL it failed \d+s ago", found["run"])
    assert "FAIL one: permission_denied: Bash was denied" in found["task"]
    assert f"ccs tasks update '{job}/one' --allowed-tools RULE" in found["task"]
    assert f"last run {run['name']}: it failed" in explained(ccs, job)["run"]


def test_the_run_of_a_job_that_is_gone_is_not_advised_to_change_it(ccs: Cli, job: str) -> None:
    run = ccs.ok("jobs", "run", job).json
    ended(ccs, run["id"], "FAILED", verdict="max_turns")
    cancelled = ccs.ok("jobs", "run", job).json
    state(ccs, cancelled["id"], "CANCELLED", "the reason")
    deployment = ccs.ok("jobs", "get", job).json["id"]
    assert ccs.ask("DELETE", f"/deployments/{deployment}").is_success
    assert "start it anew: ccs run PROMPT --max-turns N" in explained(ccs, run["id"])["task"]
    for found in (explained(ccs, run["id"]), explained(ccs, cancelled["id"])):
        assert not any(job in text for text in found.values())
    assert "start it anew: ccs run PROMPT" in explained(ccs, cancelled["id"])["run"]


def test_every_advice_stands_without_its_job_too() -> None:
    for verdict in advice.ADVICE:
        said = advice.for_verdict(verdict, "", "one", "brave-cat")
        assert not re.search(r"\b(TASK|JOB|RUN)\b|''", said), said


@pytest.mark.parametrize(
    ("kind", "says", "do"),
    [("CRASHED", "FAIL it crashed", "ccs runs restart"), ("CANCELLED", "WARN it was cancelled", "ccs jobs run")],
)
def test_other_ends_of_a_run_say_what_to_do(ccs: Cli, job: str, kind: str, says: str, do: str) -> None:
    run = ccs.ok("jobs", "run", job).json
    state(ccs, run["id"], kind, "the reason")
    said = explained(ccs, run["id"])["run"]
    assert said.startswith(says)
    assert "the reason" in said
    assert do in said


def test_a_run_that_was_stopped_while_it_waited_can_be_gone_on_with(ccs: Cli, job: str) -> None:
    run = ccs.ok("jobs", "run", job).json
    ended(ccs, run["id"], "CANCELLED", verdict="waiting", detail="a usage limit")
    task = explained(ccs, run["id"])["task"]
    assert f"the run ended while it waited; go on with: ccs runs restart {run['name']} --from-failed" in task
    assert "runs restart" not in advice.for_verdict("waiting", "", "one", "brave-cat")


def test_a_crashed_run_names_its_node_and_whether_it_lives(ccs: Cli, job: str, pool: str) -> None:
    run = ccs.ok("jobs", "run", job).json
    ccs.ask("PATCH", f"/flow_runs/{run['id']}/labels", {"prefect.worker.name": "n7"})
    state(ccs, run["id"], "CRASHED", "silence")
    found = explained(ccs, run["name"])
    assert f"ccs runs restart {run['name']} --from-failed" in found["run"]
    assert found["node"].startswith("WARN it ran on node 'n7', which is not alive")
    assert f"ccs up -d --pool {pool} --name n7" in found["node"]
    live_node(ccs, "n7", pool)
    assert explained(ccs, run["name"])["node"].startswith("INFO it ran on node 'n7', which is alive")


@pytest.mark.parametrize(("kind", "what"), [("RUNNING", "it is running"), ("PENDING", "a node has taken it")])
def test_a_run_under_way_says_so(ccs: Cli, job: str, kind: str, what: str) -> None:
    run = ccs.ok("jobs", "run", job).json
    state(ccs, run["id"], kind)
    assert any(what in text for text in explained(ccs, run["id"]).values())


def test_what_is_neither_job_nor_run_is_an_error(ccs: Cli) -> None:
    said = ccs("explain", "no-such-thing")
    assert (said.code, "there is no job or run 'no-such-thing'" in said.err) == (1, True)
    assert "ccs jobs list, ccs runs list" in said.err


def test_the_page_of_a_job_and_of_a_run_are_told(ccs: Cli, job: str) -> None:
    run = ccs.ok("jobs", "run", job).json
    made = ccs.ok("jobs", "get", job).json
    base = ccs.env["PREFECT_API_URL"].removesuffix("/api")
    assert ccs.ok("open", job).json["url"] == f"{base}/deployments/deployment/{made['id']}"
    assert ccs.ok("open", run["name"], "--output", "table").out.strip() == f"{base}/runs/flow-run/{run['id']}"


@pytest.fixture
def limited(ccs: Cli, job: str) -> str:
    """The id of a job that may have one run under way at a time."""
    identity = str(ccs.ok("jobs", "get", job).json["id"])
    assert ccs.ask("PATCH", f"/deployments/{identity}", {"concurrency_limit": 1}).is_success
    return identity


def begun(ccs: Cli, job: str) -> Json:
    """A run of a job, as a node begins it: the server may answer that it has to wait, or that it is cancelled."""
    run: Json = ccs.ok("jobs", "run", job).json
    taken = ccs.ask("POST", f"/flow_runs/{run['id']}/set_state", {"state": {"type": "PENDING"}}).json()
    if taken["status"] == "ACCEPT":
        state(ccs, run["id"], "RUNNING")
    return run


def test_a_run_that_waits_for_another_of_its_job_names_it(ccs: Cli, job: str, limited: str) -> None:
    first, second = begun(ccs, job), begun(ccs, job)
    found = explained(ccs, second["id"])
    assert f"because {first['name']} is under way; the job may have 1 under way at a time" in found["overlap"]
    assert f"ccs runs stop {first['name']}" in found["overlap"]
    assert "it waits for other runs of its job" in found["waiting"]
    assert not {"time", "late", "full"} & found.keys()
    of_job = explained(ccs, job)
    assert f"{first['name']} is under way" in of_job["overlap"]
    assert "another run is kept waiting" in of_job["overlap"]
    assert "--limit 2" in of_job["overlap"]
    assert second["name"] in of_job["waiting"]
    assert "1 other run of the job under way" in found["other"]


def test_a_run_that_had_to_wait_for_another_says_so_and_blames_no_node(ccs: Cli, job: str, limited: str) -> None:
    first, second = begun(ccs, job), begun(ccs, job)
    state(ccs, first["id"], "COMPLETED")
    state(ccs, second["id"], "PENDING")
    state(ccs, second["id"], "RUNNING")
    for kind in ("RUNNING", "COMPLETED"):
        found = explained(ccs, second["id"])
        assert re.match(r"INFO it waited \S+ because " + first["name"] + " was under way", found["overlap"]), found
        assert "late" not in found
        state(ccs, second["id"], kind)
    assert "overlap" not in explained(ccs, first["id"])


def test_a_run_that_was_cancelled_for_another_of_its_job_names_it(ccs: Cli, job: str, limited: str) -> None:
    options = {"concurrency_options": {"collision_strategy": "CANCEL_NEW"}}
    assert ccs.ask("PATCH", f"/deployments/{limited}", options).is_success
    first, second = begun(ccs, job), begun(ccs, job)
    assert "another run is cancelled" in explained(ccs, job)["overlap"]
    state(ccs, first["id"], "COMPLETED")
    for thing, before in ((second["id"], ""), (job, f"last run {second['name']}: ")):
        told = explained(ccs, thing)["overlap"]
        assert told.startswith(f"WARN {before}it was cancelled because {first['name']} was under way; the job may")
        assert f"ccs jobs run '{job}'" in told
        assert "ENQUEUE" in told


def test_places_that_no_run_holds_are_told_with_how_to_free_them(ccs: Cli, job: str, limited: str) -> None:
    ccs.ask("PATCH", f"/v2/concurrency_limits/deployment:{limited}", {"active_slots": 1})
    told = explained(ccs, job)["overlap"]
    assert told.startswith("FAIL the job may have 1 under way at a time, and the server counts so many")
    assert told.endswith(f"prefect global-concurrency-limit update deployment:{limited} --active-slots 0")
    ccs.ask("PATCH", f"/v2/concurrency_limits/deployment:{limited}", {"limit": 0})
    assert "is used up: no run starts" in explained(ccs, job)["overlap"]
    ccs.ask("PATCH", f"/v2/concurrency_limits/deployment:{limited}", {"active": False})
    assert "overlap" not in explained(ccs, job)


def test_a_scheduled_run_that_waits_for_another_is_ended_with_its_job(ccs: Cli, job: str, limited: str) -> None:
    first = begun(ccs, job)
    ccs.ask("POST", f"/deployments/{limited}/schedule", {"min_runs": 3})
    planned = ccs.ok("runs", "list", "--job", job, "--status", "scheduled").json["runs"]
    answer = ccs.ask("POST", f"/flow_runs/{planned[0]['id']}/set_state", {"state": {"type": "PENDING"}})
    assert answer.json()["state"]["name"] == "AwaitingConcurrencySlot"
    state(ccs, first["id"], "COMPLETED")
    stopped = [r["id"] for r in ccs.ok("jobs", "stop", job).json["runs"]]
    assert planned[0]["id"] in stopped
    assert planned[1]["id"] not in stopped  # nobody has tried to begin it


def test_a_run_under_way_tells_its_last_words(ccs: Cli, job: str) -> None:
    run = begun(ccs, job)
    line = {"name": "prefect.flow_runs", "level": 30, "timestamp": datetime.now(UTC).isoformat()}
    words = "another run works and commits in /app: this one waits for it to end\nmore"
    ccs.ask("POST", "/logs/", [{**line, "message": words, "flow_run_id": run["id"]}])
    told = explained(ccs, run["id"])["log"]
    assert re.search(r"its log said last, \d+s ago: another run works and commits in /app: .* to end $", told), told
