"""What runs leave that a node lost, or that were cancelled while they waited: cleaned up, and gone on with."""

import os
import signal
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ccs.cli.client import editing
from ccs.cli.client.api import Api
from ccs.cli.client.settings import Settings
from ccs.flows.spec.job import Job
from tests.fakes.anthropic import FakeApi
from tests.worlds.claude import bundled_claude
from tests.worlds.cli import Cli
from tests.worlds.flow import (
    KEY,
    KEY_ON_THE_NODE,
    Server,
    does,
    limit_ends,
    limited,
    run,
    save_profile,
    static,
    task,
    waits,
)
from tests.worlds.git import git
from tests.worlds.node import Node, World
from tests.worlds.processes import until

pytestmark = [pytest.mark.node, pytest.mark.claude]

SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
KEPT = ("verdict", "session_id", "commit", "output", "transcript")


@dataclass
class Night:
    """A node that runs jobs of real tasks, and the command line beside it."""

    world: World
    node: Node
    ccs: Cli
    api: FakeApi

    def profile(self, name: str) -> None:
        """Make a profile of this name that leads to the scripted API."""
        save_profile(name, self.api, IS_SANDBOX=static("1"), ANTHROPIC_API_KEY=KEY_ON_THE_NODE)

    def starts(self, name: str, place: Path, *tasks: dict[str, Any], **fields: Any) -> str:
        """Start a run of a new job; its id."""
        directory = {"path": str(place), **fields.pop("working_directory", {})}
        job = Job.model_validate({"name": name, "working_directory": directory, "tasks": list(tasks), **fields})
        with closing(Api(Settings(self.ccs.env))) as api:
            api.create_job(editing.deployment_of(job, self.world.pool, []))
        return str(self.ccs.ok("jobs", "run", name).json["id"])

    def get(self, run: str) -> dict[str, Any]:
        found: dict[str, Any] = self.ccs.ok("runs", "get", run).json
        return found

    def rows(self, run: str) -> dict[str, dict[str, Any]]:
        return {row["task"]: row for row in self.get(run)["tasks"]}

    def ends(self, run: str) -> str:
        """The name of the state in which a run ended."""
        self.world.ends(run)
        return str(self.world.state(run)["name"])

    def log(self, run: str) -> str:
        return self.ccs.ok("runs", "logs", run, "--output", "table").out

    def kills(self, run: str) -> None:
        """Kill the process of a run, and nothing else of it."""
        pid = until(lambda: self.world.api.get(f"/flow_runs/{run}").json()["infrastructure_pid"], "it has a process")
        os.kill(int(pid), signal.SIGKILL)


@pytest.fixture(scope="module")
def night(server: Server, fake_api: FakeApi, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Night]:
    url = str(server.http.base_url).rstrip("/")
    with closing(World(url, tmp_path_factory.mktemp("night"))) as world:
        world.env |= {"CCS_CLAUDE": bundled_claude(), "KEY_ON_THE_NODE": KEY}
        with world.node("n", "--limit", "4") as node:
            yield Night(world, node, Cli({"PREFECT_API_URL": url}), fake_api)


def test_a_run_whose_process_is_killed_leaves_nothing_and_goes_on_where_it_was(night: Night, repository: Path) -> None:
    stay = {"tool": "Bash", "input": {"command": "echo half > half.txt; echo more >> README; sleep 600"}}
    night.api.rules = [["n is 7", [{**stay, "across": "killed"}, {"text": "second is done"}]]]
    first = task("first", {"structured": {"n": 7}}, output_schema=SCHEMA)
    second = {"name": "second", "prompt": "n is {{ tasks.first.output.n }}", "permissions": "bypass"}
    night.profile("killed")
    killed = night.starts("killed", repository, does("zero", "echo 0 > zero.txt"), first, second, profile="killed")
    until(lambda: (repository / "half.txt").exists(), "the second task works")
    other = night.starts("other", repository, does("a", "echo a > a.txt"), profile="killed")
    until(lambda: "this one waits" in night.log(other), "the other run waits for its turn")
    night.kills(killed)
    assert night.ends(killed) == "Crashed"
    assert night.ends(other) == "Completed"  # it is not refused for what the killed one left
    assert git(repository, "log", "--format=%s").splitlines() == [
        "other/a: a is done",
        "killed/zero: zero is done",
        "first",
    ]
    assert git(repository, "status", "--porcelain") == ""
    said = "set aside 2 files as refs/ccs/aside/"  # by the node or by the other run, who is faster
    until(lambda: said in night.log(killed) + night.log(other), "it is said")
    before, seen = night.rows(killed), len(night.api.requests)
    again = str(night.ccs.ok("runs", "restart", killed, "--from-failed").json["id"])
    assert night.ends(again) == "Completed"
    assert len(night.api.requests) == seen + 1
    after = night.rows(again)
    for name in ("zero", "first"):
        assert {key: after[name][key] for key in KEPT} == {key: before[name][key] for key in KEPT}
    assert (after["first"]["output"], after["zero"]["attempts"], after["second"]["verdict"]) == ({"n": 7}, 0, "ok")


def test_what_a_run_leaves_that_is_cancelled_while_it_waits(
    server: Server, profile: str, subscription: str, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IS_SANDBOX", "1")
    (repository / "sub").mkdir()
    work = does("a", "echo new > new.txt; echo more >> ../README", limited())
    waiting = waits(server, subscription, repository / "sub", work)
    assert git(repository, "status", "--porcelain").splitlines() == [" M README", "?? sub/"]
    refused = run(profile, repository, task("b", {"text": "x"}))
    assert f"holds what run {waiting} has changed so far, which waits and goes on there" in (refused.message or "")
    Cli({"PREFECT_API_URL": str(server.http.base_url)}).ok("runs", "stop", waiting)
    after = run(profile, repository, does("b", "echo b > b.txt"))
    assert after.is_completed(), after.message
    said = f"task a of run {waiting} was interrupted: set aside 2 files as refs/ccs/aside/"
    assert said in server.logs(after, until=said)
    assert git(repository, "status", "--porcelain") == ""
    assert git(repository, "for-each-ref", "refs/ccs/before") == ""
    assert git(repository, "show", "--name-only", "--format=") == "b.txt"
    limit_ends(server, subscription)
