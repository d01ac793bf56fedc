"""The frame of the command line: nouns that load when they are used, and the options every command has."""

from collections.abc import Callable
from importlib import import_module
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Any, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption

from ccs.cli.client import settings
from ccs.cli.errors import NotFoundError, RequestError
from ccs.cli.terminal import output

if TYPE_CHECKING:
    from ccs.cli.client.api import Api
    from ccs.cli.client.rehearsal import KeptRequest

F = TypeVar("F", bound=Callable[..., Any])

_COLUMNS = get_terminal_size().columns
_NARROW = 52
"""Columns of a terminal that a help text fits only when it is told so."""


class Session:
    """What the options of this call chose, and its connection."""

    api_url: str | None = None
    dry_run = False
    _api: "Api | None" = None

    @classmethod
    def reset(cls) -> None:
        """Forget the last call."""
        cls.close()
        cls.api_url, cls.dry_run = None, False
        output.Talk.verbosity, output.Talk.format, output.Talk.muted = 0, None, False

    @classmethod
    def close(cls) -> None:
        """Close the connection, if there is one."""
        if cls._api:
            cls._api.close()
            cls._api = None

    @classmethod
    def answered(cls) -> bool:
        """Whether a server has answered in this call."""
        return cls._api is not None and cls._api.answered

    @classmethod
    def settings(cls) -> settings.Settings:
        """The settings of this call."""
        return settings.load(cls.api_url)

    @classmethod
    def api(cls) -> "Api":
        """The server this call talks to."""
        if cls._api is None:
            from ccs.cli.client.api import Api

            cls._api = Api(cls.settings(), notify=output.say)
            if cls.dry_run:
                from ccs.cli.client.rehearsal import Rehearsal

                cls._api.rehearsal = Rehearsal(begun=output.mute)
        return cls._api

    @classmethod
    def rehearsed(cls) -> "list[KeptRequest] | None":
        """With --dry-run, the requests that were not sent; None without it, and when there are none."""
        return cls._api.rehearsal.requests if cls._api and cls._api.rehearsal else None


def _verbosity(_: object, __: object, count: int) -> None:
    output.Talk.verbosity = max(output.Talk.verbosity, count)
    if count >= 3:
        import logging

        logging.basicConfig(level=logging.DEBUG, format="%(name)s: %(message)s")


def _format(_: object, __: object, name: str | None) -> None:
    if name:
        if name not in list(output.Format):
            raise RequestError(f"{name!r} is not an output format", f"one of: {', '.join(output.Format)}")
        output.Talk.format = output.Format(name)


def _api_url(_: object, __: object, url: str | None) -> None:
    if url:
        Session.api_url = url


def _dry_run(_: object, __: object, asked: bool) -> None:
    Session.dry_run = Session.dry_run or asked


_COMMON = "Options of every command"
_SHARED: dict[str, Any] = {"expose_value": False, "rich_help_panel": _COMMON}


def _dry_run_option() -> Any:
    return TyperOption(
        param_decls=["--dry-run"], is_flag=True, type=bool, default=False, **_SHARED, callback=_dry_run,
        help="Show the requests that would change something; send none of them.",
    )  # fmt: skip


def _common_options() -> list[Any]:
    return [
        TyperOption(
            param_decls=["--output"], metavar="|".join(output.Format), **_SHARED, callback=_format,
            help="How to write the result; a table on a terminal, JSON on a pipe.",
        ),
        TyperOption(
            param_decls=["--api-url"], metavar="URL", **_SHARED, callback=_api_url,
            help="The Prefect API to talk to, instead of the configured one.",
        ),
        TyperOption(
            param_decls=["-v", "--verbose"], count=True, type=int, default=0, **_SHARED, callback=_verbosity,
            help="Say more on stderr: requests (-v), tracebacks (-vv), everything (-vvv).",
        ),
        TyperOption(
            param_decls=["--table", "-t"], is_flag=True, type=bool, default=False, hidden=True, **_SHARED,
            callback=_table, help="The same as --output table.",
        ),
    ]  # fmt: skip


def _table(_: object, __: object, asked: bool) -> None:
    if asked:
        output.Talk.format = output.Format.TABLE


class CommandGroup(TyperGroup):
    """Commands that take the options of every command also in front of their own name."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for option in _common_options():
            option.hidden = True  # the help of each command has them
            self.params.append(option)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The list in the help, no sentence of it cut."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.get_short_help_str(1000)) for name, command in self.commands.items()])


class Command(TyperCommand):
    """A command with the options that every command has."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.extend(_common_options())

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """The parameters in the help, each in its panel; those that every command has come last."""
        panels: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            if record := param.get_help_record(ctx):
                of_kind = "Arguments" if param.param_type_name == "argument" else "Options"
                panel = _COMMON if param.name == "help" else getattr(param, "rich_help_panel", None) or of_kind
                panels.setdefault(panel, []).append(record)
        common = panels.pop(_COMMON, [])
        for title, records in [*panels.items(), (_COMMON, common)]:
            with formatter.section(title):
                formatter.write_dl(records, col_max=30 if _COLUMNS >= _NARROW else 8)


class WriteCommand(Command):
    """A command that changes something on the server."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.append(_dry_run_option())


READS = frozenset({"list", "get", "tasks", "logs", "export", "watch"})
"""Verbs that change nothing on the server; every other one can be rehearsed with --dry-run."""


class Noun(typer.Typer):
    """The verbs of one noun."""

    def __init__(self, help: str) -> None:
        super().__init__(help=help, cls=CommandGroup, **FRAME)
        self.callback()(_nothing)

    def verb(self, name: str, example: str, reads: bool | None = None) -> Callable[[F], F]:
        """Register a verb with the example that ends its help; `reads` where its name does not say so."""
        kind = Command if (name in READS if reads is None else reads) else WriteCommand
        register = self.command(name, cls=kind, epilog=f"Example:  {example}")
        return lambda function: register(function)


def _nothing() -> None:
    pass


FRAME: dict[str, Any] = {
    "add_completion": False,
    "no_args_is_help": True,
    "pretty_exceptions_enable": False,
    "rich_markup_mode": None,
    "context_settings": {
        "help_option_names": ["-h", "--help"],
        "max_content_width": 110,
        "terminal_width": _COLUMNS - 1 if _COLUMNS < _NARROW else None,
    },
}


class Lazy(CommandGroup):
    """A group whose commands are `module:app` addresses, imported when they are called."""

    table: dict[str, tuple[str, str]] = {}  # noqa: RUF012 - set once by the module that makes the group

    def list_commands(self, ctx: Any) -> list[str]:
        """The names, in the order of the table."""
        return list(self.table)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of this name, now imported."""
        if cmd_name not in self.table:
            raise NotFoundError("command", cmd_name, self.table, "see: ccs --help")
        module, _ = self.table[cmd_name]
        found = typer.main.get_command(import_module(module).app)
        verbs = getattr(found, "commands", {})
        return verbs.get(cmd_name, found)  # a module of commands without a noun holds several

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The list in the help, without importing anything."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in self.table.items()])
