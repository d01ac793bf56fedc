"""Runs that have waited are left to the node that began them, as long as it is online."""

import asyncio
from collections.abc import Iterator
from contextlib import closing
from uuid import uuid4

import pytest
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL, temporary_settings

from ccs.cli.client import editing, provision
from ccs.cli.client.api import Api
from ccs.cli.client.settings import Settings
from ccs.deployments.node.homes import at_home


@pytest.fixture
def api(server_url: str) -> Iterator[Api]:
    settings = Settings({"PREFECT_API_URL": server_url})
    with closing(Api(settings)) as api, temporary_settings({PREFECT_API_URL: server_url}):
        yield api


@pytest.fixture
def pool(api: Api) -> str:
    pool = f"pool-{uuid4().hex[:8]}"
    provision.provision(api, pool)
    for node in ("laptop", "tower"):
        api.post(f"/work_pools/{pool}/workers/heartbeat", {"name": node})
    return pool


def due_run(api: Api, pool: str, home: str, has_run: bool = True) -> str:
    """A run that is due in the pool, and that a node has labelled as its own."""
    job = editing.checked({"name": f"job-{uuid4().hex[:8]}", "working_directory": {"path": "/"}})
    deployment = api.create_job(editing.deployment_of(job, pool, []))["id"]
    body = {"labels": {"prefect.worker.name": home}}
    run = str(api.post(f"/deployments/{deployment}/create_flow_run", body)["id"])
    for state in ["PENDING", "RUNNING"] * has_run + ["SCHEDULED"]:
        api.post(f"/flow_runs/{run}/set_state", {"state": {"type": state}, "force": True})
    return run


def taken(pool: str, node: str) -> set[str]:
    async def look() -> set[str]:
        async with get_client() as client:
            due = await client.get_scheduled_flow_runs_for_work_pool(pool)
            return {str(each.flow_run.id) for each in await at_home(client, pool, node, due)}

    return asyncio.run(look())


def test_a_run_goes_on_where_it_began_and_elsewhere_only_when_that_node_is_gone(api: Api, pool: str) -> None:
    fresh = due_run(api, pool, "laptop", has_run=False)
    ours, lost = due_run(api, pool, "laptop"), due_run(api, pool, "sunk")
    assert taken(pool, "laptop") == {fresh, ours, lost}
    assert taken(pool, "tower") == {fresh, lost}
