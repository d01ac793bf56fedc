"""Results of earlier tasks in a prompt: `{{ tasks.NAME.output.FIELD }}`, and nothing else of the kind.

Other text in braces is the prompt's own: prompts are about templates of all sorts. What is meant for ccs is strict.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

_FILE_MARK = re.compile(r"(?<![A-Za-z0-9_])@")
FORM = "{{ tasks.NAME.output.FIELD }}"

_BRACES = re.compile(r"(?<!\$)\{\{\s*([^{}]*?)\s*\}\}")  # with a $ they are those of GitHub Actions
_OURS = re.compile(r"tasks\b")
_MISSPELT = re.compile(r"[\w-]+\.[^.]+\.output\b", re.IGNORECASE)
_NAME = re.compile(r"""tasks(?:\.([^.\[\]"']+)|\[(["'])(.+?)\2\])\.output((?:\.[^.]+)*)""")


class TemplateError(ValueError):
    """A reference that leads nowhere; the message says which and what there is."""


def tasks_named(text: str) -> set[str]:
    """The names of the tasks whose results a text uses."""
    return {name for _, name, _ in _references(text)}


def check(text: str, schemas: Mapping[str, Mapping[str, Any] | None], owner: str) -> None:
    """Raise TemplateError for a reference that no run could resolve.

    `schemas` has each task's output schema by its name, `owner` is the task whose text it is.
    """
    for whole, name, path in _references(text):
        where = f"task {owner!r} uses {whole}"
        if name not in schemas:
            raise TemplateError(f"{where}, but the job has no task {name!r}: {_listed(schemas, 'its tasks are')}")
        schema = schemas[name]
        if schema is None:
            raise TemplateError(f"{where}, but task {name!r} has no output_schema, so its result is no object")
        for depth, field in enumerate(path):
            known = schema.get("properties") if isinstance(schema, Mapping) else None
            if not isinstance(known, Mapping):
                if depth == 0 or (isinstance(schema, Mapping) and schema.get("type") not in (None, "object", "array")):
                    raise TemplateError(f"{where}, but the output_schema of task {name!r} names no field {field!r}")
                break  # the schema leaves open what is below
            if field not in known:
                raise TemplateError(
                    f"{where}, but the output of task {name!r} has no field {field!r}: {_listed(known, 'it has')}"
                )
            schema = known[field]


def render(text: str, outputs: Mapping[str, Any]) -> str:
    """The text with the results put in; texts as they are, anything else as JSON.

    Raises TemplateError when a task left no result, or one without the field.
    """

    def value(match: re.Match[str]) -> str:
        parsed = _parse(match)
        if parsed is None:
            return match[0]
        whole, name, path = parsed
        if name not in outputs:
            raise TemplateError(f"{whole} cannot be filled in: task {name!r} has no result in this run")
        found = outputs[name]
        for field in path:
            if isinstance(found, list) and field.isdecimal() and int(field) < len(found):
                found = found[int(field)]
            elif isinstance(found, Mapping) and field in found:
                found = found[field]
            else:
                raise TemplateError(f"{whole} cannot be filled in: the result of task {name!r} has no {field!r}")
        filled = found if isinstance(found, str) else json.dumps(found, ensure_ascii=False)
        # claude would read the file behind an @, wherever it is: what a task said must not name files.
        return _FILE_MARK.sub(r"\\@", filled)

    return _BRACES.sub(value, text)


def _references(text: str) -> Iterator[tuple[str, str, list[str]]]:
    for match in _BRACES.finditer(text):
        if parsed := _parse(match):
            yield parsed


def _parse(match: re.Match[str]) -> tuple[str, str, list[str]] | None:
    """The reference as it is written, the task's name, the fields below its output; None for text of the prompt."""
    inner = match[1]
    if not _OURS.match(inner):
        if _MISSPELT.match(inner):
            raise TemplateError(f"{match[0]} names nothing: the form is {FORM}")
        return None
    found = _NAME.fullmatch(inner)
    if not found:
        raise TemplateError(f"{match[0]} cannot be understood: the form is {FORM}")
    return match[0], (found[1] or found[3]).strip(), found[4].split(".")[1:]


def _listed(names: Mapping[str, Any], what: str) -> str:
    return f"{what} {', '.join(sorted(names))}" if names else f"{what} none"
