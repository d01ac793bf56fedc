"""What a run's children see of node, zygote and run, as a user without rights; and what the next node finds of them."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.worlds.node import World
from tests.worlds.processes import kill, living, until

NOBODY = 65534
SETPRIV = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
READING = ("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")
"""It may read the files of this checkout, wherever they are; that opens nothing of another process."""

pytestmark = [pytest.mark.node, pytest.mark.skipif(sys.platform != "linux", reason="only Linux secludes a process")]


def as_nobody() -> list[str]:
    """What a command of a user without rights begins with; nothing for a test that has none itself."""
    if os.geteuid() != 0:
        return []
    prefix = [*SETPRIV, *READING]
    if not shutil.which("setpriv") or subprocess.run([*prefix, sys.executable, "-c", ""], check=False).returncode:
        pytest.skip("root sees everything, and cannot become another user here")
    return prefix


@pytest.fixture(scope="module")
def world(server_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with closing(World(server_url, tmp_path_factory.mktemp("secluded"))) as world:
        world.prefix = as_nobody()
        world.env |= {"PREFECT_API_AUTH_STRING": "me:hush-hush"}
        if world.prefix:
            os.chown(world.folder, NOBODY, NOBODY)
        yield world


def test_a_runs_children_see_no_login_of_the_node(world: World) -> None:
    with world.node("secluded") as node:
        if world.prefix:  # root: it would show, if only until the zygote has begun to hide it
            assert b"hush-hush" not in Path(f"/proc/{node.zygote()}/environ").read_bytes()
        assert world.ends(world.start("peek", out=str(world.folder / "peeked"))) == "COMPLETED"
    seen = json.loads((world.folder / "peeked").read_text())
    assert seen == {"own": "me:hush-hush", "childs": ""}


def test_the_runs_of_a_killed_node_may_finish_beside_the_next_one(world: World) -> None:
    with world.node("killed") as node:
        run = world.start("breed", out=str(world.folder / "spared"), seconds=600)
        pids = world.family("spared")
        node.process.kill()
        node.process.wait()
    with world.node("killed"):
        assert living(pids) == pids
        (world.folder / "spared.end").touch()
        assert world.ends(run) == "COMPLETED"
        until(lambda: not living(pids), "nothing is left")


def test_what_is_left_of_a_node_and_its_zygote_is_ended_by_the_next_one(world: World) -> None:
    with world.node("gone") as node:
        world.start("breed", out=str(world.folder / "left"), seconds=600)
        pids, zygote = world.family("left"), node.zygote()
        node.process.kill()
        node.process.wait()
        kill(zygote)
    with world.node("gone"):
        until(lambda: not living(pids), "nothing is left")
