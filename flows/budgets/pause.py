"""Pausing the schedules of a job whose budget is used up, with a record by which a node resumes them."""

from typing import Any

import httpx
from prefect.client.orchestration import SyncPrefectClient

from ccs.flows.budgets.sums import PAUSED, UsedUp, paused_name


def pause(client: SyncPrefectClient, deployment: str, why: UsedUp) -> bool:
    """Pause the deployment of a job; False when it is paused already, perhaps by its user, or gone.

    The record comes first: a pause without one would last until somebody wonders.
    """
    found = _answer(client, "GET", f"/deployments/{deployment}")
    if found is None or found.json()["paused"]:
        return False
    name = paused_name(deployment)
    if left_over := _answer(client, "GET", f"/variables/name/{name}"):
        _answer(client, "DELETE", f"/variables/{left_over.json()['id']}")
    try:
        _answer(client, "POST", "/variables/", {"name": name, "value": why.dump(), "tags": [PAUSED]})
    except httpx.HTTPStatusError as error:  # another run of the job was here first
        if error.response.status_code != httpx.codes.CONFLICT:
            raise
    return _answer(client, "POST", f"/deployments/{deployment}/pause_deployment") is not None


def _answer(client: SyncPrefectClient, method: Any, path: Any, body: object = None) -> httpx.Response | None:
    """The server's answer; None when what was asked about is not there."""
    try:
        return client.request(method, path, json=body)
    except httpx.HTTPStatusError as error:
        if error.response.status_code == httpx.codes.NOT_FOUND:
            return None
        raise
