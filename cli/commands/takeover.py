"""What became of each field of a file that was taken over, said on stderr."""

from ccs.cli.legacy.takeover import FieldOutcome, TakeoverReport
from ccs.cli.terminal.output import say


def tell(report: TakeoverReport) -> None:
    """Say on stderr what became of each field: a line for each that changed or was lost, one for the others."""
    for thing in dict.fromkeys(f.thing for f in report.findings):
        of_thing = [f for f in report.findings if f.thing == thing]
        say(f"{thing}:")
        if names := [f.field for f in of_thing if f.outcome is FieldOutcome.MAPPED]:
            say(f"  mapped: {', '.join(names)}")
        left = [f for f in of_thing if f.outcome is FieldOutcome.LEFT_OUT]
        for reason in dict.fromkeys(f.reason for f in left):
            say(f"  left out ({reason}): {', '.join(f.field for f in left if f.reason == reason)}")
        for finding in of_thing:
            if finding.outcome in (FieldOutcome.CHANGED, FieldOutcome.NOT_MAPPED):
                say(f"  {finding.outcome}: {finding.field}: {finding.reason}")
