"""`ccs status` and `ccs health`: what runs where."""

from typing import TypedDict

import typer

from ccs.cli import words
from ccs.cli.app import FRAME, Command, Session
from ccs.cli.client import views
from ccs.cli.client.api import Api
from ccs.cli.client.rows import NodeRow, RunRow
from ccs.cli.commands.options import Pool
from ccs.cli.errors import ServerError
from ccs.cli.terminal.output import Columns, fields, show_one, table

app = typer.Typer(**FRAME)

_NODES: Columns[NodeRow] = {"NODE": "name", "STATUS": "status", "HEARTBEAT": lambda n: words.ago(n["last_heartbeat"])}


ServerRow = TypedDict("ServerRow", {"api_url": str, "from": str, "ui_url": str, "prefect": str})
"""The server: `from` says where its address comes from, `prefect` its version."""


class PoolRow(TypedDict):
    """The work pool."""

    name: str
    exists: bool
    paused: bool


class StatusPage(TypedDict):
    """What runs where."""

    server: ServerRow
    ccs: str
    pool: PoolRow
    nodes: list[NodeRow]  # that are alive
    profile_type: bool
    jobs: int
    runs: list[RunRow]  # under way


@app.command("health", cls=Command, epilog="Example:  ccs health && ccs jobs run nightly")
def health() -> None:
    """Whether the server answers: exit code 0 when it is well, 2 when it is not, 3 when it cannot be reached."""
    api = Session.api()
    if not api.healthy():
        raise ServerError(f"the server at {api.settings.api_url} says that it is not well", "look into its log")
    show_one(
        {"status": "ok", "healthy": True, "api_url": api.settings.api_url},
        lambda h: f"the server at {h['api_url']} is well",
    )


@app.command("status", cls=Command, epilog="Example:  ccs status --output json | jq -r '.nodes[].name'")
def status(pool: Pool = None) -> None:
    """What runs where: server, work pool, nodes, runs under way, versions."""
    show_one(_status(Session.api(), pool or Session.settings().pool), _text)


def _status(api: Api, pool: str) -> StatusPage:
    from importlib.metadata import version

    found = api.pool(pool)
    nodes = [views.node(w, pool, api.server_time) for w in api.nodes(pool)] if found else []
    running, _ = api.runs({"state": {"type": {"any_": ["RUNNING", "PENDING", "CANCELLING"]}}}, 1000)
    _, jobs = api.jobs(1)
    return {
        "server": {
            "api_url": api.settings.api_url,
            "from": api.settings.origin,
            "ui_url": api.settings.ui_url,
            "prefect": api.version(),
        },
        "ccs": version("ccs"),
        "pool": {"name": pool, "exists": bool(found), "paused": bool(found and found["is_paused"])},
        "nodes": [n for n in nodes if n["status"] == "online"],
        "profile_type": api.has_profile_type(),
        "jobs": jobs,
        "runs": [views.run(r, None, api.settings.ui_url) for r in running],
    }


def _text(status: StatusPage) -> str:
    server, pool = status["server"], status["pool"]
    pool_words = "missing; make it with: ccs up -d" if not pool["exists"] else "paused" if pool["paused"] else "ready"
    head: dict[str, object] = {
        "Server": f"{server['api_url']}  (Prefect {server['prefect']}, {server['from']})",
        "UI": server["ui_url"],
        "ccs": status["ccs"],
        "Pool": f"{pool['name']}: {pool_words}",
        "Profiles": "ready" if status["profile_type"] else "their type is missing; make it with: ccs up -d",
        "Jobs": str(status["jobs"]),
        "Running": [f"{r['name']} ({r['job']}): {r['status']}" for r in status["runs"]] or "nothing",
    }
    nodes = table(status["nodes"], _NODES) if status["nodes"] else "no live node; start one with: ccs up -d"
    return f"{fields(head)}\n\n{nodes}"
