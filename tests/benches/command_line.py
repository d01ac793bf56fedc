"""How fast the command line is beside Prefect's own, on one server with many jobs and runs: prints ratios.

Run it: `python -m tests.benches.command_line [JOBS [RUNS]]` (1000 and 10,000 by default).
"""

import compileall
import json
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import ccs.cli.main
from ccs.cli.client import editing, provision
from ccs.cli.client.api import Api
from ccs.cli.client.settings import Settings
from ccs.cli.commands.schedule_options import build
from tests.worlds.server import clean_environment, running_server

REPEATS = 5
SETTLE = 20.0  # seconds in which the server makes the runs of the new schedules
BIN = Path(sys.executable).parent
PAIRS = (  # ours, Prefect's, how many times faster it has to be
    (("ccs", "--help"), ("prefect", "--help"), 10),
    (("ccs", "jobs", "list"), ("prefect", "deployment", "ls"), 6),
    (("ccs", "jobs", "list", "--limit", "1000"), ("prefect", "deployment", "ls"), 1),
    (("ccs", "tasks", "list"), ("prefect", "deployment", "ls"), 6),
    (("ccs", "runs", "list"), ("prefect", "flow-run", "ls", "--limit", "200"), 6),
    (("ccs", "runs", "list", "--limit", "200"), ("prefect", "flow-run", "ls", "--limit", "200"), 6),
)


def fill(url: str, database: Path, jobs: int, runs: int) -> None:
    """Have jobs of five tasks each, every tenth with a schedule, and runs that ended, with the tables of their tasks.

    Two jobs and a run are made through the API; the others are copies of their rows, which the server cannot tell from
    its own.
    """
    api = Api(Settings({"PREFECT_API_URL": url}))
    provision.provision(api, "ccs")
    tasks = [{"name": f"task {n}", "prompt": f"Do the thing number {n} of this job."} for n in range(5)]
    made = []
    for name, planned in (("plain", []), ("planned", build("0 9 * * 1-5", None, "Europe/Amsterdam"))):
        spec = {"name": name, "working_directory": {"path": "/srv/app"}, "tasks": tasks}
        made.append(str(api.create_job(editing.deployment_of(editing.checked(spec), "ccs", planned))["id"]))
    run = str(api.start_run(made[0], "bench", {})["id"])
    told = {"verdict": "ok", "attempts": 1, "turns": 3, "cost_usd": 0.25, "duration_seconds": 4.2}
    data = json.dumps([{"task": task["name"], **told} for task in tasks])
    api.post("/artifacts/", {"key": "ccs-bench", "type": "table", "data": data, "flow_run_id": run})
    api.post(f"/flow_runs/{run}/set_state", {"state": {"type": "COMPLETED"}, "force": True})
    api.close()
    with sqlite3.connect(database, timeout=60) as tables:
        plain, planned_job = (Row(tables, "deployment", "id", identity) for identity in made)
        plan = Row(tables, "deployment_schedule", "deployment_id", made[1])
        for number in range(jobs - 2):
            job = plain if number % 10 else planned_job
            identity = job.copy(id=str(uuid4()), name=f"job-{number:04}")
            if job is planned_job:
                plan.copy(id=str(uuid4()), deployment_id=identity)
        flow_run, state = Row(tables, "flow_run", "id", run), Row(tables, "flow_run_state", "flow_run_id", run)
        artifact = Row(tables, "artifact", "flow_run_id", run)
        for number in range(runs):
            at = (datetime.now(UTC) - timedelta(minutes=number + 1)).strftime("%Y-%m-%d %H:%M:%S.%f")
            times = dict.fromkeys(("created", "updated", "expected_start_time", "start_time", "end_time"), at)
            now, own = str(uuid4()), {"name": f"run-{number:05}", "idempotency_key": None, "state_type": "COMPLETED"}
            identity = flow_run.copy(id=str(uuid4()), state_id=now, **own, **times)
            state.copy(id=now, flow_run_id=identity, type="COMPLETED", name="Completed")
            artifact.copy(id=str(uuid4()), flow_run_id=identity)


class Row:
    """A row of the server's database, to be copied."""

    def __init__(self, tables: sqlite3.Connection, table: str, column: str, value: str) -> None:
        found = tables.execute(f"SELECT * FROM {table} WHERE {column} = ?", (value,))  # noqa: S608
        names = [str(description[0]) for description in found.description]
        self._tables, self._table = tables, table
        self._values = dict(zip(names, found.fetchone(), strict=True))

    def copy(self, **changes: str | None) -> str:
        """Put a copy with these changes into its table; its id."""
        values = {**self._values, **changes}
        columns, marks = ", ".join(values), ", ".join("?" * len(values))
        self._tables.execute(f"INSERT INTO {self._table} ({columns}) VALUES ({marks})", list(values.values()))  # noqa: S608
        return str(values["id"])


def seconds(commands: tuple[tuple[str, ...], ...], environment: dict[str, str]) -> list[float]:
    """The median wall time of each command; they take turns, so that what else goes on slows all of them."""
    times: list[list[float]] = [[] for _ in commands]
    for _ in range(REPEATS):
        for command, its in zip(commands, times, strict=True):
            began = time.perf_counter()
            subprocess.run([str(BIN / command[0]), *command[1:]], env=environment, check=True, capture_output=True)
            its.append(time.perf_counter() - began)
    return [statistics.median(its) for its in times]


def main() -> int:
    """Measure and print; 1 when a bar is missed."""
    compileall.compile_dir(str(Path(ccs.cli.main.__file__).parent), quiet=2)  # as Prefect is
    jobs = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    runs = int(sys.argv[2]) if len(sys.argv) > 2 else 10_000
    missed = 0
    with tempfile.TemporaryDirectory() as folder, running_server(Path(folder)) as url:
        environment = clean_environment(Path(folder), url) | {"COLUMNS": "120", "PATH": os.environ["PATH"]}
        fill(url, Path(folder) / "prefect" / "prefect.db", jobs, runs)
        print(f"{jobs} jobs of five tasks, {runs} runs\n")
        time.sleep(SETTLE)
        for ours, theirs, bar in PAIRS:
            mine, stock = seconds((ours, theirs), environment)
            missed += stock / mine < bar
            print(f"{' '.join(ours):32} {mine:6.2f} s   {' '.join(theirs):34} {stock:6.2f} s   {stock / mine:5.1f} x")
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
