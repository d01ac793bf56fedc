"""The environment variables of a node and of the runs it starts."""

import os
import sys
import zoneinfo
from collections.abc import Mapping
from uuid import UUID

from prefect.context import refresh_global_settings_context
from prefect.settings import get_current_settings

from ccs.flows.node.identity import NODE_MARK, NODE_PROCESS_MARK, RUN_MARK, state_folder
from ccs.flows.node.processes import identity

DEFAULTS = {
    # A run outlives more than half an hour without its server; Prefect's own 5 retries give up after a minute.
    "PREFECT_CLIENT_MAX_RETRIES": "10",
    "PREFECT_LOGGING_TO_API_BATCH_INTERVAL": "0.5",
    # Two and three requests before the first line of every run.
    "PREFECT_CLIENT_SERVER_VERSION_CHECK_ENABLED": "false",
    "PREFECT_CLIENT_CSRF_SUPPORT_ENABLED": "false",
    "PREFECT_WORKER_HEARTBEAT_SECONDS": "10",
    "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",  # of each run; a run that is silent for long counts as lost
    # Empty: only the tzdata package. Each schedule that is read would walk the system's database otherwise.
    "PYTHONTZPATH": "",
}


def apply_defaults() -> None:
    """Set what neither this process's environment nor the user's Prefect profile sets. UnknownUserError."""
    os.environ["CCS_HOME"] = str(state_folder())  # the same for runs, which work in other folders
    chosen = settings_variables()
    for name, value in DEFAULTS.items():
        if name not in chosen:
            os.environ.setdefault(name, value)
    if not os.environ["PYTHONTZPATH"]:
        zoneinfo.reset_tzpath(to=[])
    refresh_global_settings_context()


def settings_variables() -> dict[str, str]:
    """The Prefect settings this process was given, by whatever means, as environment variables."""
    return get_current_settings().to_environment_variables(exclude_unset=True)


def of_zygote(node: str) -> dict[str, str]:
    """The environment of the process that runs are forked from; all it starts is told apart by the node's marks."""
    return {**settings_variables(), **os.environ, **_marks(node)}


def of_run(
    node: str, run_id: UUID, configured: Mapping[str, str | None], control: tuple[int, str] | None
) -> dict[str, str]:
    """The environment of one run's process.

    `configured` is the job configuration's: the node's own variables and, over them, the job's (None removes one).
    `control` is the port and token on which the node tells the run that it is cancelled.
    """
    merged = {**settings_variables(), **configured}
    environment = {name: value for name, value in merged.items() if value is not None}
    environment |= _marks(node)
    environment[RUN_MARK] = str(run_id)
    environment["PREFECT__FLOW_RUN_ID"] = str(run_id)
    environment["PREFECT__ENABLE_CANCELLATION_AND_CRASHED_HOOKS"] = "false"  # the node runs them
    if control is not None:
        environment["PREFECT__CONTROL_PORT"] = str(control[0])
        environment["PREFECT__CONTROL_TOKEN"] = control[1]
    return environment


def warm_start_is_safe() -> bool:
    """Whether a process that imported Prefect may be forked: system libraries of other platforms forbid it."""
    return sys.platform == "linux"


def _marks(node: str) -> dict[str, str]:
    return {NODE_MARK: node, NODE_PROCESS_MARK: identity(os.getpid()) or ""}
