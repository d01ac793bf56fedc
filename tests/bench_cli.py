"""How fast the command line is beside Prefect's own, on one server with many jobs: prints ratios.

Run it: `python tests/bench_cli.py [JOBS]` (1000 by default; filling the server takes a minute or two).
"""

import compileall
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

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
    missed = 0
    with tempfile.TemporaryDirectory() as folder, running_server(Path(folder)) as url:
        environment = clean_environment(Path(folder), url) | {"COLUMNS": "120", "PATH": os.environ["PATH"]}
        print(f"{jobs} jobs: {fill(url, jobs) * 1000:.0f} ms each to create\n")
        time.sleep(SETTLE)
        for ours, theirs, bar in PAIRS:
            mine, stock = seconds((ours, theirs), environment)
            missed += stock / mine < bar
            print(f"{' '.join(ours):32} {mine:6.2f} s   {' '.join(theirs):34} {stock:6.2f} s   {stock / mine:5.1f} x")
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
