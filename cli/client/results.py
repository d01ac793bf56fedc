"""How a run ended: its state and what each task did, cost and left behind."""

import shlex

from ccs.cli.client import lookup, views
from ccs.cli.client.api import Api
from ccs.cli.client.records import FlowRun
from ccs.cli.client.rows import RunPage
from ccs.flows.record.row import TaskRow
from ccs.flows.spec.verdict import Reason, TaskState


def read(api: Api, run: FlowRun, ui_url: str) -> RunPage:
    """A run with the rows about its tasks."""
    rows = [_last_word(row, run) for row in api.results([run["id"]]).get(run["id"], [])]
    place = lookup.spec_of(run).get("working_directory") or {}
    directory = place.get("path")
    in_worktree = (place.get("worktree") or {}).get("enabled")
    return {
        **views.run(run, rows, ui_url),
        "status_type": run["state_type"],
        "directory": directory,
        "worktree": next((r["directory"] for r in rows if r["directory"]), None) if in_worktree else None,
        "tasks": [{**row, "resume": _resume(row, row["directory"] or directory)} for row in rows],
    }


def _last_word(row: TaskRow, run: FlowRun) -> TaskRow:
    """The row; of a task that was still under way when its run was killed or cancelled, with a verdict that says so."""
    if row["verdict"] not in (TaskState.RUNNING, TaskState.WAITING) or run["state_type"] not in views.ENDED:
        return row
    verdict = Reason.CANCELLED if run["state_type"] == "CANCELLED" else Reason.KILLED
    return {
        **row,
        "verdict": str(verdict),
        "detail": "the run ended before the task did; its log says what was set aside",
    }


def _resume(row: TaskRow, directory: str | None) -> str:
    """The command that goes on with a task's session by hand, on its node."""
    if not row["session_id"] or not directory:
        return ""
    return f"cd {shlex.quote(directory)} && claude --resume {row['session_id']}"
