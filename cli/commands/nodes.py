"""`ccs nodes`: the machines that execute runs."""

from typing import Annotated

import typer

from ccs.cli import words
from ccs.cli.app import Noun, Session
from ccs.cli.client import views
from ccs.cli.client.api import Api
from ccs.cli.client.rows import NodeRow
from ccs.cli.commands.options import Pool
from ccs.cli.errors import NotFoundError
from ccs.cli.terminal.output import Columns, show_list

app = Noun("Nodes: the machines that execute runs.")


@app.verb("list", "ccs nodes list")
def list_(
    pool: Pool = None,
    all_: Annotated[bool, typer.Option("--all", "-a", help="Also the nodes that are gone.")] = False,
) -> None:
    """The nodes of a pool, and whether they are alive."""
    nodes = _nodes(Session.api(), pool or Session.settings().pool)
    shown = [n for n in nodes if all_ or n["status"] == "online"]
    columns: Columns[NodeRow] = {
        "NAME": "name",
        "POOL": "pool",
        "STATUS": "status",
        "HEARTBEAT": lambda n: words.ago(n["last_heartbeat"]),
    }
    show_list(shown, columns, "nodes", "no live node; start one with: ccs up -d")


@app.verb("lift-limit", "ccs nodes lift-limit build-1")
def lift_limit(
    node: Annotated[str, typer.Argument(metavar="NODE", help="Name of the node whose login the limit is of.")],
    pool: Pool = None,
) -> None:
    """Forget that a usage limit of a node's own login holds: what waits for its reset goes on now.

    One task tries first. When it meets the limit again, all wait again. For a profile: ccs profiles lift-limit.
    """
    from ccs.cli.diagnosis import limits
    from ccs.cli.terminal.limits import show_lifted
    from ccs.flows.server.names import limit_variable

    api = Session.api()
    variable = limits.of_node(api, node)
    if variable is None:
        known = [n["name"] for n in _nodes(api, pool or Session.settings().pool)]
        if node not in known:
            raise NotFoundError("node", node, known, "list them with: ccs nodes list --all")
    done = limits.lift(api, variable or limit_variable(None, node))
    show_lifted(done, {"name": node}, f"the login of node {node!r}")


def _nodes(api: Api, pool: str) -> list[NodeRow]:
    if api.pool(pool) is None:
        raise NotFoundError("work pool", pool, (p["name"] for p in api.pools()), "make it with: ccs up -d")
    return [views.node(worker, pool, api.server_time) for worker in api.nodes(pool)]
