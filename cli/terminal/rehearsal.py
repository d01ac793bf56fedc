"""What a rehearsal (--dry-run) kept, as the result of the command."""

import json

from ccs.cli.client.rehearsal import KeptRequest
from ccs.cli.terminal.output import Talk, show_list

_CUT = 200
"""Characters of a body in a table."""


def show(requests: list[KeptRequest]) -> None:
    """The requests as the result of the command."""
    Talk.muted = False
    show_list(
        requests,
        {"METHOD": "method", "PATH": "path", "BODY": lambda r: json.dumps(r.get("body", ""))[:_CUT]},
        "requests",
        "nothing would be changed",
    )
