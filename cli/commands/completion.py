"""`ccs completion`: scripts for shells, and the words they ask for."""

import os
import re
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ccs.cli.app import FRAME, Command, Session
from ccs.cli.client.lookup import tasks_of
from ccs.cli.errors import CcsError, RequestError
from ccs.cli.exit_codes import ExitCode
from ccs.cli.terminal.output import write

if TYPE_CHECKING:
    from ccs.cli.client.api import Api

ALIAS = "claude-code-scheduler"
SHELLS = ("bash", "zsh", "fish")
_VARIABLE = "_CCS_COMPLETE"
_PATIENCE = 2.0
"""Seconds a shell waits for names from the server."""

_UNSAFE = re.compile(r"[\\$`\"'\x00-\x1f\x7f]")
"""What zsh would evaluate, or take for the end of a word, in a name that somebody else chose."""

_MOST = 200
"""Names of jobs that are offered; a shell shows no more in one screen."""

app = typer.Typer(**FRAME)


@app.command("completion", cls=Command, epilog="Example:  ccs completion bash >> ~/.bashrc")
def completion(
    shell: Annotated[str, typer.Argument(metavar="|".join(SHELLS), help="The shell to write the script for.")],
) -> None:
    """The script that completes commands, options and names; for zsh after `compinit`, for fish into `| source`.

    It serves ccs and claude-code-scheduler.
    """
    if shell not in SHELLS:
        raise RequestError(f"there is no completion for {shell!r}", f"one of: {', '.join(SHELLS)}")
    script: Any = import_module("typer.completion").get_completion_script
    write("\n\n".join(script(prog_name=name, complete_var=_VARIABLE, shell=shell) for name in ("ccs", ALIAS)))


def answer(command: Any) -> int:
    """Write the words for the command line that a script asks about; nothing where there is an error in it."""
    machinery: Any = import_module("typer.completion")
    machinery.completion_init()
    try:
        code: int = machinery.shell_complete(command, {}, "ccs", _VARIABLE, os.environ[_VARIABLE])
    except CcsError:
        return ExitCode.REQUEST
    return code


def forget_alias() -> None:
    """Have a shell's question about the alias read as one about ccs, whose commands do not stand behind `cli`."""
    for name in ("COMP_WORDS", "_TYPER_COMPLETE_ARGS"):
        line = os.environ.get(name, "")
        os.environ[name] = re.sub(r"^(\S+\s+)cli\s+", r"\1", line)
        if name == "COMP_WORDS" and os.environ[name] != line:
            os.environ["COMP_CWORD"] = str(int(os.environ.get("COMP_CWORD") or 1) - 1)


def completed(read: "Callable[[Api], list[str]]") -> Callable[[str], list[str]]:
    """What completes a word, of the names that `read` gets from the server; nothing when it does not answer."""

    def complete(incomplete: str) -> list[str]:
        from ccs.cli.client.api import Api

        try:
            api = Api(Session.settings(), patience=_PATIENCE)
            known = read(api)
            api.close()
        except CcsError:
            return []
        found = [name for name in known if name.startswith(incomplete) and not _UNSAFE.search(name)]
        if os.environ.get(_VARIABLE) != "complete_bash":
            return found  # they put it into quotes themselves
        return [re.sub(r"([^\w@+=:,./-])", r"\\\1", name) for name in found]

    return complete


def jobs(incomplete: str) -> list[str]:
    """Names of jobs."""
    return completed(lambda api: [d["name"] for d in api.jobs(_MOST)[0]])(incomplete)


def tasks(incomplete: str) -> list[str]:
    """Tasks as JOB/TASK."""
    return completed(lambda api: [f"{d['name']}/{t['name']}" for d in api.jobs(_MOST)[0] for t in tasks_of(d)])(
        incomplete
    )


def runs(incomplete: str) -> list[str]:
    """Names of the latest runs."""
    return completed(lambda api: [r["name"] for r in api.runs({}, 30)[0]])(incomplete)


def profiles(incomplete: str) -> list[str]:
    """Names of profiles."""
    return completed(lambda api: [p["name"] for p in api.profiles()])(incomplete)
