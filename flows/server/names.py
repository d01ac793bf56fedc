"""The names of the variables that ccs keeps on the server, written and read here only; older ones stay as they are.

The server takes lower case letters, digits, - and _ in them.
"""

import re
from uuid import NAMESPACE_URL, uuid5

from ccs.flows.spec.names import slug

LIMIT = "ccs_limit_"
"""How the names of usage limits begin."""

PAUSED = "ccs_paused"
"""The tag of the records of paused jobs, and the beginning of their names."""

_OF_NODE = "node_"  # profiles have no underscore in their names


def limit_variable(profile: str | None, node: str) -> str:
    """The variable that is there while a usage limit holds: that of a profile, or else of a node's login."""
    if profile is not None:
        return f"{LIMIT}{profile}"
    # A name that cannot be part of one is told from its likes by a digest.
    plain = re.fullmatch(r"[a-z0-9-]{1,100}", node)
    return f"{LIMIT}{_OF_NODE}{node if plain else f'{slug(node)[:100]}-{uuid5(NAMESPACE_URL, node).hex[:8]}'}"


def limited(limit: str) -> tuple[bool, str]:
    """Whose usage limit it is: whether that of a node's login, and the name of the node or profile."""
    whose = limit.removeprefix(LIMIT)
    return whose.startswith(_OF_NODE), whose.removeprefix(_OF_NODE)


def probe_variable(limit: str) -> str:
    """The claim of who tries whether a usage limit, given by its variable, has passed."""
    return limit.replace(LIMIT, "ccs_probe_", 1)


def paused_variable(deployment: str) -> str:
    """The record of why the job of this deployment is paused."""
    return f"{PAUSED}_{deployment.replace('-', '')}"


def paused_deployment(variable: str) -> str:
    """The id of the deployment that a record is about."""
    return variable.removeprefix(f"{PAUSED}_")


def spent_tag(kind: str, identity: str) -> str:
    """The tag of the sums of what a job or profile has spent, and the beginning of their names."""
    return f"ccs_spent_{kind}_{identity}"


def spent_variable(tag: str, number: int) -> str:
    """The state of the sums that has this number."""
    return f"{tag}_v{number:010}"


def spent_number(tag: str, variable: str) -> int | None:
    """The number of a state; None when the variable is none of these sums."""
    number = variable.removeprefix(f"{tag}_v")
    return int(number) if number != variable and number.isdecimal() else None


def session_claim(session: str) -> str:
    """The claim of the run that uses a session."""
    return f"ccs_session_{session.replace('-', '_')}"


def lock_variable(identity: str) -> str:
    """The lock of who changes a job or profile, given by an id."""
    return f"ccs_lock_{identity.replace('-', '_')}"
