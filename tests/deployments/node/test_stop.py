"""How a node stops, is killed, comes back, and outlives its server; no run is ever left Running."""

import signal
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.worlds.node import World
from tests.worlds.processes import kill, living, until
from tests.worlds.server import free_port, start_server, stop_server

pytestmark = [pytest.mark.server, pytest.mark.node]


@pytest.fixture
def world(server_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with closing(World(server_url, tmp_path_factory.mktemp("node"))) as world:
        yield world


def begin_stay(world: World, name: str, seconds: float) -> str:
    run = world.start("stay", out=str(world.folder / name), seconds=seconds)
    world.file(f"{name}.begun")
    return run


def begin_breed(world: World, name: str, seconds: float = 600) -> tuple[str, list[int]]:
    run = world.start("breed", out=str(world.folder / name), seconds=seconds)
    return run, world.family(name)


def test_a_signal_drains_even_where_interrupts_were_ignored(world: World) -> None:
    with world.node("drainer", ignoring_interrupts=True) as node:
        run = begin_stay(world, "stayed", 8)
        node.send(signal.SIGTERM)
        until(lambda: "draining" in node.text(), "draining")
        late = world.start("stay", out=str(world.folder / "late"), seconds=0)
        assert node.ends() == 0
        assert world.state(run)["type"] == "COMPLETED"
        assert world.state(late)["type"] == "SCHEDULED"


@pytest.mark.parametrize(("options", "signals"), [((), 2), (("--drain-seconds", "0"), 1)])
def test_a_run_that_may_not_finish_is_reported_and_leaves_no_process(
    world: World, options: tuple[str, ...], signals: int
) -> None:
    with world.node("hasty", *options) as node:
        run, family = begin_breed(world, "ended")
        until(lambda: world.state(run)["type"] == "RUNNING", "running")
        if signals == 2:
            node.send(signal.SIGINT)
            until(lambda: "draining" in node.text(), "draining")
        node.send(signal.SIGTERM)
        assert node.ends() == 0
        assert world.state(run)["type"] in ("CRASHED", "CANCELLED")
        assert living(family) == []


def test_a_run_outlives_its_killed_node_and_is_cleared_up_after(world: World) -> None:
    with world.node("mortal") as node:
        run, family = begin_breed(world, "bereaved", seconds=4)
        zygote = node.zygote()
        kill(node.process.pid)
        node.ends()
        assert world.ends(run) == "COMPLETED"
        until(lambda: not living([zygote, *family]), "all dead")


def test_a_node_that_comes_back_ends_and_reports_what_its_dead_predecessor_left(world: World) -> None:
    with world.node("phoenix") as node:
        run, family = begin_breed(world, "left")
        other, healthy = begin_breed(world, "other")
        zygote = node.zygote()
        kill(node.process.pid)
        kill(zygote)
        kill(healthy[0])
        node.ends()
    with world.node("phoenix"):
        until(lambda: not living([*family, *healthy]), "all dead")
        assert world.ends(run) == "CRASHED"
        assert world.ends(other) == "CRASHED"


def test_a_node_outlives_its_server_and_starts_without_it(tmp_path_factory: pytest.TempPathFactory) -> None:
    home = tmp_path_factory.mktemp("away")
    port = free_port()
    server = start_server(home, port)
    try:
        world = World(f"http://127.0.0.1:{port}/api", home)
        world.env["PREFECT_WORKER_HEARTBEAT_SECONDS"] = "2"
        with closing(world), world.node("patient") as node:
            run, family = begin_breed(world, "through")
            stop_server(server)
            until(lambda: "cannot take runs from" in node.text(), "said so")
            with world.node("early", ready=False) as early:
                until(lambda: "cannot take runs from" in early.text(), "said so, too")
                server = start_server(home, port)
                early.is_ready()
                early.send(signal.SIGTERM)
                assert early.ends() == 0
            next_run = world.start("look", out=str(home / "seen"))
            assert world.ends(next_run) == "COMPLETED"
            world.cancel(run)
            assert world.ends(run) == "CANCELLED"
            assert living(family) == []
    finally:
        stop_server(server)
