"""How long a run waits for its first line, and what that costs: the warm node beside the stock worker.

Run as `python -m tests.benches.start [RUNS]`; it takes two minutes. Times are this machine's: compare the ratios.
"""

import contextlib
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.worlds.node import World
from tests.worlds.processes import until
from tests.worlds.server import running_server

STOCK_RUNS = 4
TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """What the process and those it waited for have used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / TICKS


@contextlib.contextmanager
def stock_worker(world: World) -> Iterator[int]:
    """The pid of `prefect worker start` on the world's pool."""
    command = ["-m", "prefect", "worker", "start", "--pool", world.pool, "--name", "stock", "--type", "process"]
    log = world.folder / "stock.log"
    with log.open("wb") as output:
        worker = subprocess.Popen(
            [sys.executable, *command], stdout=output, stderr=output, env=world.env, cwd=world.folder
        )
    try:
        until(lambda: "started!" in log.read_text(), "stock worker started")
        yield worker.pid
    finally:
        worker.send_signal(signal.SIGINT)
        worker.wait(60)


def waits(world: World, label: str, runs: int) -> list[float]:
    """Seconds from the trigger to the flow's first line, one run after the other."""
    found: list[float] = []
    for number in range(runs):
        name = f"{label}-{number}"
        triggered = time.time()
        run = world.start("stay", out=str(world.folder / name), seconds=0)
        assert world.ends(run) == "COMPLETED"
        found.append(float(world.file(f"{name}.begun")) - triggered)
        time.sleep(0.5 + 0.37 * (number % 4))  # not in step with the stock worker's polls
    return found


def report(label: str, seconds: list[float], cpu: float) -> None:
    middle, least, most = statistics.median(seconds), min(seconds), max(seconds)
    sys.stdout.write(
        f"{label:14} first line after {middle:6.2f} s (median of {len(seconds)}; {least:.2f} to {most:.2f} s)"
        f"   CPU per run {cpu / len(seconds):5.2f} s\n"
    )
    sys.stdout.flush()


def main() -> None:
    """Measure both on one server and print the ratio."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    with tempfile.TemporaryDirectory(prefix="ccs-bench-") as name, running_server(Path(name) / "server") as url:
        folders = [Path(name) / label for label in ("warm", "stock")]
        for folder in folders:
            folder.mkdir()
        with contextlib.closing(World(url, folders[0])) as world, world.node("bench") as node:
            pids = (node.process.pid, node.zygote())
            waits(world, "first", 1)
            before = sum(map(cpu_seconds, pids))
            warm = waits(world, "warm", runs)
            time.sleep(2)  # the processes of the last runs are still sending their logs
            report("warm node", warm, sum(map(cpu_seconds, pids)) - before)
            run = world.start("breed", out=str(world.folder / "bred"), seconds=600)
            world.family("bred")
            asked = time.time()
            world.cancel(run)
            world.ends(run)
            sys.stdout.write(f"{'':14} cancelled, every process gone, after {time.time() - asked:.2f} s\n")
        with contextlib.closing(World(url, folders[1])) as world, stock_worker(world) as pid:
            before = cpu_seconds(pid)
            stock = waits(world, "stock", STOCK_RUNS)
            report("stock worker", stock, cpu_seconds(pid) - before)
    ratio = statistics.median(stock) / statistics.median(warm)
    sys.stdout.write(f"the warm node starts a run {ratio:.0f} times faster\n")


if __name__ == "__main__":
    main()
