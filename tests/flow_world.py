"""A world for runs in this process: a real server, a profile that leads to the scripted API, a repository."""

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from claude_fixtures import bundled_claude
from fake_anthropic import FakeApi, marker
from prefect.client.schemas.objects import State
from prefect.settings import PREFECT_API_URL, temporary_settings

from ccs.blocks.env import Source, Variable
from ccs.blocks.profile import Profile
from ccs.flows.job import job as flow

KEY = "sk-ant-api03-Zq9Kd8Xw2Pm5Ra7Lt4Vb6"


class Server:
    """What the tests read back over the API, as the UI would."""

    def __init__(self, url: str) -> None:
        self.http = httpx.Client(base_url=url, timeout=30)

    def post(self, path: str, **body: Any) -> Any:
        return self.http.post(path, json=body).raise_for_status().json()

    def artifacts(self, state: State[Any]) -> list[dict[str, Any]]:
        return list(self.post("/artifacts/filter", flow_runs={"id": {"any_": [run_id(state)]}}))

    def rows(self, state: State[Any]) -> list[dict[str, Any]]:
        (table,) = [a for a in self.artifacts(state) if a["type"] == "table"]
        rows: list[dict[str, Any]] = json.loads(table["data"])
        return rows

    def task_runs(self, state: State[Any]) -> dict[str, dict[str, Any]]:
        """Task runs by name; they reach the database through the event stream, a moment later."""
        found: list[dict[str, Any]] = []
        for _ in range(100):
            found = self.post("/task_runs/filter", flow_runs={"id": {"any_": [run_id(state)]}})
            if found and all(r["state"]["type"] in ("COMPLETED", "FAILED", "CRASHED") for r in found):
                break
            time.sleep(0.1)
        return {r["name"]: r for r in found}

    def logs(self, state: State[Any], until: str) -> str:
        """The run's log, waited for until it holds the text."""
        text = ""
        for _ in range(100):
            lines = self.post("/logs/filter", logs={"flow_run_id": {"any_": [run_id(state)]}}, sort="TIMESTAMP_ASC")
            text = "\n".join(line["message"] for line in lines)
            if until in text:
                return text
            time.sleep(0.1)
        raise AssertionError(f"{until!r} is not in the log:\n{text}")


def run_id(state: State[Any]) -> str:
    """The id of the flow run that ended in a state."""
    return str(state.state_details.flow_run_id)


@pytest.fixture(scope="module")
def server(server_url: str) -> Iterator[Server]:
    with temporary_settings({PREFECT_API_URL: server_url}):
        server = Server(server_url)
        yield server
        server.http.close()


@pytest.fixture(scope="module")
def api() -> Iterator[FakeApi]:
    with FakeApi() as api:
        yield api


@pytest.fixture
def profile(server: Server, api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> str:
    """A profile that leads to the scripted API, its key read from the node's environment."""
    monkeypatch.setenv("KEY_ON_THE_NODE", KEY)
    monkeypatch.setenv("CCS_CLAUDE", str(bundled_claude()))
    Profile(
        variables={
            "ANTHROPIC_BASE_URL": Variable(source=Source.STATIC, value=api.url),
            "ANTHROPIC_API_KEY": Variable(source=Source.ENV, value="KEY_ON_THE_NODE"),
            "CLAUDE_CODE_MAX_RETRIES": Variable(source=Source.STATIC, value="0"),
        }
    ).save("scripted", overwrite=True)
    return "scripted"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    path = tmp_path / "a repository"
    path.mkdir()
    git(path, "init", "-q")
    (path / "README").write_text("a repository\n")
    git(path, "add", ".")
    git(path, "commit", "-q", "-m", "first")
    return path


def git(directory: Path, *arguments: str) -> str:
    """What git answers."""
    return subprocess.run(["git", *arguments], cwd=directory, check=True, capture_output=True, text=True).stdout.strip()


def task(name: str, *steps: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A task whose prompt scripts what the API answers."""
    return {"name": name, "prompt": f"do {name} {marker(*steps)}", "permissions": "acceptEdits", **fields}


def does(name: str, command: str, *steps: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A task in which claude runs one command in a shell; root needs IS_SANDBOX for that."""
    step = {"tool": "Bash", "input": {"command": command}}
    return task(name, step, *(steps or ({"text": f"{name} is done"},)), **{"permissions": "bypass", **fields})


def run(
    profile: str | None,
    repository: Path,
    *tasks: dict[str, Any],
    only: tuple[str, ...] = (),
    continues: str = "",
    **fields: Any,
) -> State[Any]:
    """Run a job of these tasks to its end."""
    spec = {
        "name": "nightly",
        "profile": profile,
        "working_directory": {"path": str(repository)},
        "tasks": list(tasks),
        **fields,
    }
    state = flow(job=spec, only=list(only), continues=continues, return_state=True)
    assert isinstance(state, State)
    return state
