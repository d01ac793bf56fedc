"""Ending a run, and waiting until nothing of it is alive."""

import time

from ccs.cli.client import views
from ccs.cli.client.api import Api
from ccs.cli.client.records import FlowRun
from ccs.cli.errors import ServerError

STOPPABLE = frozenset({"SCHEDULED", "PENDING", "RUNNING", "PAUSED", "CANCELLING"})

PATIENCE = 90.0
"""Seconds a node gets to end a run."""


def stop(api: Api, run: FlowRun, force: bool = False) -> FlowRun:
    """End a run and wait until it has ended; the run as it then is.

    With `force` it is called cancelled at once, whatever its node does. Raises ServerError when it does not end.
    """
    identity = run["id"]
    if run["state_type"] in views.ENDED:
        api.note(f"run {run['name']} has ended already: {run['state_name']}")
        return run
    at_once = force or run["state_type"] in ("SCHEDULED", "PAUSED")
    kind, name = ("CANCELLED", "Cancelled") if at_once else ("CANCELLING", "Cancelling")
    api.set_state(identity, kind, name, "Stopped with ccs")
    try:
        return _ended(api, run)
    except KeyboardInterrupt:
        api.note(f"stopped waiting; run {run['name']} has been asked to end: ccs runs get {run['name']}")
        raise


def _ended(api: Api, run: FlowRun) -> FlowRun:
    """The run, once it has ended."""
    until, identity = time.monotonic() + PATIENCE, run["id"]
    while (now := api.run(identity))["state_type"] not in views.ENDED:
        if time.monotonic() > until:
            raise ServerError(
                f"run {run['name']} is still {now['state_name']} after {PATIENCE:.0f} s: does its node live?",
                f"look with: ccs nodes list; call it cancelled with: ccs runs stop {run['name']} --force",
            )
        time.sleep(0.3)
    return now
