"""What runs leave that a node lost, or that were cancelled while they waited: cleaned up, and gone on with."""

import os
import signal
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from claude_fixtures import bundled_claude
from cli_world import Cli
from fake_anthropic import FakeApi
from flow_world import KEY, Server, api, does, git, repository, server, task
from node_world import Node, World, until

from ccs.blocks.env import Source, Variable
from ccs.blocks.profile import Profile
from ccs.cli import editing
from ccs.cli.api import Api
from ccs.cli.settings import Settings
from ccs.flows.spec import Job, limit_variable

__all__ = ["api", "repository", "server"]  # fixtures

SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
KEPT = ("verdict", "session_id", "commit", "output", "transcript")
LIMITED = {"status": 429, "headers": {"x-should-retry": "false"}}


@dataclass
class Night:
    """A node that runs jobs of real tasks, and the command line beside it."""

    world: World
    node: Node
    ccs: Cli
    api: FakeApi

    def profile(self, name: str) -> str:
        """A profile of this name that leads to the scripted API."""
        values = {"ANTHROPIC_BASE_URL": self.api.url, "CLAUDE_CODE_MAX_RETRIES": "0", "IS_SANDBOX": "1"}
        variables = {name: Variable(source=Source.STATIC, value=value) for name, value in values.items()}
        key = Variable(source=Source.ENV, value="KEY_ON_THE_NODE")
        Profile(variables={**variables, "ANTHROPIC_API_KEY": key}).save(name, overwrite=True)
        return name

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

    def waits(self, run: str) -> None:
        """Wait until a run waits for a usage limit."""
        until(lambda: self.world.state(run)["name"] == "AwaitingRetry", f"run {run} waits: {self.get(run)}")

    def lifts(self, profile: str) -> None:
        """Lift the usage limit of a profile."""
        for found in self.ccs.ask("POST", "/variables/filter", {}).json():
            if found["name"] == limit_variable(profile, ""):
                self.ccs.ask("DELETE", f"/variables/{found['id']}")

    def goes_on(self, run: str) -> None:
        """Let the time come for which a run waits."""
        due = {"scheduled_time": datetime.now(UTC).isoformat()}
        state = {"type": "SCHEDULED", "name": "AwaitingRetry", "state_details": due}
        assert self.ccs.ask("POST", f"/flow_runs/{run}/set_state", {"state": state, "force": True}).is_success

    def log(self, run: str) -> str:
        return self.ccs.ok("runs", "logs", run, "--output", "table").out

    def kills(self, run: str) -> None:
        """Kill the process of a run, and nothing else of it."""
        pid = until(lambda: self.world.api.get(f"/flow_runs/{run}").json()["infrastructure_pid"], "it has a process")
        os.kill(int(pid), signal.SIGKILL)


@pytest.fixture(scope="module")
def night(server: Server, api: FakeApi, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Night]:
    url = str(server.http.base_url).rstrip("/")
    with closing(World(url, tmp_path_factory.mktemp("night"))) as world:
        world.env |= {"CCS_CLAUDE": bundled_claude(), "KEY_ON_THE_NODE": KEY}
        with world.node("n", "--limit", "4") as node:
            yield Night(world, node, Cli({"PREFECT_API_URL": url}), api)


def test_a_run_whose_process_is_killed_leaves_nothing_and_goes_on_where_it_was(night: Night, repository: Path) -> None:
    stay = {"tool": "Bash", "input": {"command": "echo half > half.txt; echo more >> README; sleep 600"}}
    night.api.rules = [["n is 7", [{**stay, "across": "killed"}, {"text": "second is done"}]]]
    first = task("first", {"structured": {"n": 7}}, output_schema=SCHEMA)
    second = {"name": "second", "prompt": "n is {{ tasks.first.output.n }}", "permissions": "bypass"}
    profile = night.profile("killed")
    run = night.starts("killed", repository, does("zero", "echo 0 > zero.txt"), first, second, profile=profile)
    until(lambda: (repository / "half.txt").exists(), "the second task works")
    other = night.starts("other", repository, does("a", "echo a > a.txt"), profile=profile)
    until(lambda: "this one waits" in night.log(other), "the other run waits for its turn")
    night.kills(run)
    assert night.ends(run) == "Crashed"
    assert night.ends(other) == "Completed"  # it is not refused for what the killed one left
    assert git(repository, "log", "--format=%s").splitlines() == [
        "other/a: a is done",
        "killed/zero: zero is done",
        "first",
    ]
    assert git(repository, "status", "--porcelain") == ""
    said = "set aside README and half.txt as refs/ccs/aside/"  # by the node or by the other run, who is faster
    until(lambda: said in night.log(run) + night.log(other), "it is said")
    before, seen = night.rows(run), len(night.api.requests)
    again = str(night.ccs.ok("runs", "restart", run, "--from-failed").json["id"])
    assert night.ends(again) == "Completed"
    assert len(night.api.requests) == seen + 1
    after = night.rows(again)
    for name in ("zero", "first"):
        assert {key: after[name][key] for key in KEPT} == {key: before[name][key] for key in KEPT}
    assert (after["first"]["output"], after["zero"]["attempts"], after["second"]["verdict"]) == ({"n": 7}, 0, "ok")


