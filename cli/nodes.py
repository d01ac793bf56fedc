"""`ccs nodes`: the machines that execute runs."""

from typing import Annotated

import typer

from ccs.cli import views
from ccs.cli.app import Noun, Session
from ccs.cli.errors import NotFoundError
from ccs.cli.options import Pool
from ccs.cli.output import Columns, show_list

app = Noun("Nodes: the machines that execute runs.")


@app.verb("list", "ccs nodes list")
def list_(
    pool: Pool = None,
    all_: Annotated[bool, typer.Option("--all", "-a", help="Also the nodes that are gone.")] = False,
) -> None:
    """The nodes of a pool, and whether they are alive."""
    api = Session.api()
    name = pool or Session.settings().pool
    if api.pool(name) is None:
        raise NotFoundError("work pool", name, (str(p["name"]) for p in api.pools()), "make it with: ccs up -d")
    nodes = [views.node(worker, name, api.server_time) for worker in api.nodes(name)]
    shown = [n for n in nodes if all_ or n["status"] == "online"]
    columns: Columns = {
        "NAME": "name",
        "POOL": "pool",
        "STATUS": "status",
        "HEARTBEAT": lambda n: views.ago(n["last_heartbeat"]),
    }
    show_list(shown, columns, "nodes", "no live node; start one with: ccs up -d")
