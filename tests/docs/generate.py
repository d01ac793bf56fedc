"""`make docs`: writes the parts of the documentation that follow from the code, between markers in the pages.

<!-- generated: NAME -->
...
<!-- end -->
"""

import re
import types
from collections.abc import Iterator
from enum import StrEnum
from typing import Any, Literal, Union, get_args, get_origin

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from ccs.cli.commands import job_options, task_options
from ccs.cli.exit_codes import ExitCode
from ccs.cli.main import app
from ccs.flows.spec.job import Job
from tests.docs.page import PAGES

RENEW = "make docs"
_WIDTH = 100
_COMMON = "Options of every command"
_MARKED = re.compile(r"(<!-- generated: (.+?) -->\n).*?(<!-- end -->)", re.DOTALL)
_WORDS = {bool: "yes or no", int: "whole number", float: "number", str: "text", dict: "object"}


def renewed(page: str) -> str:
    """A page with its generated parts as they have to be."""
    return _MARKED.sub(lambda part: f"{part[1]}{PARTS[part[2]]()}{part[3]}", page)


def fields() -> Iterator[str]:
    """The paths of all fields of a job and of its tasks."""
    for model in (Job, _task()):
        yield from (path for path, _ in _fields(model, ""))


def job_table() -> str:
    """The fields of a job, as rows of a table."""
    return _table(Job, {f.path: f.name for f in reversed(job_options.FIELDS)} | {"name": "name"})


def task_table() -> str:
    """The fields of a task, as rows of a table."""
    return _table(_task(), {f.path: f.name for f in reversed(task_options.FIELDS)} | {"name": "name"})


def _task() -> type[BaseModel]:
    task: type[BaseModel]
    (task,) = get_args(Job.model_fields["tasks"].annotation)
    return task


def _table(model: type[BaseModel], options: dict[str, str]) -> str:
    rows = ["| field | option | value | |", "|---|---|---|---|"]
    for path, field in _fields(model, ""):
        option = f"`--{options[path]}`" if path in options else ""
        text = re.sub(r"\{\{.*?\}\}|(?<!`)<.*?>", r"`\g<0>`", (field.description or "").replace("|", r"\|"))
        rows.append(f"| `{path}` | {option} | {_value(field)} | {text} |")
    return "\n".join(rows) + "\n"


def _fields(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, FieldInfo]]:
    """The fields with their paths; those of a model within the model come in its place."""
    for name, field in model.model_fields.items():
        inner, *_ = get_args(field.annotation) or (field.annotation,)
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)) or name == "tasks":
            yield prefix + name, field
        elif not get_args(field.annotation):
            yield from _fields(inner, f"{prefix}{name}.")
        else:
            yield prefix + name, field
            yield from _fields(inner, f"{prefix}{name}[].")


def _value(field: FieldInfo) -> str:
    default = field.get_default(call_default_factory=True)
    if choices := _choices(field.annotation):
        return ", ".join(f"**`{c}`**" if c == default else f"`{c}`" for c in choices)
    kind = _kind(field.annotation)
    if default is PydanticUndefined:
        return f"{kind}, required"
    if default is None or default == "" or default == []:
        return kind
    shown = ("no", "yes")[default] if isinstance(default, bool) else f"{default:g}" if kind == "number" else default
    return f"{kind}, default {shown}" if kind != "text" else f"{kind}, default `{shown}`"


def _choices(annotation: Any) -> list[str]:
    if get_origin(annotation) is Literal:
        return list(get_args(annotation))
    return list(annotation) if isinstance(annotation, type) and issubclass(annotation, StrEnum) else []


def _kind(annotation: Any) -> str:
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        return _kind(next(each for each in inner if each is not type(None)))
    if origin is list:
        return (
            "list" if isinstance(inner[0], type) and issubclass(inner[0], BaseModel) else f"list of {_kind(inner[0])}s"
        )
    return _WORDS.get(origin or annotation) or _kind(inner[0])


def commands(command: Any, *words: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command that does something, with the words that call it."""
    if not hasattr(command, "list_commands"):
        yield words, command
        return
    for name in command.list_commands(None):
        yield from commands(command.get_command(None, name), *words, name)


def all_commands() -> str:
    """The help of every command, without the options that all of them have."""
    sections = []
    for words, command in commands(typer.main.get_command(app), "ccs"):
        context = command.make_context(
            " ".join(words), [], resilient_parsing=True, terminal_width=_WIDTH, max_content_width=_WIDTH
        )
        usage, *parts = re.split(r"\n\n(?=\S|  Example:)", context.get_help())
        usage, _, text = usage.partition("\n\n")
        example = next(part for part in parts if part.startswith("  Example:")).split(None, 1)[1]
        own = "\n\n".join(p for p in parts if not p.startswith((_COMMON, "  Example:")))
        text = "\n".join(line.strip() for line in text.splitlines())
        block = "\n\n".join(filter(None, (usage.removeprefix("Usage: "), own)))
        example = " ".join(example.split())
        sections.append(f"## {' '.join(words)}\n\n{text}\n\n```text\n{block}\n```\n\nExample: `{example}`\n")
    return "\n".join(sections)


def index() -> str:
    """Links to the commands."""
    rows = ["| command | |", "|---|---|"]
    for words, command in commands(typer.main.get_command(app), "ccs"):
        name = " ".join(words)
        rows.append(f"| [`{name}`](#{name.replace(' ', '-')}) | {command.get_short_help_str(1000)} |")
    return "\n".join(rows) + "\n"


def exit_codes() -> str:
    """What a command line ends with."""
    rows = ["| code | means |", "|---|---|", *(f"| {code:d} | {code.meaning} |" for code in ExitCode)]
    return "\n".join(rows) + "\n"


PARTS = {
    "exit codes": exit_codes,
    "fields of a job": job_table,
    "fields of a task": task_table,
    "list of the commands": index,
    "help of the commands": all_commands,
}


if __name__ == "__main__":
    for path in PAGES.values():
        text = path.read_text()
        if (new := renewed(text)) != text:
            path.write_text(new)
            print(f"renewed {path.name}")  # noqa: T201
