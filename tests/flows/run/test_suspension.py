"""A run that waits on the server: it holds no node, goes on when it is due, and can be stopped while it waits."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.exceptions import Abort
from prefect.runtime import flow_run
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Cancelled

from ccs.blocks.redact import Redaction
from ccs.flows.run.suspension import suspend
from tests.worlds.node import Node, World
from tests.worlds.processes import until

pytestmark = pytest.mark.node

MESSAGE = Redaction(()).clean("usage limit of profile 'x' until then")
FLOW = f"""

from datetime import UTC, datetime, timedelta
from prefect.runtime import flow_run
from ccs.flows.run.suspension import suspend

@flow
def pause(out: str, seconds: float):
    Path(out + f".{{flow_run.run_count}}").write_text(json.dumps([time.time(), os.getpid()]))
    if flow_run.run_count == 1:
        due = datetime.now(UTC) + timedelta(seconds=seconds)
        Path(out + ".due").write_text(str(due.timestamp()))
        suspend(due, {MESSAGE!r})
"""
HOUR = 3600.0


@pytest.fixture
def world(server_url: str, tmp_path: Path) -> Iterator[World]:
    world = World(server_url, tmp_path)
    tiny = tmp_path / "modules" / "tiny.py"
    tiny.write_text(tiny.read_text() + FLOW)
    yield world
    world.close()


@pytest.fixture
def node(world: World) -> Iterator[Node]:
    with world.node("n", "--limit", "1") as node:
        yield node


def waits(world: World, run: str) -> dict[str, Any]:
    """The run, once it waits."""
    until(lambda: world.state(run)["name"] == "AwaitingRetry", "it waits")
    found: dict[str, Any] = world.api.get(f"/flow_runs/{run}").json()
    return found


def test_a_waiting_run_goes_on_when_it_is_due(world: World, node: Node, tmp_path: Path) -> None:
    run = world.start("pause", out=str(tmp_path / "out"), seconds=3)
    assert world.ends(run) == "COMPLETED", node.text()
    (_, first), (begun, second) = (json.loads((tmp_path / f"out.{n}").read_text()) for n in (1, 2))
    assert begun > float((tmp_path / "out.due").read_text()) - 1  # Prefect counts in whole seconds
    assert first != second
    assert world.api.get(f"/flow_runs/{run}").json()["run_count"] == 2
    assert not (tmp_path / "out.3").exists()


def test_a_waiting_run_holds_no_slot_and_says_why_it_waits(world: World, node: Node, tmp_path: Path) -> None:
    run = world.start("pause", out=str(tmp_path / "out"), seconds=HOUR)
    found = waits(world, run)
    assert found["state"]["message"] == MESSAGE
    due = datetime.fromisoformat(found["state"]["state_details"]["scheduled_time"]).timestamp()
    assert abs(due - float((tmp_path / "out.due").read_text())) < 0.01
    assert (found["run_count"], found["infrastructure_pid"]) == (1, None)
    other = world.start("stay", out=str(tmp_path / "other"), seconds=0)
    assert world.ends(other) == "COMPLETED"
    assert world.state(run)["name"] == "AwaitingRetry"  # and nobody calls it crashed


def test_a_run_that_is_cancelled_while_it_waits_is_cancelled_at_once(world: World, node: Node, tmp_path: Path) -> None:
    run = world.start("pause", out=str(tmp_path / "out"), seconds=HOUR)
    waits(world, run)
    world.cancel(run)  # as the UI does
    assert world.state(run)["type"] == "CANCELLED"


def test_a_run_that_is_cancelled_when_a_node_has_taken_it_again_is_cancelled(world: World, tmp_path: Path) -> None:
    world.env["PREFECT_WORKER_PREFETCH_SECONDS"] = str(2 * HOUR)  # so long before their time a node takes runs
    with world.node("eager", "--limit", "1"):
        run = world.start("pause", out=str(tmp_path / "out"), seconds=HOUR)
        until(lambda: (tmp_path / "out.due").exists() and world.state(run)["type"] == "PENDING", "taken")
        world.cancel(run)
        assert world.ends(run) == "CANCELLED"


def test_another_node_takes_a_waiting_run(world: World, tmp_path: Path) -> None:
    world.env["PREFECT_WORKER_HEARTBEAT_SECONDS"] = "2"  # it waits until the first one counts as gone
    with world.node("first"):
        run = world.start("pause", out=str(tmp_path / "out"), seconds=HOUR)
        waits(world, run)
    now = {"type": "SCHEDULED", "name": "AwaitingRetry", "state_details": {"scheduled_time": str(datetime.now(UTC))}}
    world.api.post(f"/flow_runs/{run}/set_state", json={"state": now, "force": True}).raise_for_status()
    with world.node("second"):
        assert world.ends(run) == "COMPLETED"
    assert (tmp_path / "out.2").exists()


def test_a_run_that_was_stopped_is_not_revived(server_url: str) -> None:
    states: list[State[Any]] = []

    @flow
    def stopped() -> None:
        assert flow_run.id
        with get_client(sync_client=True) as client:
            client.set_flow_run_state(flow_run.id, Cancelled(), force=True)
            try:
                suspend(datetime.now(UTC) + timedelta(hours=1), MESSAGE)
            finally:
                states.append(client.read_flow_run(flow_run.id).state)  # type: ignore[arg-type]

    with temporary_settings({PREFECT_API_URL: server_url}), pytest.raises(Abort):
        stopped()
    assert states[0].is_cancelled()


def test_only_a_flow_run_can_be_suspended() -> None:
    with pytest.raises(RuntimeError, match="only a flow run"):
        suspend(datetime.now(UTC), MESSAGE)
