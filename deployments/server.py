"""The embedded Prefect server: `prefect server start`, kept from stalling on SQLite.

Run as `python -m ccs.deployments.server` with the arguments of `prefect server start`.

Failed statements leave cursors in reference cycles. When Python collects such a cursor on the server's event loop while
its connection waits for the database in another thread, the loop waits for that connection; and the one that holds
the database cannot commit, because that takes the loop. All stand still until SQLite gives up after 60 seconds. So
nothing is collected on the loop here, but in a thread of its own.
"""

import gc
import runpy
import sys
import threading
import time

_EVERY = 1.0  # seconds between collections of what is young
_ALL_EVERY = 60  # of these, between collections of everything


def collect_for_ever() -> None:
    """Collect garbage on this thread; it may wait where the event loop must not."""
    while True:
        for _ in range(_ALL_EVERY):
            time.sleep(_EVERY)
            gc.collect(1)
        gc.collect()


def main() -> None:
    """Run the server until it is told to stop."""
    gc.disable()
    threading.Thread(target=collect_for_ever, name="garbage", daemon=True).start()
    sys.argv[:] = ["prefect", "server", "start", *sys.argv[1:]]
    runpy.run_module("prefect", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
