"""What a job, a task, a run, a profile and a node look like in a result."""

from datetime import UTC, datetime, timedelta
from typing import cast

from ccs.cli.client.lookup import spec_of, tasks_of
from ccs.cli.client.profile_change import secrets_of, shown
from ccs.cli.client.records import (
    BlockDocument,
    Deployment,
    DeploymentSchedule,
    FlowRun,
    Spec,
    Worker,
)
from ccs.cli.client.rows import (
    JobPage,
    JobRow,
    NodeRow,
    PolicyRow,
    ProfileRow,
    RunRow,
    ScheduleRow,
    TimesRow,
)
from ccs.flows.record.row import TaskRow
from ccs.flows.schedules.schedule import Schedule, describe, fire_times

ENDED = frozenset({"COMPLETED", "FAILED", "CRASHED", "CANCELLED"})

ENQUEUED = "AwaitingConcurrencySlot"
"""The name of the state in which a run waits for others of its job; the server looks again every half minute."""


def job(deployment: Deployment) -> JobRow:
    """A job in a list."""
    spec = _filled(deployment, spec_of(deployment), "Job")
    policies = {name: spec[name] for name in PolicyRow.__annotations__ if name in spec}
    return {
        "id": deployment["id"],
        "name": deployment["name"],
        "description": spec.get("description") or deployment["description"] or "",
        "tags": deployment["tags"],
        "paused": deployment["paused"],
        "profile": spec.get("profile"),
        "working_directory": spec.get("working_directory"),
        "on_failure": spec.get("on_failure"),
        "timeout": spec.get("timeout"),
        **cast(PolicyRow, policies),
        "tasks": len(tasks_of(deployment)),
        "schedules": [schedule(s) for s in deployment["schedules"]],
        "pool": deployment["work_pool_name"],
        "created": deployment["created"],
        "updated": deployment["updated"],
    }


def whole_job(deployment: Deployment) -> JobPage:
    """A job with its tasks, and when it runs next."""
    now = datetime.now(UTC)
    times = [] if deployment["paused"] else [t for s in active_schedules(deployment) for t in fire_times(s, now)]
    return {
        **job(deployment),
        "tasks": tasks(deployment),
        "next": [{"local": t.isoformat(), "utc": t.astimezone(UTC).isoformat()} for t in sorted(times)[:3]],
    }


def active_schedules(deployment: Deployment) -> list[Schedule]:
    """The schedules of a job that are not switched off."""
    return [stored["schedule"] for stored in deployment["schedules"] if stored["active"]]


def schedule(stored: DeploymentSchedule) -> ScheduleRow:
    """A schedule of a job."""
    times: dict[str, object] = {k: v for k, v in stored["schedule"].items() if k in TimesRow.__annotations__}
    if only := stored["parameters"].get("only"):
        times["only"] = only
    return {
        "id": stored["id"],
        "active": stored["active"],
        "in_words": describe(stored["schedule"]),
        **cast(TimesRow, times),
    }


def task(deployment: Deployment, spec: Spec) -> Spec:
    """A task with the name of its job in front; the rest is its spec, where something is set."""
    filled = {k: v for k, v in _filled(deployment, spec, "Task").items() if v is not None}
    return {"id": spec["id"], "job": deployment["name"], **{k: v for k, v in filled.items() if k != "id"}}


def tasks(deployment: Deployment) -> list[Spec]:
    """The tasks of a job, in order."""
    return [task(deployment, spec) for spec in tasks_of(deployment)]


def run(flow_run: FlowRun, rows: list[TaskRow] | None, ui_url: str) -> RunRow:
    """A run with what its tasks cost."""
    parameters = flow_run["parameters"]
    return {
        "id": flow_run["id"],
        "name": flow_run["name"],
        "job": spec_of(flow_run).get("name"),
        "only": parameters.get("only") or [],
        "continues": parameters.get("continues") or None,
        "status": flow_run["state_name"],
        "reason": flow_run["state"]["message"] or "",
        "expected": flow_run["expected_start_time"],
        "started": flow_run["start_time"],
        "ended": flow_run["end_time"],
        "goes_on": due(flow_run) if is_waiting(flow_run) else None,
        "duration_seconds": _duration(flow_run),
        "cost_usd": round(sum(row["cost_usd"] for row in rows), 6) if rows else None,
        "turns": sum(row["turns"] for row in rows) if rows else None,
        "pool": flow_run["work_pool_name"],
        "url": f"{ui_url}/runs/flow-run/{flow_run['id']}",
    }


def due(flow_run: FlowRun) -> str | None:
    """When a run is to start or, if it waits in the middle, to go on."""
    return flow_run["state"]["state_details"]["scheduled_time"] or flow_run["expected_start_time"]


def is_waiting(flow_run: FlowRun) -> bool:
    """Whether a run has left its node in the middle and goes on later."""
    return flow_run["state_type"] == "SCHEDULED" and flow_run["start_time"] is not None


def is_under_way(flow_run: FlowRun) -> bool:
    """Whether a run has begun and has not ended; it may wait in the middle."""
    return flow_run["state_type"] in ("RUNNING", "PENDING", "CANCELLING", "PAUSED") or is_waiting(flow_run)


def is_planned(flow_run: FlowRun, now: datetime) -> bool:
    """Whether a schedule made a run whose time has not come; the server makes such anew."""
    if flow_run["state_name"] == ENQUEUED or not flow_run["auto_scheduled"]:
        return False
    if flow_run["state_type"] != "SCHEDULED" or is_waiting(flow_run):
        return False
    time = due(flow_run)
    return time is None or datetime.fromisoformat(time) > now


def profile(document: BlockDocument) -> ProfileRow:
    """A profile in a list; never a secret."""
    data = document["data"]
    return {
        "id": document["id"],
        "name": document["name"],
        "description": data.get("description") or "",
        "variables": shown(data.get("variables") or {}),
        "secrets": sorted(secrets_of(data)),
        "budget_usd_per_day": data.get("budget_usd_per_day"),
        "budget_usd_per_month": data.get("budget_usd_per_month"),
        "updated": document["updated"],
    }


def node(worker: Worker, pool: str, now: datetime) -> NodeRow:
    """A node, and whether it is alive."""
    return {
        "id": worker["id"],
        "name": worker["name"],
        "pool": pool,
        "status": "online" if is_live(worker, now) else "offline",
        "last_heartbeat": worker["last_heartbeat_time"],
    }


def is_live(worker: Worker, now: datetime) -> bool:
    """Whether a worker takes runs: online, and its last heartbeat is not overdue."""
    beat = worker["last_heartbeat_time"]
    if worker["status"] != "ONLINE" or not beat:
        return False
    return now - datetime.fromisoformat(beat) < timedelta(seconds=3 * (worker["heartbeat_interval_seconds"] or 30))


def _duration(flow_run: FlowRun) -> float | None:
    if flow_run["start_time"] is None:
        return None
    return round(flow_run["total_run_time"] or flow_run["estimated_run_time"], 3)


def _filled(deployment: Deployment, spec: Spec, model: str) -> Spec:
    """The spec with the defaults that the deployment's own schema gives."""
    schema = (deployment["parameter_openapi_schema"] or {}).get("definitions") or {}
    properties = (schema.get(model) or {}).get("properties") or {}
    return {**{k: p["default"] for k, p in properties.items() if "default" in p}, **spec}
