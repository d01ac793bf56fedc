"""Homes of runs: one that has waited goes on at the node that has its files and sessions, while that node lives."""

from typing import TYPE_CHECKING

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun

if TYPE_CHECKING:
    from prefect.client.schemas.responses import WorkerFlowRunResponse

_LABEL = "prefect.worker.name"
"""Prefect's label of a run with the name of the worker that took it last."""


async def at_home(
    client: PrefectClient, pool: str, node: str, due: list["WorkerFlowRunResponse"]
) -> list["WorkerFlowRunResponse"]:
    """Those of the runs that are due which this node should take: all but what another node began that is online."""
    if all(_home(each.flow_run) in ("", node) for each in due):
        return due
    workers = await client.read_workers_for_work_pool(pool)
    others = {worker.name for worker in workers if worker.status == "ONLINE"} - {node}
    return [each for each in due if _home(each.flow_run) not in others]


def _home(run: FlowRun) -> str:
    """The node that began the run; empty for one that has never run."""
    return str(run.labels.get(_LABEL, "")) if run.run_count else ""
