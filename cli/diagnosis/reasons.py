"""Why a job does not run, or a run ended as it did: findings from what the server knows."""

from collections.abc import Iterator
from datetime import UTC, datetime

from ccs.cli import words
from ccs.cli.client import lookup, views
from ccs.cli.client.api import Api
from ccs.cli.client.records import Deployment, FlowRun, WorkPool
from ccs.cli.diagnosis import advice, budgets, limits, overlap
from ccs.cli.diagnosis.findings import Finding, fail, info, ranked, warn
from ccs.flows.record.row import TaskRow
from ccs.flows.schedules import schedule
from ccs.flows.spec.verdict import FINE, TaskState

LATE = 30.0
"""Seconds after its time from which a run that has not started is late."""

_WAITING = ("SCHEDULED", "PENDING")


def of_job(api: Api, deployment: Deployment) -> list[Finding]:
    """Why a job did not run, the most important first."""
    found = [*_contents(api, deployment), *_pause(api, deployment), *_place(api, deployment), *_times(deployment)]
    found += [*limits.of_job(api, deployment), *overlap.of_job(api, deployment)]
    found += [*_queue(api, deployment), *_last(api, deployment)]
    return ranked(found)


def of_run(api: Api, run: FlowRun) -> list[Finding]:
    """Why a run does not start, or ended as it did, the most important first."""
    job = lookup.job_of(api, run)
    others = list(overlap.of_run(api, run, job)) if job else []
    if run["state_type"] in views.ENDED:
        rows = api.results([run["id"]]).get(run["id"], [])
        return ranked([*_end(run, rows, job is not None), *others, *_node(api, run, rows), *_delay(run, others)])
    waits, beside = _waits(run, api.server_time), list(overlap.beside(api, run, job)) if job else []
    if run["state_type"] in _WAITING:
        held = limits.of_job(api, run)
        return ranked([*others, *_place(api, run), *_slots(api, run), *beside, *held, waits])
    return ranked([waits, *_said(api, run), *beside, *others, *_delay(run, others)])


def _contents(api: Api, deployment: Deployment) -> Iterator[Finding]:
    tasks, name = lookup.tasks_of(deployment), deployment["name"]
    if not tasks:
        yield fail(
            "tasks", "the job has no tasks: every run is skipped", f"ccs tasks create --job {name!r} --name NAME"
        )
    elif not any(t.get("enabled", True) for t in tasks):
        task = f"{name}/{tasks[0]['name']}"
        yield fail("tasks", "every task is disabled: every run is skipped", f"ccs tasks enable {task!r}")
    for profile in sorted(lookup.profiles_of(deployment)):
        if api.profile(profile) is None:
            yield fail("profile", f"there is no profile {profile!r}: its tasks fail", f"ccs profiles create {profile}")


def _pause(api: Api, deployment: Deployment) -> Iterator[Finding]:
    if deployment["paused"] and (why := budgets.pause_of(api, deployment)):
        remedy = f"wait, or raise it: {why.remedy}; a node resumes the job within a minute"
        yield fail("paused", f"the job is paused because {why.sentence}", remedy)
        return
    yield from budgets.findings(api, deployment)
    if deployment["paused"]:
        resume = f"ccs jobs update {deployment['name']!r} --resume"
        yield fail("paused", "the job is paused: its schedules do nothing", resume)


def _place(api: Api, thing: Deployment | FlowRun) -> Iterator[Finding]:
    """What of the pool keeps a job or run from starting."""
    name = thing["work_pool_name"]
    if not name:
        yield fail("pool", "it belongs to no work pool, so no node takes it", "deploy it to a pool, such as ccs")
        return
    pool = api.pool(name)
    if pool is None:
        yield fail("pool", f"its work pool {name!r} is gone", f"ccs up -d --pool {name}")
        return
    if pool["is_paused"]:
        yield fail("pool", f"work pool {name!r} is paused", f"prefect work-pool resume {name}")
    nodes = api.nodes(name)
    live = [n["name"] for n in nodes if views.is_live(n, api.server_time)]
    if live:
        yield info("node", f"{len(live)} live node(s) in pool {name!r}: {', '.join(live[:5])}")
    else:
        seen = max((n["last_heartbeat_time"] for n in nodes if n["last_heartbeat_time"]), default=None)
        last = f", the last was seen {words.ago(seen)}" if seen else ""
        yield fail("node", f"no node of work pool {name!r} is alive{last}", f"ccs up -d --pool {name}")
    yield from _limits(api, pool, thing)


