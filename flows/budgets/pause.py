"""Pausing the schedules of a job whose budget is used up, with a record by which a node resumes them."""

from ccs.flows.budgets.sums import UsedUp
from ccs.flows.server.names import PAUSED, paused_variable
from ccs.flows.server.variables import NOT_FOUND, Server, Variables


def pause(server: Server, deployment: str, why: UsedUp) -> bool:
    """Pause the deployment of a job; False when it is paused already, perhaps by its user, or gone.

    The record comes first: a pause without one would last until somebody wonders.
    """
    found = server.ask("GET", f"/deployments/{deployment}", changes=False, accept=NOT_FOUND)
    if found.status == NOT_FOUND or found.content["paused"]:
        return False
    variables, name = Variables(server), paused_variable(deployment)
    if left_over := variables.read(name):
        variables.delete(left_over.id)
    variables.create(name, why.dump(), PAUSED)  # unless another run of the job was here first
    paused = server.ask("POST", f"/deployments/{deployment}/pause_deployment", accept=NOT_FOUND)
    return paused.status != NOT_FOUND
