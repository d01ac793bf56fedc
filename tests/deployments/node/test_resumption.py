"""Paused jobs go on when there is money again, and only those that a budget had paused."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from prefect.client.orchestration import get_client

from ccs.deployments.node.resumption import Resumption
from ccs.flows.processes.stop import Stop
from tests.worlds.budget import NOON, World, a_job, a_task, a_world, no_server


@pytest.fixture
def world(server_url: str) -> Iterator[World]:
    with a_world(server_url) as world:
        yield world


def test_a_run_due_as_the_budget_returns_is_not_lost(world: World) -> None:
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    world.clock.now = today - timedelta(hours=1)
    budget = world.budget(budget_usd_per_day=5)
    budget.settle(budget.reserve(a_task(), Stop()), 5)
    world.resume(today + timedelta(seconds=45))
    where = {"deployments": {"id": {"any_": [world.job_id]}}, "flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}}}
    due = {run["expected_start_time"] for run in world.ask("POST", "/flow_runs/filter", where)}
    assert today in {datetime.fromisoformat(time) for time in due}


def test_a_pause_of_the_user_stays(world: World) -> None:
    world.ask("POST", f"/deployments/{world.job_id}/pause_deployment")
    budget = world.budget(budget_usd_per_day=5)
    budget.settle(budget.reserve(a_task(), Stop()), 5)
    world.resume(NOON + timedelta(days=2))
    assert world.deployment()["paused"]


def test_a_job_its_user_has_resumed_is_forgotten(world: World) -> None:
    budget = world.budget(budget_usd_per_day=5)
    budget.settle(budget.reserve(a_task(), Stop()), 5)
    world.ask("POST", f"/deployments/{world.job_id}/resume_deployment")
    later = datetime.now(UTC) + timedelta(minutes=5)
    world.resume(later)
    world.ask("POST", f"/deployments/{world.job_id}/pause_deployment")  # now it is the user's
    world.resume(later + timedelta(days=40))
    assert world.deployment()["paused"]


def test_a_raised_budget_resumes_the_job(world: World) -> None:
    budget = world.budget(budget_usd_per_day=5)
    budget.settle(budget.reserve(a_task(), Stop()), 5)
    job = a_job(budget_usd_per_day=10).model_dump(mode="json")
    world.ask("PATCH", f"/deployments/{world.job_id}", {"parameters": {"job": job}})
    assert world.deployment()["paused"]
    world.resume(NOON)
    assert not world.deployment()["paused"]


def test_a_node_that_cannot_look_goes_on() -> None:
    async def go() -> None:
        async with get_client() as client:
            resumption = Resumption()
            await resumption.attend(client)
            await resumption.attend(client)  # not yet due again

    with no_server():
        asyncio.run(go())


def test_a_record_changed_by_hand_is_no_obstacle(world: World) -> None:
    body = {"name": f"ccs_paused_{uuid4().hex}", "value": {"kind": "job"}, "tags": ["ccs_paused"]}
    world.ask("POST", "/variables/", body)
    budget = world.budget(budget_usd_per_day=5)
    budget.settle(budget.reserve(a_task(), Stop()), 5)
    world.resume(NOON + timedelta(days=1))
    assert not world.deployment()["paused"]
