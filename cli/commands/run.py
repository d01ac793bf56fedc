"""`ccs run`: one prompt, now, as a job that is gone afterwards."""

from dataclasses import replace
from typing import Annotated, Any
from uuid import uuid4

import typer

from ccs.cli.app import FRAME, Session, WriteCommand
from ccs.cli.client import assignment, views
from ccs.cli.client.api import Api
from ccs.cli.client.records import Deployment, FlowRun
from ccs.cli.commands.job_options import absolute
from ccs.cli.commands.options import Pool, source_text
from ccs.cli.commands.task_options import FIELDS
from ccs.cli.errors import CcsError, QueuedError, RequestError
from ccs.cli.terminal import fields
from ccs.cli.terminal.output import say

app = typer.Typer(**FRAME)


_TASK = fields.only(
    [replace(f, help=f.help.replace("the job's", "the login of the node")) for f in FIELDS],
    *("model", "profile", "zai", "bedrock", "permissions", "allowed-tools", "disallowed-tools", "max-turns"),
    *("budget", "timeout", "first-output-timeout", "idle-timeout", "on-limit", "on-denied", "output-schema"),
)


@app.command(
    "run", cls=WriteCommand, epilog='Example:  ccs run "Which TODO is the most urgent?" -C ~/app --permissions plan'
)
@fields.taking(*_TASK)
def run(
    prompt: Annotated[str, typer.Argument(metavar="PROMPT", help="What claude is to do; - reads it from stdin.")],
    directory: Annotated[
        str, typer.Option("--working-directory", "-C", metavar="PATH", help="Where it runs, on the node.")
    ] = ".",
    keep: Annotated[
        str | None, typer.Option("--keep", metavar="NAME", help="Keep it as a job of this name, to run again.")
    ] = None,
    commit: Annotated[
        bool, typer.Option("--commit", help="Commit what it changed; then nothing uncommitted may be there before.")
    ] = False,
    no_git: Annotated[bool, typer.Option("--no-require-git", help="Also outside a git repository.")] = False,
    pool: Pool = None,
    **options: Any,
) -> None:
    """Run one prompt now and wait for its end; the exit code says how it ended.

    Its job is gone afterwards, unless --keep gives it a name; its run and log stay: ccs runs get RUN.
    """
    from ccs.cli.client import editing
    from ccs.cli.commands import following

    task = {"id": str(uuid4()), "name": "prompt", "prompt": source_text(prompt, "PROMPT"), "commit_on_success": commit}
    assignment.put(task, fields.read(_TASK, options))
    place = {"path": absolute(directory), "require_git": not no_git, "allow_dirty": not commit}
    spec = {"name": keep or f"run-{uuid4().hex[:8]}", "working_directory": place, "tasks": [task]}
    api = Session.api()
    made = editing.create(api, spec, pool or Session.settings().pool, [])
    started = api.start_run(made["id"], f"ccs-{uuid4()}", {})
    say(f"run {started['name']} ({started['id']})")
    try:
        code = following.wait(api, started["id"], Session.settings().ui_url)
    except CcsError as error:
        if keep is None and isinstance(error, QueuedError):
            raise _withdrawn(api, made, started, error) from error
        say(f"its job stays; delete it with: ccs jobs delete {made['name']}")
        raise
    if keep is None:
        _remove(api, made, api.run(started["id"]))
    raise typer.Exit(code)


def _remove(api: Api, job: Deployment, run: FlowRun) -> None:
    """Delete the job, unless its run goes on without us: it could not be stopped cleanly then."""
    if run["state_type"] in views.ENDED:
        api.delete_job(job["id"])
    else:
        say(f"its job stays as long as it runs; delete it then with: ccs jobs delete {job['name']}")


def _withdrawn(api: Api, job: Deployment, run: FlowRun, error: QueuedError) -> RequestError:
    """Nobody takes the run: take it back, so that it does not start some time later; the error that says so."""
    api.set_state(run["id"], "CANCELLED", "Cancelled", error.why)
    api.delete_job(job["id"])
    return RequestError(f"{error.why}; run {run['name']} was taken back, and its job removed", error.hint)
