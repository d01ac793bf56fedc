"""Who a node is to all that runs on it: its name, its folder of state, and the marks of its processes."""

import os
from collections.abc import Mapping
from pathlib import Path

from ccs.flows.node.files import UnknownUserError, expanded

RUN_MARK = "CCS_RUN_ID"
"""The variable that every process of a run inherits; its value is the run's id."""

NODE_MARK = "CCS_NODE"
"""The variable that every process of a node inherits; its value is the node's name."""

NODE_PROCESS_MARK = "CCS_NODE_PID"
"""The variable beside it whose value is the identity of the node's own process."""

ATTEMPT_MARK = "CCS_ATTEMPT"
"""The variable that every process under one guard inherits; its value is the id of what the guard stands over."""


def node_name() -> str:
    """The name of the node this process runs on."""
    return os.environ.get(NODE_MARK) or os.uname().nodename


def state_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Where ccs keeps its own files on this machine (CCS_HOME, else ~/.ccs), absolute; UnknownUserError."""
    try:
        return expanded(environ.get("CCS_HOME") or "~/.ccs").absolute()
    except UnknownUserError as error:
        raise UnknownUserError(f"CCS_HOME {error}") from None


def marks(run_id: str) -> dict[str, str]:
    """Variables that tell the node whose process it is, should one be left over."""
    own = {RUN_MARK: run_id, NODE_MARK: node_name()}
    return own | {name: os.environ[name] for name in (NODE_PROCESS_MARK,) if name in os.environ}
