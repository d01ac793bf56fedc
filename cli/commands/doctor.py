"""`ccs doctor`: whether everything is there that a run needs, and what to do where it is not."""

import typer

from ccs.cli.app import FRAME, Command, Session
from ccs.cli.commands.options import Pool
from ccs.cli.diagnosis.findings import Level
from ccs.cli.exit_codes import ExitCode
from ccs.cli.terminal.findings import show_findings

app = typer.Typer(**FRAME)


@app.command(
    "doctor", cls=Command, epilog="Example:  ccs doctor --output json | jq '.checks[] | select(.level != \"OK\")'"
)
def doctor(pool: Pool = None) -> None:
    """Check server, login, versions, pool, nodes, profiles, claude, git and disk; exit code 1 when something fails."""
    from ccs.cli.diagnosis import machine, server
    from ccs.cli.local import embedded

    settings = Session.settings()
    is_node = any(node.alive for node in embedded.nodes(settings.home)) or not settings.configured
    found = list(server.check(Session.api(), settings, pool or settings.pool, is_node, machine.logged_in()))
    found += machine.check(settings, is_node)
    show_findings(found, "checks")
    if any(f.level is Level.FAIL for f in found):
        raise typer.Exit(ExitCode.REQUEST)
