"""Starting a run: one request, and a watch over it when that is asked for."""

from uuid import uuid4

import typer

from ccs.cli import views
from ccs.cli.api import Api, Json
from ccs.cli.app import Session
from ccs.cli.errors import RequestError
from ccs.cli.output import say, show_one


def start(api: Api, deployment: Json, parameters: Json, wait: bool) -> None:
    """Start a run of a job and show it; with `wait` follow it, and end with the exit code that says how it ended."""
    from ccs.cli import follow

    made = api.start_run(deployment["id"], f"ccs-{uuid4()}", parameters)
    shown = views.run(made, None, Session.settings().ui_url)
    say(f"run {shown['name']} of job {deployment['name']!r} ({shown['id']})\n{shown['url']}")
    if not wait:
        show_one(shown, lambda r: f"follow it with: ccs runs logs {r['name']} -f")
        return
    raise typer.Exit(follow.wait(api, str(made["id"]), Session.settings().ui_url))


def unfinished(api: Api, run: Json) -> list[str]:
    """The tasks of a run from the first on that did not succeed; RequestError when all did."""
    rows = api.results([str(run["id"])]).get(str(run["id"]), [])
    if not rows:  # it never came to its tasks
        return list((run.get("parameters") or {}).get("only") or [])
    done = next((i for i, row in enumerate(rows) if row["verdict"] not in ("ok", "skipped")), None)
    if done is None:
        raise RequestError(
            f"every task of run {run['name']} succeeded", f"run it all with: ccs runs restart {run['name']}"
        )
    return [str(row["task"]) for row in rows[done:]]
