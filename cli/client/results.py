"""How a run ended: its state and what each task did, cost and left behind."""

import shlex

from ccs.cli.client import views
from ccs.cli.client.api import Api, Json
from ccs.cli.terminal.output import Columns, fields, plain, prints_table, say, show_one, table

_TASKS: Columns = {
    "TASK": "task",
    "VERDICT": "verdict",
    "TURNS": "turns",
    "COST": lambda t: views.dollars(t.get("cost_usd")),
    "DURATION": lambda t: views.span(t.get("duration_seconds")),
    "NODE": "node",
    "DETAIL": "detail",
}


def read(api: Api, run: Json, ui_url: str) -> Json:
    """A run with the rows about its tasks."""
    rows = [_last_word(row, run) for row in api.results([str(run["id"])]).get(str(run["id"]), [])]
    spec = (run.get("parameters") or {}).get("job") or {}
    place = spec.get("working_directory") or {}
    directory = place.get("path")
    in_worktree = (place.get("worktree") or {}).get("enabled")
    return {
        **views.run(run, rows, ui_url),
        "status_type": run.get("state_type"),
        "directory": directory,
        "worktree": next((r["directory"] for r in rows if r.get("directory")), None) if in_worktree else None,
        "tasks": [{**row, "resume": _resume(row, row.get("directory") or directory)} for row in rows],
    }


def show(run: Json) -> None:
    """The run's result: on a terminal its tasks and one line, on a pipe everything."""
    if prints_table():
        say("")
    show_one(run, _short)


def text(run: Json) -> str:
    """Everything about a run, for reading."""
    head: dict[str, object] = {
        "Run": f"{run['name']}  ({run['id']})",
        "Job": run["job"],
        "Only": ", ".join(run["only"]),
        "Continues": f"run {run['continues']}: what succeeded there is kept" if run["continues"] else "",
        "Status": run["status"],
        "Reason": run["reason"],
        "Started": _when(run["started"] or run["expected"]),
        "Goes on": _when(run["goes_on"]),
        "Duration": views.span(run["duration_seconds"]),
        "Cost": views.dollars(run["cost_usd"]),
        "Pool": run["pool"],
        "Directory": run["directory"],
        "Worktree": run["worktree"],
        "UI": run["url"],
        "Resume": [f"{t['task']}: {t['resume']}" for t in run["tasks"] if t["resume"]],
        "Commits": [f"{t['task']}: {t['commit']}" for t in run["tasks"] if t.get("commit")],
        "Set aside": [f"{t['task']}: {t['aside']}" for t in run["tasks"] if t.get("aside")],
        "Transcripts": [f"{t['task']}: {t['transcript']}" for t in run["tasks"] if t.get("transcript")],
    }
    return fields(head) + (f"\n\n{table(run['tasks'], _TASKS)}" if run["tasks"] else "")


def _short(run: Json) -> str:
    rows = f"{table(run['tasks'], _TASKS)}\n\n" if run["tasks"] else ""
    cost = f", {views.dollars(run['cost_usd'])}" if run["cost_usd"] is not None else ""
    told = any(t.get("verdict") not in views.FINE for t in run["tasks"])  # the table has it
    reason = f": {plain(run['reason'])}" if run["reason"] and not told else ""
    duration = views.span(run["duration_seconds"])
    return f"{rows}{run['name']} {run['status'].lower()} after {duration}{cost}{reason}\n{run['url']}"


def _last_word(row: Json, run: Json) -> Json:
    """The row; of a task that was still under way when its run was killed or cancelled, with a verdict that says so."""
    if row.get("verdict") not in ("running", "waiting") or run.get("state_type") not in views.ENDED:
        return row
    verdict = "cancelled" if run.get("state_type") == "CANCELLED" else "killed"
    return {**row, "verdict": verdict, "detail": "the run ended before the task did; its log says what was set aside"}


def _resume(row: Json, directory: str | None) -> str:
    """The command that goes on with a task's session by hand, on its node."""
    if not row.get("session_id") or not directory:
        return ""
    return f"cd {shlex.quote(directory)} && claude --resume {row['session_id']}"


def _when(time: str | None) -> str:
    from datetime import datetime

    return f"{datetime.fromisoformat(time).astimezone():%Y-%m-%d %H:%M:%S} ({views.ago(time)})" if time else ""
