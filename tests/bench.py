"""`make bench`: every promise about speed, measured as ratios on this machine."""

import platform
import subprocess
import sys
from pathlib import Path

PARTS = {
    "What the driver adds to claude": "bench_driver.py",
    "From trigger to the first line of a run": "bench_start.py",
    "The command line beside Prefect's": "bench_cli.py",
}


def main() -> int:
    print(f"{platform.platform()}, Python {platform.python_version()}")
    worst = 0
    for title, script in PARTS.items():
        print(f"\n{title}", flush=True)
        worst = max(
            worst, subprocess.run([sys.executable, str(Path(__file__).with_name(script))], check=False).returncode
        )
    return worst


if __name__ == "__main__":
    sys.exit(main())
