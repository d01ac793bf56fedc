"""A world for runs in this process: a real server, a profile that leads to the scripted API, a repository."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Literal
from uuid import UUID, uuid4

import httpx
import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.exceptions import Abort
from prefect.flow_engine import run_flow
from prefect.settings import PREFECT_API_URL, temporary_settings

from ccs.blocks.env import Source, Variable
from ccs.blocks.profile import Profile
from ccs.flows.job import job as flow
from ccs.flows.server.names import limit_variable
from tests.fakes.anthropic import FakeApi, marker
from tests.fakes.scenario import usage_limit
from tests.worlds.node import ENDED
from tests.worlds.processes import PATIENCE, until
from tests.worlds.server import client

KEY = "sk-ant-api03-Zq9Kd8Xw2Pm5Ra7Lt4Vb6"
KEY_ON_THE_NODE = Variable(source=Source.ENV, value="KEY_ON_THE_NODE")


class Server:
    """What the tests read back over the API, as the UI would."""

    def __init__(self, http: httpx.Client) -> None:
        self.http = http

    def post(self, path: str, **body: Any) -> Any:
        return self.http.post(path, json=body).raise_for_status().json()

    def artifacts(self, state: State[Any]) -> list[dict[str, Any]]:
        return list(self.post("/artifacts/filter", flow_runs={"id": {"any_": [run_id(state)]}}))

    def rows(self, state: State[Any]) -> list[dict[str, Any]]:
        tables = [a for a in self.artifacts(state) if a["type"] == "table"]
        table = max(tables, key=lambda a: str(a["updated"]))  # a run that has waited leaves one for each part
        rows: list[dict[str, Any]] = json.loads(table["data"])
        return rows

    def task_runs(self, state: State[Any]) -> dict[str, dict[str, Any]]:
        """Task runs by name; they reach the database through the event stream, a moment later."""
        asked = {"id": {"any_": [run_id(state)]}}

        def ended() -> list[dict[str, Any]] | Literal[False]:
            found = self.post("/task_runs/filter", flow_runs=asked)
            return bool(found) and all(r["state"]["type"] in ENDED for r in found) and found

        return {r["name"]: r for r in until(ended, "all its task runs have ended")}

    def logs(self, state: State[Any], until: str) -> str:
        """The run's log, waited for until it holds the text."""
        text, deadline = "", time.monotonic() + PATIENCE
        while until not in text:
            assert time.monotonic() < deadline, f"{until!r} is not in the log:\n{text}"
            lines = self.post("/logs/filter", logs={"flow_run_id": {"any_": [run_id(state)]}}, sort="TIMESTAMP_ASC")
            text = "\n".join(line["message"] for line in lines)
            time.sleep(0.05)
        return text


def run_id(state: State[Any]) -> str:
    """The id of the flow run that ended in a state."""
    return str(state.state_details.flow_run_id)


@contextmanager
def connected(url: str) -> Iterator[Server]:
    """The server at this address, which is Prefect's meanwhile."""
    with temporary_settings({PREFECT_API_URL: url}), closing(client(url)) as http:
        yield Server(http)


def save_profile(name: str, api: FakeApi, **login: Variable) -> str:
    """Save a profile that leads to the scripted API and logs in like this; its name."""
    leads = {"ANTHROPIC_BASE_URL": static(api.url), "CLAUDE_CODE_MAX_RETRIES": static("0")}
    Profile(variables={**leads, **login}).save(name, overwrite=True)
    return name


def static(value: str) -> Variable:
    """A variable of a profile that is what it says."""
    return Variable(source=Source.STATIC, value=value)


def limited(resets_in: float = 3600, window: str = "five_hour", **fields: Any) -> dict[str, Any]:
    """The step by which the API tells a subscriber that the usage limit is reached, for so many seconds."""
    return usage_limit(int(time.time() + resets_in), window, **fields)


def over_attempts(*steps: dict[str, Any]) -> list[dict[str, Any]]:
    """Steps of which each attempt meets the next, whatever its session."""
    return [{**steps[0], "across": str(uuid4())}, *steps[1:]]


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


def resumed(server: Server, run_id: str) -> State[Any] | None:
    """Have a run that waits go on in this process, as if what it waits for were there; None when it waits again."""
    found = server.http.get(f"/flow_runs/{run_id}").raise_for_status().json()
    now = {"type": "SCHEDULED", "name": "AwaitingRetry", "state_details": {"scheduled_time": found["created"]}}
    server.post(f"/flow_runs/{run_id}/set_state", state=now, force=True)
    with get_client(sync_client=True) as client:
        taken = client.read_flow_run(UUID(run_id))
    try:
        state = run_flow(flow, flow_run=taken, parameters=found["parameters"], return_type="state")
    except Abort:
        return None
    assert isinstance(state, State)
    return state


def waits(server: Server, profile: str, repository: Path, *tasks: dict[str, Any], **fields: Any) -> str:
    """Run a job until it waits for a usage limit; the id of the run."""
    with pytest.raises(Abort):
        run(profile, repository, *tasks, **fields)
    begun = {"start_time": {"is_null_": False}}
    (newest,) = server.post("/flow_runs/filter", sort="START_TIME_DESC", limit=1, flow_runs=begun)
    assert newest["state"]["name"] == "AwaitingRetry", newest["state"]
    return str(newest["id"])


def change_row(server: Server, run_id: str, change: Callable[[dict[str, Any]], dict[str, Any]]) -> dict[str, Any]:
    """Change fields of the only row of a run, as if more had happened before; the row as it was."""
    found = server.post("/artifacts/filter", flow_runs={"id": {"any_": [run_id]}})
    table = max((a for a in found if a["type"] == "table"), key=lambda a: str(a["updated"]))
    (row,) = json.loads(table["data"])
    data = json.dumps([{**row, **change(row)}])
    server.http.patch(f"/artifacts/{table['id']}", json={"data": data}).raise_for_status()
    return dict(row)


def limit_ends(server: Server, profile: str) -> None:
    """The limit that holds for a profile is over."""
    found = server.http.get(f"/variables/name/{limit_variable(profile, '')}").raise_for_status().json()
    server.http.delete(f"/variables/{found['id']}").raise_for_status()
