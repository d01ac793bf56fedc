"""What claude-code-scheduler writes: a job, tasks, profiles and settings, with every field it has."""

from typing import Any
from uuid import uuid4

Json = dict[str, Any]

ZAI = "5270805b-3731-41da-8710-fe765f2e58be"
TIME = "2025-12-01T10:00:00"


def schedule(kind: str = "sequential", **fields: Any) -> Json:
    names = ("calendar_frequency", "calendar_time", "calendar_days_of_week", "calendar_day_of_month", "interval_type")
    more = ("interval_preset", "interval_value", "interval_unit", "interval_cron", "watch_directory")
    empty = dict.fromkeys([*names, *more])
    rest = {"watch_recursive": True, "watch_debounce_seconds": 5, "seq_max_retries": 0, "seq_retry_delay_seconds": 60}
    return {"schedule_type": kind, "timezone": "Europe/Amsterdam", **empty, **rest, **fields}


def task(job: Json | None, name: str, **fields: Any) -> Json:
    return {
        "id": str(uuid4()),
        "job_id": job["id"] if job else None,
        "name": name,
        "enabled": True,
        "commit_on_success": False,
        "model": "sonnet",
        "profile": None,
        "schedule": schedule(),
        "prompt_type": "prompt",
        "prompt": f"do {name}",
        "permissions": "bypass",
        "session_mode": "new",
        "last_session_id": None,
        "allowed_tools": [],
        "disallowed_tools": [],
        "retry": {"enabled": False, "max_attempts": 3, "delay_seconds": 60, "backoff_multiplier": 2.0},
        "notifications": {"on_start": False, "on_end": False, "on_failure": False},
        "created_at": TIME,
        "updated_at": TIME,
        "last_run_status": None,
        **fields,
    }


def job(name: str, **fields: Any) -> Json:
    directory = {"path": "~/projects/app", "use_git_worktree": False, "worktree_name": None, "worktree_branch": None}
    return {
        "id": str(uuid4()),
        "name": name,
        "description": "words",
        "status": "pending",
        "created_at": TIME,
        "updated_at": TIME,
        "profile": None,
        "working_directory": directory,
        "task_order": [],
        **fields,
    }


def export(of: Json, *tasks: Json, **fields: Any) -> Json:
    of["task_order"] = [t["id"] for t in tasks]
    profiles = sorted({p for p in (of["profile"], *(t["profile"] for t in tasks)) if p})
    head = {"version": "1.0", "exported_at": "2025-12-01T10:00:00+00:00"}
    return {**head, "job": of, "tasks": list(tasks), "profiles_referenced": profiles, **fields}


def variable(name: str, source: str, value: str, config: Json | None = None) -> Json:
    return {"name": name, "source": source, "value": value, "config": config}


def profile(name: str, *variables: Json, **fields: Any) -> Json:
    head = {"id": str(uuid4()), "name": name, "description": "", "created_at": TIME, "updated_at": TIME}
    return {**head, "env_vars": list(variables), **fields}