def _limits(api: Api, pool: WorkPool, thing: Deployment | FlowRun) -> Iterator[Finding]:
    name, limit = pool["name"], pool["concurrency_limit"]
    if limit is not None:
        busy = api.busy(name)
        if busy >= limit:
            raise_it = f"prefect work-pool set-concurrency-limit {name} N"
            yield fail("limit", f"work pool {name!r} takes {limit} runs at a time, and {busy} are under way", raise_it)
    queue = api.queue(name, thing["work_queue_name"] or "default")
    if queue and queue["is_paused"] and not pool["is_paused"]:
        resume = f"prefect work-queue resume {queue['name']} --pool {name}"
        yield fail("queue", f"work queue {queue['name']!r} is paused", resume)


def _slots(api: Api, run: FlowRun) -> Iterator[Finding]:
    pool = run["work_pool_name"]
    if pool and _passed(run, api.server_time) > LATE and (busy := api.busy(pool)):
        what = f"{busy} run(s) are under way in work pool {pool!r}: its nodes may be full"
        yield warn("full", what, "wait, or start another node: ccs up -d --name NAME --limit N")


def _times(deployment: Deployment) -> Iterator[Finding]:
    schedules, name = deployment["schedules"], deployment["name"]
    active = views.active_schedules(deployment)
    if not schedules:
        yield info("schedule", "the job has no schedule: it runs when asked to", f"ccs jobs run {name!r}")
    elif not active:
        yield fail("schedule", f"all its {len(schedules)} schedules are inactive", f"activate one in the UI, or give it another: ccs jobs update {name!r} --cron …")  # fmt: skip  # noqa: E501
    elif not deployment["paused"]:
        due = min((t for s in active for t in schedule.fire_times(s, datetime.now(UTC), 1)), default=None)
        planned = "; ".join(schedule.describe(s) for s in active)
        when = f": next {due:%a %Y-%m-%d %H:%M:%S %z} ({words.ago(due.isoformat())})" if due else ""
        yield info("schedule", f"it runs {planned}{when}")


def _queue(api: Api, deployment: Deployment) -> Iterator[Finding]:
    own = {"deployment_id": {"any_": [deployment["id"]]}}
    waiting, _ = api.runs({**own, "state": {"type": {"any_": list(_WAITING)}}}, 200)
    late = [r for r in waiting if _passed(r, api.server_time) > LATE]
    if late:
        oldest = late[-1]
        since = words.ago(views.due(oldest))
        yield warn(
            "late", f"{len(late)} run(s) are late; {oldest['name']} was due {since}", f"ccs explain {oldest['name']}"
        )
    for run in waiting:
        if (views.is_waiting(run) or run["state_name"] == views.ENQUEUED) and run not in late:
            yield info("waiting", f"run {run['name']}: {_waits(run, api.server_time).what}")
    running, count = api.runs({**own, "state": {"type": {"any_": ["RUNNING", "CANCELLING"]}}}, 1)
    if count:
        yield info("running", f"{count} run(s) are under way, such as {running[0]['name']}", f"ccs runs logs {running[0]['name']} -f")  # fmt: skip  # noqa: E501


def _last(api: Api, deployment: Deployment) -> Iterator[Finding]:
    where = {"deployment_id": {"any_": [deployment["id"]]}, "state": {"type": {"any_": sorted(views.ENDED)}}}
    rows, _ = api.runs(where, 1)
    if not rows:
        yield info("last", "no run of it has ended yet")
        return
    results = api.results([rows[0]["id"]]).get(rows[0]["id"], [])
    for finding in [*_end(rows[0], results), *overlap.of_run(api, rows[0], deployment)]:
        yield Finding(finding.level, finding.id, f"last run {rows[0]['name']}: {finding.what}", finding.do)


