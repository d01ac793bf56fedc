"""Runs that nobody hears of: what a node says so that none is given up without need, and how it puts that right.

The server gives a run up, by the automation in lost_runs.json, when a time has passed without its heartbeat.
"""

import json
import logging
from functools import cache
from importlib.resources import files
from uuid import UUID

import httpx
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun
from prefect.events import emit_event
from prefect.exceptions import ObjectNotFound
from prefect.logging.loggers import PrefectLogAdapter
from prefect.states import Crashed, Running
from prefect.workers.process import ProcessJobConfiguration

Log = logging.Logger | logging.LoggerAdapter[logging.Logger] | PrefectLogAdapter


def tell_left(run: FlowRun, configuration: ProcessJobConfiguration) -> None:
    """Say that the run's process is gone, so that no heartbeat is due, whatever the state of the run.

    States say so as well, but a last heartbeat may overtake them; and a run may wait for hours then.
    """
    flow = {
        "prefect.resource.id": f"prefect.flow.{run.flow_id}",
        "prefect.resource.role": "flow",
        "prefect.resource.name": configuration.labels.get("prefect.io/flow-name", ""),
    }
    resource = {"prefect.resource.id": f"prefect.flow-run.{run.id}", "prefect.resource.name": run.name}
    emit_event("ccs.flow-run.left", resource=resource, related=[flow])


def is_given_up(run: FlowRun) -> bool:
    """Whether the server has called the run Crashed only because it had not heard of it."""
    return run.state is not None and run.state.is_crashed() and run.state.message == _message()


async def take_back(client: PrefectClient, run_id: UUID, node: str) -> None:
    """Call a run that lives Running again."""
    why = f"The node {node!r} was cut off from the server for a while; the run went on."
    await client.set_flow_run_state(run_id, Running(message=why), force=True)


async def report(client: PrefectClient, run_id: UUID, node: str, log: Log) -> None:
    """Call a run Crashed that a dead predecessor of this node left behind, unless it has ended."""
    try:
        lost = await client.read_flow_run(run_id)
        if lost.state is None or not lost.state.is_final():
            why = (
                f"The node {node!r} died during the run; its processes were ended when it came back. Go on from the "
                f"first task that did not succeed with `ccs runs restart {lost.name} --from-failed`."
            )
            await client.set_flow_run_state(run_id, Crashed(message=why), force=True)
    except (httpx.HTTPError, ObjectNotFound) as error:
        log.warning("run %s was lost and could not be reported: %s", run_id, error)


@cache
def _message() -> str:
    definition = json.loads((files("ccs.deployments") / "lost_runs.json").read_text(encoding="utf-8"))
    return str(definition["actions"][0]["message"])