def test_what_a_run_leaves_that_is_cancelled_while_it_waits(night: Night, repository: Path) -> None:
    (repository / "sub").mkdir()
    work = does("a", "echo new > new.txt; echo more >> ../README", LIMITED)
    run = night.starts("waits", repository / "sub", work, profile=night.profile("waits"))
    night.waits(run)
    assert git(repository, "status", "--porcelain").splitlines() == ["M README", "?? sub/"]
    free = night.profile("free")
    refused = night.starts("refused", repository, does("a", "true"), profile=free)
    assert night.ends(refused) == "Failed"
    assert "has uncommitted changes (README)" in night.world.state(refused)["message"]
    night.ccs.ok("runs", "stop", run)
    after = night.starts("after", repository, does("a", "echo a > a.txt"), profile=free)
    assert night.ends(after) == "Completed", night.log(after)
    assert f"task a of run {run} was interrupted: set aside README and sub/new.txt" in night.log(after)
    assert git(repository, "status", "--porcelain") == ""
    assert git(repository, "for-each-ref", "refs/ccs/before") == ""
    assert git(repository, "show", "--name-only", "--format=") == "a.txt"
    night.lifts("waits")


def test_after_a_limit_a_run_repeats_nothing_and_decides_about_all_that_it_changed(
    night: Night, repository: Path
) -> None:
    last = "until [ -e ok.txt ] && [ -e bad.txt ]; do sleep 0.1; done; echo w > w.txt"
    waits = does("waits", last, LIMITED, {"text": "after the reset"})
    tasks = [does("ok", "echo ok > ok.txt"), waits, does("later", "echo l > l.txt", depends_on=["bad", "waits"])]
    for name, gate, state in (("good", "true", "Completed"), ("bad", "false", "Failed")):
        place = repository.parent / name
        git(repository, "worktree", "add", "-q", "-b", name, str(place))
        bad = does("bad", "echo bad > bad.txt", gates=[{"command": gate}])
        fields = {"profile": night.profile(name), "max_parallel": 3, "on_failure": "continue"}
        run = night.starts(name, place, *tasks, bad, **fields)
        night.waits(run)
        first = night.rows(run)
        assert {n: r["verdict"] for n, r in first.items()} == {
            "ok": "ok", "waits": "waiting", "later": "not_run", "bad": "ok" if gate == "true" else "gate",
        }  # fmt: skip
        seen = len(night.api.requests)
        night.lifts(name)
        night.goes_on(run)
        assert night.ends(run) == state, night.world.state(run)
        rows = night.rows(run)
        assert git(place, "status", "--porcelain") == ""
        if state == "Completed":
            assert len(night.api.requests) == seen + 3  # the rest of one task, and the whole of another
            assert {r["verdict"] for r in rows.values()} == {"ok"}
            assert rows["ok"]["commit"] == rows["waits"]["commit"] != ""
            (named,) = git(
                place, "log", "--format=%(trailers:key=Ccs-Task,valueonly)", "-1", rows["ok"]["commit"]
            ).split("\n")
            assert sorted(named.split(", ")) == ["bad", "ok", "waits"]
            assert night.get(run)["reason"].startswith("4 of 4 tasks ok, estimated $0.0032")
        else:
            assert len(night.api.requests) == seen + 1
            expected = {"ok": "commit", "waits": "commit", "later": "not_run", "bad": "gate"}
            assert {n: r["verdict"] for n, r in rows.items()} == expected
            assert rows["later"]["detail"] == "it depends on bad, which failed"
            assert all("bad.txt, ok.txt and w.txt" in rows[n]["aside"] for n in ("ok", "waits", "bad"))
            assert rows["ok"]["session_id"] == first["ok"]["session_id"]