def _end(run: FlowRun, rows: list[TaskRow], has_job: bool = True) -> Iterator[Finding]:
    """How a run ended: the state, then each task that was not ok."""
    name, said = run["name"], run["state"]["message"] or ""
    when = words.ago(run["end_time"] or run["expected_start_time"])
    told = any(row["verdict"] not in FINE for row in rows)  # the tasks say it better
    ended = f"was {run['state_name'].lower()}" if run["state_type"] == "CANCELLED" else run["state_name"].lower()
    what = f"it {ended} {when}" + (f": {said}" if said and not told else "")
    job = str(lookup.spec_of(run).get("name") or "JOB")
    match run["state_type"]:
        case "COMPLETED":
            yield info("run", what)
        case "CANCELLED":
            yield warn("run", what, f"run it again: ccs jobs run {job!r}" if has_job else advice.GONE)
        case "CRASHED":
            yield fail("run", what, f"go on from where it stopped: ccs runs restart {name} --from-failed")
        case _:
            yield fail("run", what, "" if rows else f"read: ccs runs logs {name}")
    for row in rows:
        verdict = row["verdict"]
        if verdict not in FINE:
            detail = f": {row['detail']}" if row["detail"] else ""
            level = info if verdict == TaskState.NOT_RUN else fail
            yield level(
                "task",
                f"{row['task']}: {verdict}{detail}",
                advice.for_verdict(verdict, job if has_job else "", row["task"], name),
            )


def _node(api: Api, run: FlowRun, rows: list[TaskRow]) -> Iterator[Finding]:
    """The node of a run that crashed, and whether it lives."""
    labels = run["labels"]
    node = labels.get("prefect.worker.name") or next((row["node"] for row in rows if row["node"]), None)
    pool = run["work_pool_name"]
    if run["state_type"] != "CRASHED" or not node or not pool:
        return
    if any(n["name"] == node and views.is_live(n, api.server_time) for n in api.nodes(pool)):
        yield info("node", f"it ran on node {node!r}, which is alive", f"read: ccs runs logs {run['name']}")
    else:
        start = f"there, start it again: ccs up -d --pool {pool} --name {node}"
        yield warn("node", f"it ran on node {node!r}, which is not alive", start)


def _said(api: Api, run: FlowRun) -> Iterator[Finding]:
    """What a run under way does, or waits for."""
    if line := api.last_line(run["id"]):
        text = line["message"].strip().partition("\n")[0]
        yield info("log", f"its log said last, {words.ago(line['timestamp'])}: {text[:300]}")


def _delay(run: FlowRun, others: list[Finding]) -> Iterator[Finding]:
    if not others and run["start_time"] and run["expected_start_time"]:
        late = _seconds(run["expected_start_time"], datetime.fromisoformat(run["start_time"]))
        if late > LATE:
            yield warn("late", f"it started {words.span(round(late))} after its time: no node was free or alive then")


def _waits(run: FlowRun, now: datetime) -> Finding:
    """What a run that has not ended is doing."""
    said, kind = run["state"]["message"] or "", run["state_type"]
    more = f": {said}" if said else ""
    if kind == "SCHEDULED":
        due, passed = views.due(run) or "", _passed(run, now)
        if passed < -1:  # the server tells its time to the second
            if run["state_name"] == views.ENQUEUED:
                return info("waiting", f"it waits for other runs of its job; the next try is {words.ago(due)}")
            if views.is_waiting(run):
                when = f"{words.clock(datetime.fromisoformat(due))} ({words.ago(due)})"
                return info("waiting", f"it waits and goes on by itself at {when}{more}")
            return info("time", f"it is not due yet: {due} ({words.ago(due)})")
        what = f"it was due {words.ago(due)} and waits ({run['state_name']}){more}"
        return warn("late", what) if passed > LATE else info("time", what)
    if kind == "PENDING":
        return info("pending", f"a node has taken it and is starting it{more}", f"ccs runs logs {run['name']} -f")
    if kind == "CANCELLING":
        return warn("cancelling", f"its node has been asked to end it{more}", f"ccs runs stop {run['name']} --force")
    since = words.ago(run["start_time"])
    return info("running", f"it is {run['state_name'].lower()} since {since}{more}", f"ccs runs logs {run['name']} -f")


def _passed(run: FlowRun, now: datetime) -> float:
    """Seconds since a run was due; negative when it is not yet."""
    return _seconds(views.due(run) or now.isoformat(), now)


def _seconds(time: str, now: datetime) -> float:
    return (now - datetime.fromisoformat(time)).total_seconds()
