"""`make chaos`: bad things done to real runs, and a count of what went wrong; everything but 0 is a bug.

Run as `python -m tests.chaos [NAME...]`, with names of scenarios or none for all of them, which takes many
minutes. The server, the nodes, `claude`, git and the command line are real; only the API behind `claude` is scripted.
Of scenarios that fail everything is kept under .chaos.
"""

import shutil
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path

# isort: off
from tests.conftest import HOME  # its import isolates this process, so it comes before Prefect's

from tests.chaos.scenarios import ALL
from tests.chaos.world import COUNTS, Skipped, World

# isort: on

KEPT = Path(__file__).resolve().parents[2] / ".chaos"


def play(name: str, folder: Path) -> tuple[float, list[tuple[str, float, str]]]:
    """Play a scenario to its end; the seconds it took, and what was wrong. Raises Skipped."""
    shutil.rmtree(KEPT / name, ignore_errors=True)
    began = time.monotonic()
    world = World(folder)
    try:
        try:
            ALL[name](world)
        except Skipped:
            raise
        except Exception:
            world.blame("verdicts", traceback.format_exc())
        world.count()
    finally:
        world.close()
        if world.problems:
            world.keep(KEPT / name)
    return time.monotonic() - began, world.problems


def main(names: list[str]) -> int:
    """Play scenarios and print the table; 1 unless every count is 0, 2 for an unknown name."""
    if unknown := sorted(set(names) - set(ALL)):
        print(f"no scenario {', '.join(unknown)}; there are:", file=sys.stderr)
        for name, scenario in ALL.items():
            print(f"  {name:9} {scenario.__doc__}", file=sys.stderr)
        return 2
    bad = 0
    print(f"{'scenario':10}{'seconds':>9}" + "".join(f"{count:>11}" for count in COUNTS), flush=True)
    with tempfile.TemporaryDirectory(prefix="ccs-chaos-", ignore_cleanup_errors=True) as folder:
        for name in names or ALL:
            try:
                seconds, problems = play(name, Path(folder) / name)
            except Skipped as why:
                print(f"{name:10}  skipped: {why}", flush=True)
                continue
            sums = [sum(number for count, number, _ in problems if count == column) for column in COUNTS]
            print(f"{name:10}{seconds:9.1f}" + "".join(f"{number:>11g}" for number in sums), flush=True)
            for count, _, what in problems:
                print(f"    {count}: {what}", flush=True)
            bad += bool(problems)
    shutil.rmtree(HOME, ignore_errors=True)
    print(f"{bad} of {len(names or ALL)} scenarios went wrong" if bad else "all counts are 0")
    return 1 if bad else 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that nothing is left running
    sys.exit(main(sys.argv[1:]))
