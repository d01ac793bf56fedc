"""Starting a run: one request, and a watch over it when that is asked for."""

from uuid import uuid4

import typer

from ccs.cli.app import Session
from ccs.cli.client import views
from ccs.cli.client.api import Api, Json
from ccs.cli.errors import RequestError
from ccs.cli.terminal.output import say, show_one


def start(api: Api, deployment: Json, parameters: Json, wait: bool) -> None:
    """Start a run of a job and show it; with `wait` follow it, and end with the exit code that says how it ended."""
    from ccs.cli.commands import following as follow

    made = api.start_run(deployment["id"], f"ccs-{uuid4()}", parameters)
    shown = views.run(made, None, Session.settings().ui_url)
    say(f"run {shown['name']} of job {deployment['name']!r} ({shown['id']})\n{shown['url']}")
    if not wait:
        show_one(shown, lambda r: f"follow it with: ccs runs logs {r['name']} -f")
        return
    raise typer.Exit(follow.wait(api, str(made["id"]), Session.settings().ui_url))


def continuing(api: Api, run: Json) -> Json:
    """The parameters of a run that does what another did not, and keeps its results; RequestError when all is done."""
    parameters = {**(run.get("parameters") or {})}
    rows = api.results([str(run["id"])]).get(str(run["id"]), [])
    if rows and all(row["verdict"] in ("ok", "skipped") for row in rows):
        raise RequestError(
            f"every task of run {run['name']} succeeded", f"run it all with: ccs runs restart {run['name']}"
        )
    if any(row["verdict"] == "ok" for row in rows):  # else it has nothing to keep
        parameters["continues"] = str(run["id"])
    return parameters
