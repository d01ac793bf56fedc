"""The entry point: the table of commands, and the one place where errors become words and exit codes."""

import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from ccs.cli import exit_codes
from ccs.cli.app import FRAME, Lazy, Session
from ccs.cli.errors import CcsError, RequestError, ServerError, UnreachableError
from ccs.cli.exit_codes import ExitCode
from ccs.cli.terminal.output import ReaderGoneError, Talk, let_go, say, write
from ccs.flows.node.files import UnknownUserError

COMPLETE = "_CCS_COMPLETE"
"""The variable by which the script of `ccs completion` asks for words."""


_NONSENSE = (LookupError, TypeError, AttributeError, ValueError, ArithmeticError, RecursionError)
"""What it comes to when a server answers something that Prefect would not."""


class _Ccs(Lazy):
    table = {  # noqa: RUF012
        "up": ("ccs.cli.commands.up", "Start what is needed: server, pool and a node; wait until they are ready."),
        "down": ("ccs.cli.commands.up", "Stop the node and the server that `ccs up` started."),
        "status": ("ccs.cli.commands.status", "What runs where: server, pool, nodes, profiles, versions."),
        "health": ("ccs.cli.commands.status", "Whether the server answers; the exit code says it."),
        "doctor": ("ccs.cli.commands.doctor", "Check everything a run needs, and say what to do."),
        "run": ("ccs.cli.commands.run", "Run one prompt now, without a job of its own."),
        "jobs": ("ccs.cli.commands.jobs", "Jobs: create, change, run."),
        "tasks": ("ccs.cli.commands.tasks", "Tasks of a job: one Claude Code session each."),
        "runs": ("ccs.cli.commands.runs", "Runs of jobs: state, result, logs."),
        "profiles": ("ccs.cli.commands.profiles", "Profiles: the environment claude runs with."),
        "import-legacy": ("ccs.cli.commands.import_legacy", "Take over a data folder of claude-code-scheduler."),
        "worktrees": ("ccs.cli.commands.worktrees", "Worktrees of jobs in a repository of this machine."),
        "nodes": ("ccs.cli.commands.nodes", "Nodes: the machines that execute runs."),
        "explain": ("ccs.cli.commands.explain", "Why a job did not run, or a run ended as it did."),
        "open": ("ccs.cli.commands.open", "The page of a job or run in the UI."),
        "state": ("ccs.cli.commands.state", "Everything the server holds: jobs, tasks, profiles, runs, nodes."),
        "scheduler": ("ccs.cli.commands.state", "What is scheduled, and when it comes due."),
        "stats": ("ccs.cli.commands.stats", "Runs, cost and turns of each job."),
        "cost": ("ccs.cli.commands.cost", "What jobs, tasks, profiles, models and days cost, estimated."),
        "debug": ("ccs.cli.commands.debug", "Look inside: jobs, runs, transcripts, environments, settings."),
        "completion": ("ccs.cli.commands.completion", "The script that completes ccs in bash, zsh or fish."),
    }


app = typer.Typer(cls=_Ccs, **FRAME)


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        write(f"ccs {version('ccs')}")
        raise typer.Exit


@app.callback(epilog=f"Example:  ccs up -d; ccs jobs list      Exit codes: {exit_codes.listed(exit_codes.ALWAYS)}")
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Schedule and run headless Claude Code sessions on Prefect."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line; its exit code. The console script exits with it."""
    Session.reset()
    _have_streams()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        return _run(sys.argv[1:] if argv is None else list(argv))
    except (ReaderGoneError, BrokenPipeError):
        return ExitCode.OK
    finally:
        Session.close()
        let_go()


def _have_streams() -> None:
    """Open what was closed when this process was started (`>&-`): Python has None in its place."""
    sys.stdin = sys.stdin or open(os.devnull, encoding="utf-8")  # noqa: SIM115, PTH123
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123


def _run(argv: list[str]) -> int:
    code = _outcome(argv)
    if not (requests := Session.rehearsed()):
        return code
    from ccs.cli.terminal import rehearsal

    rehearsal.show(requests)
    return code if code in (ExitCode.SERVER, ExitCode.UNREACHABLE) else ExitCode.OK


def _outcome(argv: list[str]) -> int:
    command: Any = typer.main.get_command(app)
    try:
        if COMPLETE in os.environ:
            from ccs.cli.commands import completion

            return completion.answer(command)
        if odd := next((word for word in argv if _is_garbled(word)), None):
            raise RequestError(f"{odd[:60]!r} is not text in the encoding of this machine", "write it in UTF-8")
        result = command.main(args=argv, prog_name="ccs", standalone_mode=False)
        sys.stdout.flush()
    except (ReaderGoneError, BrokenPipeError):
        raise
    except SystemExit:  # how typer ends when nobody reads the help any more
        raise ReaderGoneError from None
    except typer.Exit as end:
        return end.exit_code
    except (typer.Abort, KeyboardInterrupt):
        say("interrupted")
        return ExitCode.CANCELLED
    except Exception as error:  # the one boundary: whatever happens, a user gets a sentence
        if Talk.muted and not isinstance(error, ServerError | UnreachableError):
            return ExitCode.OK  # a rehearsal ends where the command misses what was not done
        Talk.muted = False
        if isinstance(error, CcsError):
            return _tell(str(error), error.hint, error.exit_code)
        if hasattr(error, "format_message"):  # a usage error of click, wherever typer keeps click
            return _usage(error)
        if isinstance(error, UnknownUserError):
            return _tell(str(error), "", ExitCode.REQUEST)
        if isinstance(error, OSError):
            where = f": {error.filename}" if error.filename else ""
            return _tell(
                f"this machine refused{where}: {error.strerror or error}",
                "see to that, then try again",
                ExitCode.REQUEST,
            )
        if Session.answered() and isinstance(error, _NONSENSE):
            what = f"the server's answer makes no sense here ({type(error).__name__}: {error})"
            return _tell(what, f"is {Session.settings().api_url} the API of a Prefect 3 server?", ExitCode.SERVER)
        return _tell(
            f"unexpected {type(error).__name__}: {error}", "report this with the output of -vv", ExitCode.SERVER
        )
    return result if isinstance(result, int) else ExitCode.OK


def _is_garbled(word: str) -> bool:
    """Whether a word held bytes that are no text here; such could not be sent."""
    return any("\ud800" <= letter <= "\udfff" for letter in word)


def _usage(error: Any) -> int:
    context: Any = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError":  # a command without arguments shows its help
        write(context.get_help())
        return ExitCode.OK
    hint = f"see: {context.command_path} --help" if context else "see: ccs --help"
    return _tell(" ".join(str(error.format_message()).split()), hint, ExitCode.REQUEST)


def _tell(message: str, hint: str, code: int) -> int:
    if Talk.verbosity >= 2:
        import traceback

        traceback.print_exc()
    say(f"ccs: {message}")
    if hint:
        say(f"     {hint}")
    return code


if __name__ == "__main__":
    raise SystemExit(main())
