"""Usage limits on the terminal."""

from ccs.cli import words
from ccs.cli.client.api import Json
from ccs.cli.terminal.output import show_one


def show_lifted(done: Json, thing: Json, whose: str) -> None:
    """The result of lifting a limit."""
    gone = f"lifted the usage limit of {whose}" if done["lifted"] else f"no usage limit of {whose} holds"
    runs = done["runs"]
    on = f"; {words.many(len(runs), 'run')} that waited for it can go on now: {', '.join(runs)}" if runs else ""
    show_one({**thing, **done}, lambda _: gone + on)
