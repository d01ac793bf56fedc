"""`ccs completion`: scripts for shells, and the words they ask for."""

import os
from collections.abc import Callable
from importlib import import_module
from typing import Annotated, Any

import typer

from ccs.cli.app import FRAME, Command, Session
from ccs.cli.errors import CcsError, RequestError
from ccs.cli.output import write

SHELLS = ("bash", "zsh", "fish")
_VARIABLE = "_CCS_COMPLETE"
_MOST = 200
"""Names of jobs that are offered; a shell shows no more in one screen."""

app = typer.Typer(**FRAME)


@app.command("completion", cls=Command, epilog="Example:  source <(ccs completion bash)      in ~/.bashrc")
def completion(
    shell: Annotated[str, typer.Argument(metavar="|".join(SHELLS), help="The shell to write the script for.")],
) -> None:
    """The script that completes commands, options and names; for zsh after `compinit`, for fish into `| source`."""
    if shell not in SHELLS:
        raise RequestError(f"there is no completion for {shell!r}", f"one of: {', '.join(SHELLS)}")
    script: Any = import_module("typer.completion").get_completion_script
    write(script(prog_name="ccs", complete_var=_VARIABLE, shell=shell))


def answer(command: Any) -> int:
    """Write the words for the command line that a script asks about; nothing where there is an error in it."""
    machinery: Any = import_module("typer.completion")
    machinery.completion_init()
    try:
        code: int = machinery.shell_complete(command, {}, "ccs", _VARIABLE, os.environ[_VARIABLE])
    except CcsError:
        return 1
    return code


def names(read: Callable[[Any], list[dict[str, Any]]]) -> Callable[[str], list[str]]:
    """The names that complete a word, of what `read` gets from the server; none when it does not answer."""

    def complete(incomplete: str) -> list[str]:
        from shlex import quote

        try:
            rows = read(Session.api())
        except CcsError:
            return []
        return [quote(name) for row in rows if (name := str(row["name"])).startswith(incomplete)]

    return complete


def jobs(incomplete: str) -> list[str]:
    """Names of jobs."""
    return names(lambda api: api.jobs(_MOST)[0])(incomplete)


def runs(incomplete: str) -> list[str]:
    """Names of the latest runs."""
    return names(lambda api: api.runs({}, 30)[0])(incomplete)


def profiles(incomplete: str) -> list[str]:
    """Names of profiles."""
    return names(lambda api: api.profiles())(incomplete)
