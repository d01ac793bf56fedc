"""Options that set fields of a spec: declared once, taken by every command that creates or changes the thing."""

import inspect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import typer

from ccs.cli.client import assignment
from ccs.cli.client.records import Json, Spec
from ccs.cli.errors import RequestError
from ccs.cli.terminal.output import say

F = TypeVar("F", bound=Callable[..., Any])

Values = tuple[str, ...] | Callable[[str], list[str]]


@dataclass(frozen=True)
class Field:
    """An option, and the field that it sets; `path` has a dot for every level of the spec."""

    path: str
    flags: str
    help: str
    metavar: str | None = None
    kind: Any = str
    read: Callable[[Any], Any] | None = None
    """What becomes of the option's value, when it is not the field's own."""
    values: Values = ()
    """The words that complete it, or where they come from."""
    panel: str | None = None

    @property
    def name(self) -> str:
        """What its option is called, without dashes in front."""
        return self.flags.split(",")[0].split("/")[0].lstrip("-")

    def parameter(self) -> inspect.Parameter:
        """The option as a parameter of a command's function; None when it is not given."""
        option = typer.Option(
            None,
            *self.flags.split(","),
            metavar=self.metavar,
            help=self.help,
            rich_help_panel=self.panel,
            autocompletion=_completion(self.values) if self.values else None,
        )
        name, kind = self.name.replace("-", "_"), inspect.Parameter.KEYWORD_ONLY
        return inspect.Parameter(name, kind, default=option, annotation=self.kind | None)


def taking(*fields: Field) -> Callable[[F], F]:
    """Give a command the options of these fields; its function gets them as keywords, for `read`."""

    def decorate(function: F) -> F:
        signature = inspect.signature(function)
        own = [p for p in signature.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
        both = [*own, *(field.parameter() for field in fields)]
        function.__signature__ = signature.replace(parameters=both)  # type: ignore[attr-defined]
        return function

    return decorate


def only(fields: Iterable[Field], *names: str) -> tuple[Field, ...]:
    """Those of the fields that have these names."""
    return tuple(field for field in fields if field.name in names)


def read(fields: Sequence[Field], options: Json) -> Json:
    """The values that options set, by the path of their field; RequestError when two of them set the same."""
    found: Json = {}
    by: dict[str, Field] = {}
    for field in fields:
        value = options.get(field.name.replace("-", "_"))
        if value is None or value == [] or (value is False and "/" not in field.flags):
            continue
        if field.path in by:
            raise RequestError(f"--{by[field.path].name} and --{field.name} say the same thing twice", "give one")
        if value in (float("inf"), float("-inf")):  # no number of JSON
            raise RequestError(f"--{field.name} must be a finite number", f"take the limit away: --unset {field.name}")
        by[field.path] = field
        found[field.path] = field.read(value) if field.read else value
    return found


def assign(spec: Spec, changes: Json, unset: Iterable[str] = ()) -> None:
    """Set fields of a spec by their paths, and take back others to their defaults; say which of these had none."""
    for path in assignment.take(spec, unset):
        say(f"{path} was not set")
    assignment.put(spec, changes)


def named(fields: Sequence[Field], names: Iterable[str], model: Iterable[str]) -> list[str]:
    """The paths that --unset names: by an option, or by a field of the model; RequestError for anything else."""
    paths = {field.name.replace("-", "_"): field.path for field in reversed(fields)}
    known = {**{name: name for name in model}, **paths}
    found = []
    for name in names:
        asked = name.lstrip("-").replace("-", "_")
        if asked not in known:
            from difflib import get_close_matches

            close = [k.replace("_", "-") for k in get_close_matches(asked, known, n=3)]
            hint = f"did you mean {' or '.join(close)}?" if close else "name an option, such as: --unset timeout"
            raise RequestError(f"there is no field {name!r} to unset", hint)
        found.append(known[asked])
    return found


def unset_of(options: Sequence[Field], model: str, names: Iterable[str]) -> list[str]:
    """The paths that --unset names, of a `Job` or a `Task`; RequestError for what is no field of it."""
    if not (names := list(names)):
        return []
    from ccs.flows.spec.job import Job
    from ccs.flows.spec.task import Task

    return named(options, names, (Job if model == "Job" else Task).model_fields)


def _completion(values: Values) -> Callable[[str], list[str]]:
    if callable(values):
        return values
    return lambda incomplete: [value for value in values if value.startswith(incomplete)]
