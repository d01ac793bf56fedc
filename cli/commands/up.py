"""`ccs up` and `ccs down`: everything on one machine."""

import signal
import socket
import sys
import time
from typing import Annotated

import typer

from ccs.cli.app import FRAME, Command, Session
from ccs.cli.client import provision
from ccs.cli.client.api import Api
from ccs.cli.client.settings import Settings
from ccs.cli.commands.options import Pool
from ccs.cli.errors import ServerError
from ccs.cli.local import embedded
from ccs.cli.local.process import Process
from ccs.cli.terminal.output import plain, say, show_one

app = typer.Typer(**FRAME)


@app.command("up", cls=Command, epilog="Example:  ccs up -d")
def up(
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Return when everything is ready.")] = False,
    pool: Pool = None,
    name: Annotated[str | None, typer.Option("--name", metavar="NODE", help="Name of the node; the host's.")] = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, metavar="N", help="Runs at a time (4).")] = None,
    port: Annotated[
        int | None, typer.Option("--port", min=1, max=65535, metavar="N", help="Of the server; 4200 or next.")
    ] = None,
    claude: Annotated[str | None, typer.Option("--claude", metavar="PATH", help="The claude program to run.")] = None,
) -> None:
    """Start what is needed on this machine: server, pool and one node; wait until they are ready.

    Where a server is configured, only a node is started. Without -d it shows the node's log until Ctrl-C.
    """
    settings = Session.settings()
    program = embedded.executable(claude) if claude else None
    try:
        node = _ready(settings, port, pool or settings.pool, name or socket.gethostname(), limit, program)
        if detach:
            shown = {k: node.facts[k] for k in ("url", "pool", "name")}
            show_one(shown, lambda _: "stop it with: ccs down")
            return
        _watch(node)
    except KeyboardInterrupt:
        if detach:
            raise
        _leave()
        return
    raise ServerError("the node ended by itself", f"its log is {node.log}; stop the rest with: ccs down")


@app.command("down", cls=Command, epilog="Example:  ccs down --now")
def down(
    now: Annotated[bool, typer.Option("--now", help="End the runs under way; do not wait for them.")] = False,
) -> None:
    """Stop the nodes, once their runs have finished, and the server that `ccs up` started."""
    try:
        _stop(now)
    except KeyboardInterrupt:
        say("stopped waiting; a node that was asked to stop does so, the rest goes on: ccs down")
        raise


def _stop(now: bool) -> None:
    settings = Session.settings()
    with embedded.alone(settings.home):
        own, nodes = embedded.server(settings.home), embedded.nodes(settings.home)
        if not (own.alive or any(n.alive for n in nodes)):
            say("nothing to stop")
        for node in nodes:
            embedded.stop_node(node, settings, now)
        embedded.stop_server(own)


def _ready(
    settings: Settings, port: int | None, pool: str, name: str, limit: int | None, claude: str | None
) -> Process:
    """Have server, pool and node; the node."""
    with embedded.alone(settings.home):
        url = embedded.ensure_server(settings, port)
        at = settings.at(url)
        api = Api(at, notify=say)
        provision.provision(api, pool)
        api.close()
        node = embedded.ensure_node(settings, url, pool, name, limit, claude)
    say(f"ready. UI: {at.ui_url}")
    return node


def _watch(node: Process) -> None:
    """Show the node's log until it ends; Ctrl-C, and any other request to end, raises KeyboardInterrupt."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    with node.log.open("rb") as log:
        log.seek(0, 2)
        say("Ctrl-C stops it")
        while node.alive:
            sys.stderr.write(plain(log.read().decode("utf-8", "replace")))
            sys.stderr.flush()
            time.sleep(0.3)


def _leave() -> None:
    """Stop everything; a second Ctrl-C ends the runs under way."""
    say("")
    try:
        _stop(now=False)
    except KeyboardInterrupt:
        _stop(now=True)
