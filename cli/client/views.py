"""What a job, a task, a run and a node look like in a result."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from ccs.cli.client.api import Json
from ccs.cli.client.lookup import tasks_of
from ccs.flows.record.row import TaskRow
from ccs.flows.schedules.schedule import describe

_POLICIES = (
    *("only_if", "max_parallel", "budget_usd", "budget_usd_per_day", "budget_usd_per_month"),
    *("commit_author", "transcripts"),
)
"""Fields of a job that say nothing when they are not set."""

ENDED = frozenset({"COMPLETED", "FAILED", "CRASHED", "CANCELLED"})

ENQUEUED = "AwaitingConcurrencySlot"
"""The name of the state in which a run waits for others of its job; the server looks again every half minute."""


def job(deployment: Json) -> Json:
    """A job in a list."""
    spec = _filled(deployment, (deployment.get("parameters") or {}).get("job") or {}, "Job")
    return {
        "id": deployment["id"],
        "name": deployment["name"],
        "description": spec.get("description") or deployment.get("description") or "",
        "tags": deployment.get("tags") or [],
        "paused": bool(deployment.get("paused")),
        "profile": spec.get("profile"),
        "working_directory": spec.get("working_directory"),
        "on_failure": spec.get("on_failure"),
        "timeout": spec.get("timeout"),
        **{name: spec[name] for name in _POLICIES if name in spec},
        "tasks": len(tasks_of(deployment)),
        "schedules": [schedule(s) for s in deployment.get("schedules") or []],
        "pool": deployment.get("work_pool_name"),
        "created": deployment.get("created"),
        "updated": deployment.get("updated"),
    }


def schedule(stored: Json) -> Json:
    """A schedule of a job."""
    kinds = {k: v for k, v in stored["schedule"].items() if k in ("cron", "interval", "rrule", "timezone")}
    only = (stored.get("parameters") or {}).get("only")
    return {
        "id": stored.get("id"),
        "active": stored.get("active", True),
        "in_words": describe(stored["schedule"]),
        **kinds,
        **({"only": only} if only else {}),
    }


def task(deployment: Json, spec: Json) -> Json:
    """A task with the name of its job."""
    filled = {k: v for k, v in _filled(deployment, spec, "Task").items() if v is not None}
    return {"id": spec["id"], "job": deployment["name"], **{k: v for k, v in filled.items() if k != "id"}}


def tasks(deployment: Json) -> list[Json]:
    """The tasks of a job, in order."""
    return [task(deployment, spec) for spec in tasks_of(deployment)]


def run(flow_run: Json, rows: list[TaskRow] | None, ui_url: str) -> Json:
    """A run with what its tasks cost."""
    parameters = flow_run.get("parameters") or {}
    spec = parameters.get("job")
    state = flow_run.get("state") or {}
    return {
        "id": flow_run["id"],
        "name": flow_run["name"],
        "job": spec.get("name") if isinstance(spec, Mapping) else None,
        "only": parameters.get("only") or [],
        "continues": parameters.get("continues") or None,
        "status": flow_run.get("state_name") or "Unknown",
        "reason": state.get("message") or "",
        "expected": flow_run.get("expected_start_time"),
        "started": flow_run.get("start_time"),
        "ended": flow_run.get("end_time"),
        "goes_on": due(flow_run) if is_waiting(flow_run) else None,
        "duration_seconds": _duration(flow_run),
        "cost_usd": round(sum(row["cost_usd"] for row in rows), 6) if rows else None,
        "turns": sum(row["turns"] for row in rows) if rows else None,
        "pool": flow_run.get("work_pool_name"),
        "url": f"{ui_url}/runs/flow-run/{flow_run['id']}",
    }


def due(flow_run: Json) -> str | None:
    """When a run is to start or, if it waits in the middle, to go on."""
    details = (flow_run.get("state") or {}).get("state_details") or {}
    time: str | None = details.get("scheduled_time") or flow_run.get("expected_start_time")
    return time


def is_waiting(flow_run: Json) -> bool:
    """Whether a run has left its node in the middle and goes on later."""
    return flow_run["state_type"] == "SCHEDULED" and bool(flow_run.get("start_time"))


def is_under_way(flow_run: Json) -> bool:
    """Whether a run has begun and has not ended; it may wait in the middle."""
    return flow_run["state_type"] in ("RUNNING", "PENDING", "CANCELLING", "PAUSED") or is_waiting(flow_run)


def is_planned(flow_run: Json, now: datetime) -> bool:
    """Whether a schedule made a run whose time has not come; the server makes such anew."""
    if flow_run.get("state_name") == ENQUEUED or not flow_run.get("auto_scheduled"):
        return False
    if flow_run["state_type"] != "SCHEDULED" or is_waiting(flow_run):
        return False
    time = due(flow_run)
    return time is None or datetime.fromisoformat(time) > now


def node(worker: Json, pool: str, now: datetime) -> Json:
    """A node, and whether it is alive."""
    return {
        "id": worker["id"],
        "name": worker["name"],
        "pool": pool,
        "status": "online" if is_live(worker, now) else "offline",
        "last_heartbeat": worker.get("last_heartbeat_time"),
    }


def is_live(worker: Json, now: datetime) -> bool:
    """Whether a worker takes runs: online, and its last heartbeat is not overdue."""
    beat = worker.get("last_heartbeat_time")
    if worker.get("status") != "ONLINE" or not beat:
        return False
    return now - datetime.fromisoformat(beat) < timedelta(seconds=3 * (worker.get("heartbeat_interval_seconds") or 30))


def _duration(flow_run: Json) -> float | None:
    if not flow_run.get("start_time"):
        return None
    return round(float(flow_run.get("total_run_time") or flow_run.get("estimated_run_time") or 0), 3)


def _filled(deployment: Json, spec: Json, model: str) -> Json:
    """The spec with the defaults that the deployment's own schema gives."""
    schema = (deployment.get("parameter_openapi_schema") or {}).get("definitions") or {}
    properties = (schema.get(model) or {}).get("properties") or {}
    return {**{k: p["default"] for k, p in properties.items() if "default" in p}, **spec}
