"""Runs that nobody hears of: those of a dead node are called Crashed, and those that live are not for long."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import pytest

from ccs.cli.client import provision
from ccs.cli.client.api import Api
from ccs.cli.client.records import Json
from ccs.cli.client.settings import Settings
from tests.worlds.node import World
from tests.worlds.processes import until
from tests.worlds.server import running_server

pytestmark = [pytest.mark.server, pytest.mark.node]

SILENCE = 10
"""Seconds without a word; a run speaks up when it starts and not again before 30 s are over."""


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_server(tmp_path_factory.mktemp("server")) as url:
        yield url


@pytest.fixture
def api(url: str) -> Iterator[Api]:
    with closing(Api(Settings({"PREFECT_API_URL": url}))) as api:
        yield api


@pytest.fixture
def world(url: str, api: Api, tmp_path: Path) -> Iterator[World]:
    with closing(World(url, tmp_path)) as world:
        world.env["PREFECT_WORKER_HEARTBEAT_SECONDS"] = "1"
        provision.provision(api, world.pool, SILENCE)
        yield world


def begun(world: World, seconds: float, waits: bool = False) -> str:
    name = uuid4().hex
    run = world.start("job", out=str(world.folder / name), seconds=seconds, waits=waits)
    world.file(f"{name}.begun")
    return run


def has_left(api: Api, run: str) -> bool:
    wanted = {"event": {"name": ["ccs.flow-run.left"]}, "resource": {"id": [f"prefect.flow-run.{run}"]}}
    return bool(api.post("/events/filter", {"filter": wanted})["total"])


def test_the_run_of_a_node_that_never_comes_back_is_crashed_and_one_that_waits_is_not(world: World, api: Api) -> None:
    with world.node("gone") as node:
        waiting = begun(world, 0, waits=True)
        until(lambda: has_left(api, waiting), "waiting without a process")
        run = begun(world, 600)
        node.dies()
    assert world.ends(run) == "CRASHED"
    assert "ccs runs restart" in world.state(run)["message"]
    assert world.state(waiting)["name"] == "AwaitingRetry"


def test_a_run_given_up_that_lives_is_called_running_again_and_can_be_stopped(world: World) -> None:
    with world.node("cut-off"):
        run = begun(world, 600)
        until(lambda: "was cut off" in (world.state(run)["message"] or ""), "taken back")
        assert world.state(run)["type"] == "RUNNING"
        world.cancel(run)
        assert world.ends(run) == "CANCELLED"


def test_the_automation_is_made_once_and_follows_its_definition(world: World, api: Api) -> None:
    (made,) = automations(api)
    provision.provision(api, world.pool, SILENCE)
    assert automations(api) == [made]
    api.patch(f"/automations/{made['id']}", {"enabled": False})
    provision.provision(api, world.pool, SILENCE + 1)
    (changed,) = automations(api)
    assert (changed["id"], changed["trigger"]["within"], changed["enabled"]) == (made["id"], SILENCE + 1, False)
    api.delete(f"/automations/{made['id']}")


def automations(api: Api) -> list[Json]:
    return list(api.read("/automations/filter", {}))
