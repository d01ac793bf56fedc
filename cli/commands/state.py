"""`ccs state` and `ccs scheduler`: everything the server holds, and what comes due when."""

from datetime import UTC, datetime
from typing import TypedDict

import typer

from ccs.cli import words
from ccs.cli.app import FRAME, Command, Session
from ccs.cli.client import views
from ccs.cli.client.api import FIRST_JOBS
from ccs.cli.client.records import Deployment, DeploymentSchedule, Spec
from ccs.cli.client.rows import DueRow, JobRow, NodeRow, ProfileRow, RunRow
from ccs.cli.commands.options import Limit, more
from ccs.cli.terminal.output import Columns, fields, show_list, show_one, table
from ccs.flows.schedules import schedule

app = typer.Typer(**FRAME)

_RUNS = 20
_SCHEDULES: Columns[DueRow] = {
    "JOB": "job",
    "SCHEDULE": "in_words",
    "NEXT": lambda s: _local(s["next"]),
    "IN": lambda s: words.apart(s["next"]),
    "STATUS": "status",
    "ONLY": "only",
    "ID": lambda s: words.short(s["id"]),
}


class Everything(TypedDict):
    """All that the server holds; of runs the latest."""

    jobs: list[JobRow]
    tasks: list[Spec]
    profiles: list[ProfileRow]
    runs: list[RunRow]
    nodes: list[NodeRow]


@app.command("state", cls=Command, epilog="Example:  ccs state --output json | jq '.runs[0]'")
def state(limit: Limit = FIRST_JOBS) -> None:
    """Jobs, tasks, profiles, the latest runs and the nodes, in one answer."""
    show_one(read(limit), text)


@app.command("scheduler", cls=Command, epilog="Example:  ccs scheduler | jq -r '.schedules[].next'")
def scheduler(limit: Limit = FIRST_JOBS) -> None:
    """Every schedule of every job, the next to come due first."""
    found, total = Session.api().jobs(limit)
    now = datetime.now(UTC)
    rows = [_row(deployment, stored, now) for deployment in found for stored in deployment["schedules"]]
    rows.sort(key=lambda row: (row["next"] is None, row["next_utc"] or "", row["job"]))
    show_list(rows, _SCHEDULES, "schedules", "nothing is scheduled; do it with: ccs jobs update JOB --every 1d")
    more(len(found), total)


def read(limit: int) -> Everything:
    """What `ccs state` shows."""
    api, ui_url = Session.api(), Session.settings().ui_url
    deployments, total = api.jobs(limit)
    more(len(deployments), total)
    runs, _ = api.runs({"expected_start_time": {"before_": datetime.now(UTC).isoformat()}}, _RUNS)
    costs = api.results([r["id"] for r in runs])
    pools = [p["name"] for p in api.pools()]
    return {
        "jobs": [views.job(d) for d in deployments],
        "tasks": [row for d in deployments for row in views.tasks(d)],
        "profiles": [views.profile(p) for p in api.profiles()],
        "runs": [views.run(r, costs.get(r["id"]), ui_url) for r in runs],
        "nodes": [views.node(n, pool, api.server_time) for pool in pools for n in api.nodes(pool)],
    }


def text(state: Everything) -> str:
    """The counts, the nodes and the latest runs, for reading."""
    live = [n["name"] for n in state["nodes"] if n["status"] == "online"]
    enabled = sum(1 for t in state["tasks"] if t.get("enabled", True))
    head: dict[str, object] = {
        "Jobs": f"{len(state['jobs'])}, {sum(1 for j in state['jobs'] if j['paused'])} of them paused",
        "Tasks": f"{len(state['tasks'])}, {enabled} of them enabled",
        "Profiles": ", ".join(p["name"] for p in state["profiles"]) or "none",
        "Nodes": ", ".join(live) or "none alive; start one with: ccs up -d",
    }
    columns: Columns[RunRow] = {
        "LATEST RUNS": "name",
        "JOB": "job",
        "STATUS": "status",
        "STARTED": lambda r: words.ago(r["started"] or r["expected"]),
        "COST": lambda r: words.dollars(r["cost_usd"]),
    }
    return fields(head) + (f"\n\n{table(state['runs'], columns)}" if state["runs"] else "")


def _row(deployment: Deployment, stored: DeploymentSchedule, now: datetime) -> DueRow:
    shown = views.schedule(stored)
    works = shown["active"] and not deployment["paused"]
    due = next(iter(schedule.fire_times(stored["schedule"], now, 1)), None) if works else None
    return {
        **shown,
        "job": deployment["name"],
        "status": "active" if works else "job paused" if deployment["paused"] else "inactive",
        "next": due.isoformat() if due else None,
        "next_utc": due.astimezone(UTC).isoformat() if due else None,
    }


def _local(time: str | None) -> str:
    return f"{datetime.fromisoformat(time):%a %Y-%m-%d %H:%M %z}" if time else ""
