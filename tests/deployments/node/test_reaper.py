"""The reaper: which processes it ends, and which it leaves alone."""

import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator

import pytest

from ccs.deployments.node import reaper
from ccs.flows.node.processes import identity

STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(600)"
POLITE = "import time; print(1, flush=True); time.sleep(600)"
ZYGOTE = f"from ccs.flows.node.processes import take_title; take_title({reaper.ZYGOTE_TITLE!r}); {POLITE}"
Spawn = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def spawn() -> Iterator[Spawn]:
    started: list[subprocess.Popen[bytes]] = []

    def start(code: str = POLITE, **marks: str) -> "subprocess.Popen[bytes]":
        process = subprocess.Popen(
            [sys.executable, "-c", code], env=os.environ | marks, stdout=subprocess.PIPE, start_new_session=True
        )
        started.append(process)
        assert process.stdout is not None
        process.stdout.read(1)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def dead_owner() -> str:
    gone = subprocess.Popen(["sleep", "600"])
    owner = identity(gone.pid)
    gone.kill()
    gone.wait()
    assert owner
    return owner


def test_processes_of_the_run_end_politely_or_not_and_others_live(spawn: Spawn) -> None:
    run = str(uuid.uuid4())
    mine = [spawn(CCS_RUN_ID=run), spawn(STUBBORN, CCS_RUN_ID=run)]
    other = spawn(CCS_RUN_ID=run + "0")
    assert reaper.end_run(run, grace=3) == 2
    assert [process.wait(120) for process in mine] == [-15, -9]
    assert other.poll() is None


def test_nothing_to_end_is_no_error() -> None:
    assert reaper.end_run(str(uuid.uuid4())) == 0


def test_leftovers_of_a_dead_node_end_and_their_runs_are_named(spawn: Spawn) -> None:
    run = str(uuid.uuid4())
    left = spawn(CCS_NODE="n", CCS_NODE_PID=dead_owner(), CCS_RUN_ID=run)
    assert reaper.end_leftovers("n", grace=30) == {run}
    assert left.wait(120) == -15


def test_what_a_living_node_owns_is_no_leftover(spawn: Spawn) -> None:
    spared = [
        spawn(CCS_NODE="n", CCS_NODE_PID=identity(os.getpid()) or ""),
        spawn(CCS_NODE="another", CCS_NODE_PID=dead_owner()),
        spawn(CCS_NODE="n"),  # nobody knows whose
    ]
    assert reaper.end_leftovers("n", grace=1) == set()
    assert all(process.poll() is None for process in spared)


def test_runs_whose_zygote_lives_may_finish_after_their_node(spawn: Spawn) -> None:
    owner = dead_owner()
    spared = [spawn(ZYGOTE, CCS_NODE="n", CCS_NODE_PID=owner), spawn(CCS_NODE="n", CCS_NODE_PID=owner)]
    assert reaper.end_leftovers("n", grace=1) == set()
    assert all(process.poll() is None for process in spared)
