"""`ccs runs`: what ran, how it ended, and what it said."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from ccs.cli import words
from ccs.cli.app import Noun, Session
from ccs.cli.client import lookup, views
from ccs.cli.client.records import Json, Parameters
from ccs.cli.client.rows import RunRow
from ccs.cli.commands.options import Force, JobName, Limit, RunRef, Wait, confirm, duration, more
from ccs.cli.errors import RequestError
from ccs.cli.terminal.output import Columns, Format, Talk, say, show_list, show_one, write

app = Noun("Runs of jobs: state, result, logs.")

STATES = ("scheduled", "pending", "running", "completed", "failed", "crashed", "cancelled", "cancelling", "paused")

States = Annotated[
    list[str] | None, typer.Option("--status", "-s", metavar="STATE", help=f"Only these: {', '.join(STATES)}.")
]
Since = Annotated[str | None, typer.Option("--since", metavar="TIME", help="Only of the last 90m, 24h, 7d ….")]

_RUNS: Columns[RunRow] = {
    "RUN": "name",
    "JOB": "job",
    "STATUS": "status",
    "STARTED": lambda r: words.ago(r["started"] or r["expected"]),
    "DURATION": lambda r: words.span(r["duration_seconds"]),
    "TURNS": "turns",
    "COST": lambda r: words.dollars(r["cost_usd"]),
    "REASON": lambda r: r["reason"][:80],
    "ID": lambda r: words.short(r["id"]),
}


@app.verb("list", "ccs runs list --job nightly --status failed --since 7d")
def list_(
    job: JobName = None,
    status: States = None,
    since: Since = None,
    limit: Limit = 50,
) -> None:
    """Runs, latest first; those that are only planned with --status scheduled."""
    rows, total = _rows(_filter(job, status or [], since), limit)
    show_list(rows, _RUNS, "runs", "no runs; start one with: ccs jobs run JOB")
    more(len(rows), total)


@app.verb("watch", "ccs runs watch --status running,scheduled")
def watch(
    job: JobName = None,
    status: States = None,
    since: Since = None,
    every: Annotated[float, typer.Option("--every", min=0.2, metavar="SECONDS", help="Between two looks.")] = 2.0,
    limit: Limit = 20,
) -> None:
    """Runs as they come and go, until Ctrl-C; on a pipe a line of JSON for each change."""
    from ccs.cli.terminal import live

    live.watch(lambda: _rows(_filter(job, status or [], since), limit)[0], _RUNS, "runs", every)


@app.verb("get", "ccs runs get 3f2a")
def get(run: RunRef) -> None:
    """How a run went: state and reason, and what each task did, cost and left behind."""
    from ccs.cli.client.results import read
    from ccs.cli.terminal import results

    api = Session.api()
    show_one(read(api, lookup.run(api, run), Session.settings().ui_url), results.text)


@app.verb("logs", "ccs runs logs 3f2a -f")
def logs(
    run: RunRef,
    follow_: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the run has ended.")] = False,
) -> None:
    """What a run said; plain lines, also on a pipe."""
    from ccs.cli.commands import following

    api = Session.api()
    identity = lookup.run(api, run)["id"]
    lines = following.lines(api, identity) if follow_ else following.Log(api, identity).new()
    if Talk.format in (None, Format.TABLE):
        for line in filter(following.is_news, lines):
            write(following.text_of(line))
    elif Talk.format is Format.NDJSON:
        for line in lines:
            show_one(line, following.text_of)
    else:
        show_list(list(lines), {})


@app.verb("stop", "ccs runs stop 3f2a")
def stop(
    run: RunRef,
    force: Annotated[
        bool, typer.Option("--force", "-f", help="Call it cancelled without asking its node, such as one that is gone.")
    ] = False,
) -> None:
    """End a run; returns when nothing of it is alive."""
    from ccs.cli.client import stopping

    api = Session.api()
    ended = stopping.stop(api, lookup.run(api, run), force)
    show_one(views.run(ended, None, Session.settings().ui_url), lambda r: f"run {r['name']}: {r['status']}")


def _rows(where: Json, limit: int) -> tuple[list[RunRow], int]:
    api = Session.api()
    found, total = api.runs(where, limit)
    costs = api.results([r["id"] for r in found])
    return [views.run(r, costs.get(r["id"]), Session.settings().ui_url) for r in found], total


@app.verb("restart", "ccs runs restart 3f2a --wait")
def restart(
    run: RunRef,
    wait: Wait = False,
    from_failed: Annotated[
        bool,
        typer.Option("--from-failed", help="Only what did not succeed; the results and sessions of the rest are kept."),
    ] = False,
) -> None:
    """Run the same again, from its start or from where it failed.

    It is the job as it was then, with the same tasks; for the job as it is now: ccs jobs run JOB.
    """
    from ccs.cli.client.starting import continuing
    from ccs.cli.commands import starting

    api = Session.api()
    old = lookup.run(api, run)
    if not old["deployment_id"]:
        raise RequestError(f"run {old['name']} belongs to no job that is still there", "see: ccs jobs list")
    deployment = api.job(old["deployment_id"])
    parameters: Parameters = {**old["parameters"]}
    parameters.pop("continues", None)
    if parameters.get("job") != deployment["parameters"].get("job"):
        say(f"job {deployment['name']!r} was changed since; as it is now: ccs jobs run {deployment['name']!r}")
    if from_failed:
        parameters = continuing(api, old)
    starting.start(api, deployment, parameters, wait)


@app.verb("delete", "ccs runs delete 3f2a 91bc --force")
def delete(
    run: Annotated[list[str], typer.Argument(metavar="RUN...", help="Names, ids or the beginnings of ids.")],
    force: Force = False,
) -> None:
    """Delete the records of runs, with their logs and results."""
    api = Session.api()
    found = {r["id"]: r for r in (lookup.run(api, name) for name in run)}
    names = ", ".join(r["name"] for r in found.values())
    if alive := [r["name"] for r in found.values() if views.is_under_way(r)]:
        raise RequestError(f"still under way: {', '.join(alive)}", f"end it with: ccs runs stop {alive[0]}")
    confirm(f"delete {words.many(len(found), 'run')}: {names}?", force)
    api.delete_runs(list(found))
    say(f"deleted {words.many(len(found), 'run')}: {names}")


def _filter(job: str | None, states: list[str], since: str | None) -> Json:
    """The Prefect filter that the options of `list` ask for."""
    where: Json = {}
    kinds = [s.strip().lower() for text in states for s in text.split(",")]
    if bad := [k for k in kinds if k not in STATES]:
        raise RequestError(f"{bad[0]!r} is not a state of a run", f"one of: {', '.join(STATES)}")
    if kinds:
        where["state"] = {"type": {"any_": [k.upper() for k in kinds]}}
    expected: Json = {}
    if "scheduled" not in kinds:
        expected["before_"] = (datetime.now(UTC) + timedelta(minutes=1)).isoformat()
    if seconds := duration(since):
        expected["after_"] = (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat()
    if expected:
        where["expected_start_time"] = expected
    if job:
        where["deployment_id"] = {"any_": [lookup.job(Session.api(), job)["id"]]}
    return where
