"""The node at work: how runs start, how many, and how they are cancelled or killed."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ccs.flows.budgets.sums import Period, UsedUp
from ccs.flows.server.names import PAUSED, paused_variable
from tests.worlds.node import Node, World
from tests.worlds.processes import kill, living, until

pytestmark = pytest.mark.node

COLD = f"{sys.executable} -m prefect.engine"


@pytest.fixture(scope="module")
def world(server_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with closing(World(server_url, tmp_path_factory.mktemp("node"))) as world:
        yield world


@pytest.fixture(scope="module")
def node(world: World) -> Iterator[Node]:
    with world.node("worker-bee", "--limit", "2") as node:
        yield node


def sockets(pid: int) -> set[str]:
    links = (str(path.readlink()) for path in Path(f"/proc/{pid}/fd").iterdir())
    return {link for link in links if link.startswith("socket:")}


def test_a_run_gets_the_nodes_variables_the_jobs_over_them_and_defaults_below(
    world: World, node: Node, tmp_path: Path
) -> None:
    env = {"PREFECT_CLIENT_MAX_RETRIES": "7", "CCS_TEST": "job"}
    run = world.start("look", {"env": env, "working_dir": str(tmp_path)}, out=str(tmp_path / "seen"))
    assert world.ends(run) == "COMPLETED"
    seen = json.loads((tmp_path / "seen").read_text())
    assert seen["env"]["HOME"] == world.env["HOME"]
    assert seen["env"]["CCS_TEST"] == "job"
    assert seen["env"]["PREFECT_CLIENT_MAX_RETRIES"] == "7"
    assert seen["env"]["PREFECT_LOGGING_TO_API_BATCH_INTERVAL"] == "0.5"
    assert seen["env"]["CCS_RUN_ID"] == run
    assert seen["env"]["CCS_NODE"] == node.name
    assert seen["cwd"] == str(tmp_path)
    assert str(tmp_path) not in seen["path"][:3]
    assert seen["title"] == f"ccs:{run[:8]}"
    assert seen["leads_session"]
    assert seen["interrupt"]


def test_a_run_with_a_command_of_its_own_starts_cold(world: World, node: Node, tmp_path: Path) -> None:
    run = world.start("look", {"command": COLD}, out=str(tmp_path / "seen"))
    assert world.ends(run) == "COMPLETED"
    assert json.loads((tmp_path / "seen").read_text())["title"].startswith("python")


def test_no_more_runs_at_a_time_than_the_limit(world: World, node: Node, tmp_path: Path) -> None:
    runs = [world.start("stay", out=str(tmp_path / str(i)), seconds=0.5) for i in range(5)]
    assert [world.ends(run) for run in runs] == ["COMPLETED"] * 5
    begun = [(float((tmp_path / f"{i}.begun").read_text()), 1) for i in range(5)]
    ended = [(float((tmp_path / f"{i}.ended").read_text()), -1) for i in range(5)]
    at_once = most = 0
    for _, change in sorted(begun + ended):
        at_once += change
        most = max(most, at_once)
    assert most <= 2


def test_a_cancelled_run_is_cancelled_and_leaves_no_process(world: World, node: Node) -> None:
    run = world.start("breed", out=str(world.folder / "cancelled"), seconds=600)
    family = world.family("cancelled")
    assert len(living(family)) == 4
    if os.geteuid() == 0:  # a secluded process shows its descriptors to nobody else
        assert not sockets(family[0]) & sockets(node.zygote())
    world.cancel(run)
    assert world.ends(run) == "CANCELLED"
    assert living(family) == []


def test_a_killed_run_is_crashed_and_leaves_no_process(world: World, node: Node) -> None:
    run = world.start("breed", out=str(world.folder / "killed"), seconds=600)
    family = world.family("killed")
    kill(family[0])
    assert world.ends(run) == "CRASHED"
    until(lambda: not living(family), "all dead")


def test_a_run_that_completes_leaves_no_process(world: World, node: Node) -> None:
    run = world.start("breed", out=str(world.folder / "completed"), seconds=0)
    assert world.ends(run) == "COMPLETED"
    until(lambda: not living(world.family("completed")), "all dead")


def test_a_killed_cold_run_is_crashed_and_leaves_no_process(world: World, node: Node) -> None:
    run = world.start("breed", {"command": COLD}, out=str(world.folder / "cold"), seconds=600)
    family = world.family("cold")
    kill(family[0])
    assert world.ends(run) == "CRASHED"
    until(lambda: not living(family), "all dead")


def test_a_command_that_does_not_exist_crashes_the_run(world: World, node: Node) -> None:
    run = world.start("look", {"command": "/no/such/command"}, out="x")
    assert world.ends(run) == "CRASHED"
    assert "Command not found" in world.state(run)["message"]
    assert "/no/such/command" in node.text()


def test_a_command_that_is_none_crashes_the_run_and_says_so(world: World, node: Node) -> None:
    run = world.start("look", {"command": "python 'unclosed"}, out="x")
    assert world.ends(run) == "CRASHED"
    assert "is none: No closing quotation" in node.text()


def test_a_run_survives_the_zygote_and_the_next_run_gets_a_new_one(world: World, node: Node, tmp_path: Path) -> None:
    run = world.start("stay", out=str(tmp_path / "orphan"), seconds=2)
    until((tmp_path / "orphan.begun").exists, "begun")
    kill(node.zygote())
    assert world.ends(run) == "COMPLETED"
    run = world.start("look", out=str(tmp_path / "seen"))
    assert world.ends(run) == "COMPLETED"
    assert json.loads((tmp_path / "seen").read_text())["title"] == f"ccs:{run[:8]}"


def test_a_login_in_the_servers_address_is_refused_without_showing_it(world: World) -> None:
    command = [sys.executable, "-m", "ccs.deployments.node", "--pool", world.pool]
    env = {**world.env, "PREFECT_API_URL": "http://me:geheim@127.0.0.1:9/api"}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=300)
    assert (done.returncode, "holds a login" in done.stderr, "geheim" in done.stdout + done.stderr) == (2, True, False)


def test_a_folder_of_state_in_the_home_of_nobody_is_refused_with_a_sentence(world: World) -> None:
    command = [sys.executable, "-m", "ccs.deployments.node", "--pool", world.pool]
    env = {**world.env, "CCS_HOME": "~no-such-user/x"}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=300)
    words = "ccs node: CCS_HOME '~no-such-user/x' begins with the name of a user that is not on this machine"
    assert (done.returncode, words in done.stderr, "Traceback" in done.stderr) == (2, True, False)


def test_a_node_resumes_a_job_whose_budget_is_there_again(world: World) -> None:
    flow = world.api.post("/flows/", json={"name": "job"}).json()["id"]
    body = {"name": f"poor-{world.pool}", "flow_id": flow, "paused": True}
    job = world.api.post("/deployments/", json=body).json()["id"]
    yesterday = datetime.now(UTC) - timedelta(days=1)
    why = UsedUp("job", "poor", Period.DAY, 5_000_000, 5_020_000, yesterday)
    record = {"name": paused_variable(job), "value": why.dump(), "tags": [PAUSED]}
    assert world.api.post("/variables/", json=record).status_code == 201
    with world.node("generous"):
        until(lambda: not world.api.get(f"/deployments/{job}").json()["paused"], "the job goes on")
