"""`make bench`: every promise about speed, measured as ratios on this machine."""

import platform
import subprocess
import sys

PARTS = {
    "What the driver adds to claude": "tests.benches.driver",
    "From trigger to the first line of a run": "tests.benches.start",
    "The command line beside Prefect's": "tests.benches.command_line",
}


def main() -> int:
    print(f"{platform.platform()}, Python {platform.python_version()}")
    worst = 0
    for title, module in PARTS.items():
        print(f"\n{title}", flush=True)
        worst = max(worst, subprocess.run([sys.executable, "-m", module], check=False).returncode)
    return worst


if __name__ == "__main__":
    sys.exit(main())
