"""Leaving a flow run that is to go on later: it waits on the server, and holds no node meanwhile."""

import time
from datetime import datetime
from typing import NoReturn
from uuid import UUID

from prefect import get_run_logger
from prefect.client.orchestration import get_client
from prefect.client.schemas.responses import OrchestrationResult
from prefect.exceptions import Abort
from prefect.runtime import flow_run

from ccs.blocks.redact import Clean
from ccs.flows.server.publication import awaiting

_STOP_PATIENCE = 60.0
"""Seconds for the node to end a run that is being cancelled."""


def suspend(until: datetime, message: Clean) -> NoReturn:
    """Leave this flow run: it waits in state AwaitingRetry with the message, and any node takes it up again at `until`.

    To be called by the flow itself, when none of its tasks is running; always raises Prefect's Abort, with which the
    process ends as one that did its work. A run that was stopped meanwhile stays so. Raises RuntimeError outside a
    flow run, and httpx's errors when the server cannot be told.
    """
    if not flow_run.id:
        raise RuntimeError("only a flow run can be suspended")
    run_id = UUID(flow_run.id)
    with get_client(sync_client=True) as client:
        state = client.read_flow_run(run_id).state
        if state is None or not (state.is_final() or state.is_cancelling()):
            # With the process of its past, a waiting run would be Cancelling for minutes when it is cancelled.
            client.request("PATCH", "/flow_runs/{id}", path_params={"id": run_id}, json={"infrastructure_pid": None})
            # Not by force, which would revive a run that is being cancelled at this moment.
            answer: OrchestrationResult[None] = client.set_flow_run_state(run_id, awaiting(until, message))
            state = answer.state
    if state is not None and state.is_cancelling():
        time.sleep(_STOP_PATIENCE)  # its node ends it any moment
    elif state is not None and state.is_scheduled():
        get_run_logger().info("%s", message)
    raise Abort(message)
