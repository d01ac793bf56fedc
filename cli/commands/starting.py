"""Starting a run: one request, and a watch over it when that is asked for."""

from uuid import uuid4

import typer

from ccs.cli.app import Session
from ccs.cli.client import views
from ccs.cli.client.api import Api
from ccs.cli.client.records import Deployment, Parameters
from ccs.cli.commands import following
from ccs.cli.terminal.output import say, show_one


def start(api: Api, deployment: Deployment, parameters: Parameters, wait: bool) -> None:
    """Start a run of a job and show it; with `wait` follow it, and end with the exit code that says how it ended."""
    made = api.start_run(deployment["id"], f"ccs-{uuid4()}", parameters)
    shown = views.run(made, None, Session.settings().ui_url)
    say(f"run {shown['name']} of job {deployment['name']!r} ({shown['id']})\n{shown['url']}")
    if not wait:
        show_one(shown, lambda r: f"follow it with: ccs runs logs {r['name']} -f")
        return
    raise typer.Exit(following.wait(api, made["id"], Session.settings().ui_url))
