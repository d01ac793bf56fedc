"""`python -m ccs.deployments.node`: serve a work pool with warm starts until told to stop.

SIGTERM or SIGINT drains: no new runs, those in flight finish. A second one, or the end of the drain time, ends them.
"""

from ccs.flows.node.processes import seclude

if __name__ == "__main__":
    seclude()  # before the imports, which take a second: its environment may hold the login of the server

import argparse
import asyncio
import contextlib
import signal
import socket
import sys
from collections.abc import Sequence

from prefect.logging import get_logger
from prefect.settings import PREFECT_API_URL

from ccs.blocks.redact import Redaction
from ccs.deployments.node import environment
from ccs.deployments.node.worker import NodeWorker
from ccs.flows.log import clean_records
from ccs.flows.node.files import UnknownUserError
from ccs.flows.server.login import login_secrets


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line; exits with status 2 and a sentence when it is wrong."""
    parser = argparse.ArgumentParser(prog="python -m ccs.deployments.node", description=__doc__)
    parser.add_argument("--pool", required=True, help="the work pool to serve, of type process")
    parser.add_argument("--name", default=socket.gethostname(), help="the node's name (default: the host's)")
    parser.add_argument("--limit", type=_positive, default=4, help="runs at a time (default: %(default)s)")
    parser.add_argument(
        "--drain-seconds",
        type=float,
        default=3600.0,
        help="how long runs may go on after the signal to stop (default: %(default)s; 0: end them at once)",
    )
    return parser.parse_args(arguments)


async def serve(worker: NodeWorker, drain_seconds: float) -> None:
    """Run the worker until a signal, then drain it."""
    log = get_logger("ccs.node")
    loop = asyncio.get_running_loop()
    stop, hurry = asyncio.Event(), asyncio.Event()

    def on_signal() -> None:
        (hurry if stop.is_set() else stop).set()

    for number in (signal.SIGTERM, signal.SIGINT):
        # A shell's background job inherits SIGINT ignored; this restores it for the node and all it starts.
        loop.add_signal_handler(number, on_signal)

    serving = asyncio.create_task(worker.serve(lambda: announce(worker)))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait((serving, stopping), return_when=asyncio.FIRST_COMPLETED)
    if stop.is_set():
        worker.drain()
        if worker.busy and drain_seconds > 0:
            log.info("draining: %d runs may finish within %g s; a second signal ends them", worker.busy, drain_seconds)
            waits = [asyncio.create_task(event.wait()) for event in (worker.drained, hurry)]
            await asyncio.wait(waits, timeout=drain_seconds, return_when=asyncio.FIRST_COMPLETED)
        if worker.busy:
            log.info("ending %d runs", worker.busy)
            await worker.end_runs()
        serving.cancel()
    stopping.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await serving


def announce(worker: NodeWorker) -> None:
    """The one line on stdout by which a supervisor knows that runs can come."""
    sys.stdout.write(f"ccs node {worker.name} ready: pool {worker.work_pool.name} at {PREFECT_API_URL.value()}\n")
    sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a node; 0 after a stop by signal, 2 when it cannot start."""
    options = parse(arguments)
    try:
        environment.apply_defaults()
    except UnknownUserError as error:
        sys.stderr.write(f"ccs node: {error}\n")
        return 2
    url = PREFECT_API_URL.value() or ""
    if not url:
        sys.stderr.write("ccs node: no server is configured; set PREFECT_API_URL, or use `ccs up`\n")
        return 2
    if "@" in url.partition("//")[2].partition("/")[0]:
        sys.stderr.write(
            "ccs node: PREFECT_API_URL holds a login, which would show in logs; set PREFECT_API_AUTH_STRING\n"
        )
        return 2
    clean_records(Redaction(login_secrets()).clean)  # the secrets of profiles are known to their runs only
    worker = NodeWorker(options.pool, options.name, options.limit)
    asyncio.run(serve(worker, options.drain_seconds))
    return 0


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


if __name__ == "__main__":
    sys.exit(main())
