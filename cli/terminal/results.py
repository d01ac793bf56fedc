"""The end of a run on the terminal: its state and what each task did, cost and left behind."""

from ccs.cli import words
from ccs.cli.client.rows import RunPage, TaskResult
from ccs.cli.terminal.output import Columns, fields, plain, prints_table, say, show_one, table
from ccs.flows.spec.verdict import FINE

_TASKS: Columns[TaskResult] = {
    "TASK": "task",
    "VERDICT": "verdict",
    "TURNS": "turns",
    "COST": lambda t: words.dollars(t["cost_usd"]),
    "DURATION": lambda t: words.span(t["duration_seconds"]),
    "NODE": "node",
    "DETAIL": "detail",
}


def show(run: RunPage) -> None:
    """The run's result: on a terminal its tasks and one line, on a pipe everything."""
    if prints_table():
        say("")
    show_one(run, _short)


def text(run: RunPage) -> str:
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
        "Duration": words.span(run["duration_seconds"]),
        "Cost": words.dollars(run["cost_usd"]),
        "Pool": run["pool"],
        "Directory": run["directory"],
        "Worktree": run["worktree"],
        "UI": run["url"],
        "Resume": [f"{t['task']}: {t['resume']}" for t in run["tasks"] if t["resume"]],
        "Commits": [f"{t['task']}: {t['commit']}" for t in run["tasks"] if t["commit"]],
        "Set aside": [f"{t['task']}: {t['aside']}" for t in run["tasks"] if t["aside"]],
        "Transcripts": [f"{t['task']}: {t['transcript']}" for t in run["tasks"] if t["transcript"]],
    }
    return fields(head) + (f"\n\n{table(run['tasks'], _TASKS)}" if run["tasks"] else "")


def _short(run: RunPage) -> str:
    rows = f"{table(run['tasks'], _TASKS)}\n\n" if run["tasks"] else ""
    cost = f", {words.dollars(run['cost_usd'])}" if run["cost_usd"] is not None else ""
    told = any(t["verdict"] not in FINE for t in run["tasks"])  # the table has it
    reason = f": {plain(run['reason'])}" if run["reason"] and not told else ""
    duration = words.span(run["duration_seconds"])
    return f"{rows}{run['name']} {run['status'].lower()} after {duration}{cost}{reason}\n{run['url']}"


def _when(time: str | None) -> str:
    from datetime import datetime

    return f"{datetime.fromisoformat(time).astimezone():%Y-%m-%d %H:%M:%S} ({words.ago(time)})" if time else ""
