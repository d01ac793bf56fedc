"""How fast the command line is beside Prefect's own, on one server with many jobs and runs: prints ratios.

Run it: `python tests/bench_cli.py [JOBS [RUNS]]` (1000 and 10,000 by default; filling the server takes a minute or two).
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

sys.path.insert(0, str(Path(__file__).parent))

from prefect_server import clean_environment, running_server

import ccs.cli.main
from ccs.cli import editing, provision, schedule
from ccs.cli.api import Api
from ccs.cli.settings import Settings

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


def fill(url: str, jobs: int) -> float:
    """Create jobs of five tasks each, every tenth with a schedule; seconds per job."""
    api = Api(Settings({"PREFECT_API_URL": url}))
    provision.provision(api, "ccs")
    began = time.perf_counter()
    for number in range(jobs):
        tasks = [{"name": f"task {n}", "prompt": f"Do the thing number {n} of job {number}."} for n in range(5)]
        spec = {"name": f"job-{number:04}", "working_directory": {"path": "/srv/app"}, "tasks": tasks}
        planned = schedule.build("0 9 * * 1-5", None, "Europe/Amsterdam") if number % 10 == 0 else []
        made = api.create_job(editing.deployment_of(editing.checked(spec), "ccs", planned))
        if number % 5 == 0:
            api.start_run(made["id"], f"bench-{number}", {})
    api.close()
    return (time.perf_counter() - began) / jobs


def fill_runs(url: str, database: Path, runs: int) -> float:
    """Have so many runs that ended, each with the table of its tasks; seconds for all of them.

    One is made through the API, the others are copies of its rows, which the server cannot tell from its own.
    """
    api = Api(Settings({"PREFECT_API_URL": url}))
    began = time.perf_counter()
    (job, *_), _ = api.jobs(1)
    run = str(api.start_run(job["id"], "bench-template", {})["id"])
    row = {"verdict": "ok", "attempts": 1, "turns": 3, "cost_usd": 0.25, "duration_seconds": 4.2}
    rows = [{"task": f"task {n}", **row} for n in range(5)]
    api.post("/artifacts/", {"key": "ccs-bench", "type": "table", "data": json.dumps(rows), "flow_run_id": run})
    for kind in ("RUNNING", "COMPLETED"):
        body = {"state": {"type": kind}, "force": True}
        api.post(f"/flow_runs/{run}/set_state", body)
    api.close()
    with sqlite3.connect(database, timeout=60) as tables:
        tables.row_factory = sqlite3.Row
        old = {name: dict(tables.execute(f"SELECT * FROM {name} WHERE {own} = ?", (run,)).fetchone())
               for name, own in (("flow_run", "id"), ("flow_run_state", "flow_run_id"), ("artifact", "flow_run_id"))}  # fmt: skip
        for number in range(runs):
            at = (datetime.now(UTC) - timedelta(minutes=number + 1)).strftime("%Y-%m-%d %H:%M:%S.%f")
            new, state = str(uuid4()), str(uuid4())
            times = dict.fromkeys(("created", "updated", "expected_start_time", "start_time", "end_time"), at)
            copies: dict[str, dict[str, object]] = {
                "flow_run": {
                    **times,
                    "id": new,
                    "name": f"run-{number:05}",
                    "idempotency_key": None,
                    "state_id": state,
                },
                "flow_run_state": {"id": state, "flow_run_id": new, "type": "COMPLETED", "name": "Completed"},
                "artifact": {"id": str(uuid4()), "flow_run_id": new},
            }
            for name, changes in copies.items():
                row_of = {**old[name], **changes}
                columns, marks = ", ".join(row_of), ", ".join("?" * len(row_of))
                tables.execute(f"INSERT INTO {name} ({columns}) VALUES ({marks})", list(row_of.values()))
    return time.perf_counter() - began


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
        print(f"{jobs} jobs of five tasks: {fill(url, jobs) * 1000:.0f} ms each to create")
        took = fill_runs(url, Path(folder) / "prefect" / "prefect.db", runs)
        print(f"{runs} runs: {took:.1f} s to put there\n")
        time.sleep(SETTLE)
        for ours, theirs, bar in PAIRS:
            mine, stock = seconds((ours, theirs), environment)
            missed += stock / mine < bar
            print(f"{' '.join(ours):32} {mine:6.2f} s   {' '.join(theirs):34} {stock:6.2f} s   {stock / mine:5.1f} x")
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
