"""`ccs open`: the page of a job or run in Prefect's web interface."""

import os
import sys

import typer

from ccs.cli.app import FRAME, Command, Session
from ccs.cli.client.records import Named
from ccs.cli.commands.explain import Thing, job_or_run
from ccs.cli.terminal.output import is_terminal, show_one

app = typer.Typer(**FRAME)


@app.command("open", cls=Command, epilog="Example:  ccs open nightly")
def open_(thing: Thing) -> None:
    """The address of a job's or run's page; on a terminal with a browser at hand, the page itself."""
    found: Named
    match job_or_run(Session.api(), thing):
        case job, None:
            found, kind = job, "deployments/deployment"
        case None, run:
            found, kind = run, "runs/flow-run"
    url = f"{Session.settings().ui_url}/{kind}/{found['id']}"
    show_one({"id": found["id"], "name": found["name"], "url": url}, lambda row: row["url"])
    if is_terminal(sys.stdout) and _has_screen():
        import webbrowser

        webbrowser.open(url)  # says False when there is no browser; the address is on the screen


def _has_screen() -> bool:
    return sys.platform == "darwin" or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
