"""Options that set fields of a spec: declared once, taken by every command that creates or changes the thing."""

import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import typer

from ccs.cli.client.api import Json
from ccs.cli.errors import RequestError

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


def put(spec: Json, changes: Json) -> Json:
    """Set fields of a spec by their paths; the spec."""
    for path, value in changes.items():
        *levels, last = path.split(".")
        here = spec
        for level in levels:
            if not isinstance(here.get(level), dict):
                here[level] = {}
            here = here[level]
        here[last] = value
    return spec


def take(spec: Json, paths: Iterable[str]) -> Iterator[str]:
    """Take fields out of a spec, so that their defaults apply; yields the paths of those that were not in it."""
    for path in paths:
        *levels, last = path.split(".")
        here: Any = spec
        for level in levels:
            here = here.get(level) if isinstance(here, dict) else None
        if not isinstance(here, dict) or here.pop(last, None) is None:
            yield path


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


def _completion(values: Values) -> Callable[[str], list[str]]:
    if callable(values):
        return values
    return lambda incomplete: [value for value in values if value.startswith(incomplete)]
