"""Options that several commands share."""

import sys
from collections.abc import Callable
from typing import Annotated

import typer

from ccs.cli.app import Session
from ccs.cli.errors import RequestError
from ccs.cli.terminal.output import say
from ccs.flows.schedules.schedule import seconds

Force = Annotated[bool, typer.Option("--force", "-f", help="Do not ask.")]
Limit = Annotated[int, typer.Option("--limit", "-L", "-n", min=1, metavar="N", help="Show at most so many.")]


def names(kind: str) -> Callable[[str], list[str]]:
    """Completes a word with the names of things of a kind."""

    def complete(incomplete: str) -> list[str]:
        from ccs.cli.commands import completion

        found: list[str] = getattr(completion, kind)(incomplete)
        return found

    return complete


JobRef = Annotated[
    str,
    typer.Argument(metavar="JOB", help="Name, id or the beginning of the id of a job.", autocompletion=names("jobs")),
]
TaskRef = Annotated[
    str,
    typer.Argument(
        metavar="TASK",
        help="JOB/TASK, or name, id or the beginning of the id of a task.",
        autocompletion=names("tasks"),
    ),
]
RunRef = Annotated[
    str,
    typer.Argument(metavar="RUN", help="Name, id or the beginning of the id of a run.", autocompletion=names("runs")),
]
ProfileRef = Annotated[
    str,
    typer.Argument(
        metavar="PROFILE",
        help="Name, id or the beginning of the id of a profile.",
        autocompletion=names("profiles"),
    ),
]
Wait = Annotated[bool, typer.Option("--wait", "-w", help="Show it live; the exit code says how it ended.")]
JobName = Annotated[
    str | None, typer.Option("--job", metavar="JOB", help="Only of this job.", autocompletion=names("jobs"))
]
Unset = Annotated[
    list[str] | None,
    typer.Option(
        "--unset",
        metavar="OPTION",
        help="Back to its default, such as: --unset timeout; repeatable.",
        show_default=False,
    ),
]
Pool = Annotated[str | None, typer.Option("--pool", metavar="NAME", help="Work pool; CCS_POOL, or else ccs.")]


def more(shown: int, total: int) -> None:
    """Say so when a list was cut."""
    if total > shown:
        say(f"{shown} of {total}; more with --limit {total}")


def confirm(question: str, force: bool) -> None:
    """Ask before something is destroyed; without a terminal, refuse unless forced."""
    if force or Session.dry_run:
        return
    if not sys.stdin.isatty():
        raise RequestError(f"not done without being asked: {question}", "say --force to do it without a question")
    typer.confirm(question, abort=True, err=True)


def source_text(text: str | None, option: str) -> str | None:
    """The text itself, or standard input for a single dash."""
    if text != "-":
        return text
    if sys.stdin.isatty():
        say(f"{option} -: type the text, end with Ctrl-D")
    try:
        return sys.stdin.buffer.read(20_000_000).decode()
    except UnicodeDecodeError as error:
        what = f"{option} -: standard input is not text in UTF-8 (byte {error.start + 1})"
        raise RequestError(what, "convert it, such as with iconv; nothing was changed") from error


def duration(text: str | None) -> int | None:
    """The seconds of an option such as 90m; RequestError when it is none."""
    if text is None:
        return None
    try:
        return seconds(text)
    except ValueError as error:
        raise RequestError(str(error)) from error
