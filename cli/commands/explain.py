"""`ccs explain`: why a job did not run, or a run ended as it did."""

from typing import Annotated

import typer

from ccs.cli.app import FRAME, Command, Session
from ccs.cli.client import lookup
from ccs.cli.client.api import Api
from ccs.cli.client.records import Deployment, FlowRun
from ccs.cli.errors import NotFoundError
from ccs.cli.terminal.findings import show_findings

app = typer.Typer(**FRAME)

Thing = Annotated[str, typer.Argument(metavar="JOB|RUN", help="Name, id or the beginning of the id of a job or run.")]


@app.command("explain", cls=Command, epilog="Example:  ccs explain nightly")
def explain(thing: Thing) -> None:
    """Why a job did not run, or a run ended as it did; the most important first, with what to do."""
    from ccs.cli.diagnosis import reasons

    api = Session.api()
    match job_or_run(api, thing):
        case job, None:
            found = reasons.of_job(api, job)
        case None, run:
            found = reasons.of_run(api, run)
    show_findings(found, "findings")


def job_or_run(api: Api, name: str) -> tuple[Deployment, None] | tuple[None, FlowRun]:
    """The job or else the run that a word stands for; NotFoundError when it is neither."""
    try:
        return lookup.job(api, name), None
    except NotFoundError as no_job:
        try:
            return None, lookup.run(api, name)
        except NotFoundError:
            hint = no_job.hint if no_job.close else "see: ccs jobs list, ccs runs list"
            raise NotFoundError("job or run", name, hint=hint) from None
