"""The parameters with which a run starts."""

from ccs.cli.client.api import Api
from ccs.cli.client.records import FlowRun, Parameters
from ccs.cli.errors import RequestError
from ccs.flows.spec.verdict import FINE, Reason


def continuing(api: Api, run: FlowRun) -> Parameters:
    """The parameters of a run that does what another did not, and keeps its results; RequestError when all is done."""
    parameters: Parameters = {**run["parameters"]}
    rows = api.results([run["id"]]).get(run["id"], [])
    if rows and all(row["verdict"] in FINE for row in rows):
        raise RequestError(
            f"every task of run {run['name']} succeeded", f"run it all with: ccs runs restart {run['name']}"
        )
    if any(row["verdict"] == Reason.OK for row in rows):  # else it has nothing to keep
        parameters["continues"] = run["id"]
    return parameters
