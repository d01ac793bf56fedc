"""Runs as a node would leave them, made on the server without one."""

import json
import time
from collections.abc import Mapping, Sequence

from tests.worlds.cli import Cli

ROW = {
    "task": "one",
    "verdict": "ok",
    "detail": "",
    "attempts": 1,
    "turns": 3,
    "cost_usd": 0.25,
    "duration_seconds": 4.2,
    "session_id": "5e55-10n",
    "transcript": "/t.ndjson",
    "node": "n1",
}


def state(ccs: Cli, run: str, kind: str, message: str = "", **more: object) -> None:
    """Put a run into a state."""
    body = {"state": {"type": kind, "message": message, **more}, "force": True}
    assert ccs.ask("POST", f"/flow_runs/{run}/set_state", body).json()["status"] == "ACCEPT"


def table(ccs: Cli, run: str, rows: Sequence[Mapping[str, object]]) -> None:
    """Leave the rows about the tasks of a run."""
    data = json.dumps([{**ROW, **row} for row in rows])
    body = {"key": "ccs-job", "type": "table", "data": data, "flow_run_id": run}
    assert ccs.ask("POST", "/artifacts/", body).status_code == 201


def ended(ccs: Cli, run: str, kind: str, **row: object) -> None:
    """End a run whose one task left this row."""
    table(ccs, run, [row])
    state(ccs, run, kind, f"it {kind.lower()}")


def live_node(ccs: Cli, name: str = "n1", pool: str = "ccs") -> None:
    """Have a node say that it is alive."""
    assert ccs.ask("POST", f"/work_pools/{pool}/workers/heartbeat", {"name": name}).status_code == 204


def newest(ccs: Cli, job: str) -> str:
    """The id of the latest run of a job, once there is one."""
    until = time.monotonic() + 120
    while time.monotonic() < until:
        said = ccs("runs", "list", "--job", job)
        if said.code == 0 and (runs := said.json["runs"]):
            return str(runs[0]["id"])
        time.sleep(0.1)
    raise AssertionError("the run was not created")
