"""`ccs stats`: how many runs each job had, how they ended, and what they cost."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Annotated, TypedDict

import typer

from ccs.cli import words
from ccs.cli.app import FRAME, Command, Session
from ccs.cli.client import lookup, views
from ccs.cli.client.records import Json
from ccs.cli.client.rows import RunRow
from ccs.cli.commands.options import JobName, duration
from ccs.cli.terminal.output import Columns, fields, say, show_one, table

app = typer.Typer(**FRAME)

_MOST = 5000


class Stats(TypedDict):
    """What runs add up to."""

    runs: int
    status: dict[str, int]  # how many ended in each
    cost_usd: float  # estimated
    turns: int
    duration_seconds: float  # theirs together


class JobStats(Stats):
    """What the runs of a job add up to; its name is its id, too."""

    id: str
    name: str


class AllStats(Stats):
    """What all runs since a time add up to, and those of each job."""

    since: str
    jobs: list[JobStats]


_JOBS: Columns[JobStats] = {
    "JOB": "name",
    "RUNS": "runs",
    "OK": lambda j: j["status"].get("completed", 0),
    "FAILED": lambda j: j["status"].get("failed", 0) + j["status"].get("crashed", 0),
    "CANCELLED": lambda j: j["status"].get("cancelled", 0),
    "COST": lambda j: words.dollars(j["cost_usd"]),
    "TURNS": "turns",
    "DURATION": lambda j: words.span(j["duration_seconds"]),
}


@app.command("stats", cls=Command, epilog="Example:  ccs stats --since 30d")
def stats(
    since: Annotated[str, typer.Option("--since", metavar="TIME", help="Of the last 90m, 24h, 7d ….")] = "7d",
    job: JobName = None,
) -> None:
    """Runs by how they ended, with cost, turns and time, by job."""
    api = Session.api()
    start = datetime.now(UTC) - timedelta(seconds=duration(since) or 0)
    where: Json = {"expected_start_time": {"after_": start.isoformat(), "before_": datetime.now(UTC).isoformat()}}
    if job:
        where["deployment_id"] = {"any_": [lookup.job(api, job)["id"]]}
    runs, total = api.runs(where, _MOST)
    if total > len(runs):
        say(f"the latest {len(runs)} of {total} runs; give a shorter --since for all of them")
    results = api.results([r["id"] for r in runs])
    rows = [views.run(r, results.get(r["id"]), "") for r in runs]
    every: AllStats = {"since": start.isoformat(), **summed(rows), "jobs": by_job(rows)}
    show_one(every, _text)


def by_job(rows: Iterable[RunRow]) -> list[JobStats]:
    """What the runs of each job add up to, the most expensive job first."""
    groups: dict[str, list[RunRow]] = {}
    for row in rows:
        groups.setdefault(str(row["job"]), []).append(row)
    found: list[JobStats] = [{"id": name, "name": name, **summed(runs)} for name, runs in groups.items()]
    return sorted(found, key=lambda j: (-j["cost_usd"], -j["runs"], j["name"]))


def summed(rows: list[RunRow]) -> Stats:
    """What runs add up to."""
    status: dict[str, int] = {}
    for row in rows:
        name = row["status"].lower()
        status[name] = status.get(name, 0) + 1
    return {
        "runs": len(rows),
        "status": status,
        "cost_usd": round(sum(r["cost_usd"] or 0 for r in rows), 6),
        "turns": sum(r["turns"] or 0 for r in rows),
        "duration_seconds": round(sum(r["duration_seconds"] or 0 for r in rows), 3),
    }


def _text(found: AllStats) -> str:
    head: dict[str, object] = {
        "Since": f"{datetime.fromisoformat(found['since']).astimezone():%Y-%m-%d %H:%M}",
        "Runs": str(found["runs"]),
        "Status": ", ".join(f"{count} {name}" for name, count in sorted(found["status"].items())),
        "Cost": words.dollars(found["cost_usd"]),
        "Turns": str(found["turns"]),
    }
    return fields(head) + (f"\n\n{table(found['jobs'], _JOBS)}" if found["jobs"] else "")
