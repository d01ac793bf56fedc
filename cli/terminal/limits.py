"""Usage limits on the terminal."""

from ccs.cli import words
from ccs.cli.diagnosis.limits import LiftedLimit
from ccs.cli.terminal.output import Row, show_one


def show_lifted(done: LiftedLimit, thing: Row, whose: str) -> None:
    """The result of lifting a limit."""
    gone = f"lifted the usage limit of {whose}" if done["lifted"] else f"no usage limit of {whose} holds"
    runs = done["runs"]
    on = f"; {words.many(len(runs), 'run')} that waited for it can go on now: {', '.join(runs)}" if runs else ""
    show_one({**thing, **done}, lambda _: gone + on)
