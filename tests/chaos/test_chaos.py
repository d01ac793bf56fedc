"""The counting of chaos is not blind: each thing that must not happen is seen when it does."""

import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.chaos.world import COUNTS, World

pytestmark = [pytest.mark.server, pytest.mark.node, pytest.mark.claude]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with closing(World(tmp_path / "world")) as world:
        yield world


def test_where_nothing_happened_nothing_is_counted_and_each_thing_that_did_is(world: World) -> None:
    world.job("job", world.task("one", world.works("never")), budget=0.01)
    world.once.clear()
    world.count()
    assert world.problems == []
    world.once.add("never")
    world.effects.write_text("twice\ntwice\n")
    (world.repository / "left").write_text("")
    (world.copies / "a-run").mkdir(parents=True)
    (world.copies / "a-run" / "5e551011-1").write_text("printed\n")
    world.runs.append("a-run")
    reply = {"step": {"usage": {"output_tokens": 10_000}}, "index": None, "side": False}
    world.api_of_claude.requests.append(reply)
    survivor = subprocess.Popen(["sleep", world.mark])
    world.patience = 1
    world.count()
    survivor.kill()
    survivor.wait()
    found = {column: sum(n for count, n, _ in world.problems if count == column) for column in COUNTS}
    assert found == pytest.approx(
        {"verdicts": 2, "bytes": 7, "processes": 1, "work": 2, "dirty": 1, "over $": 0.0902}
    ), world.problems
