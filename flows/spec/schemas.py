"""JSON schemas of results: whether `claude` will take one, known before any run is made with it.

`claude` knows draft 7 and nothing else, and refuses a keyword it does not know, wherever it stands.
"""

from collections.abc import Iterator, Mapping
from typing import Any

_DRAFT = "http://json-schema.org/draft-07/schema"
_ITS_OWN = frozenset({"$defs", "$vocabulary", "deprecated", "nullable"})  # what it knows beyond the draft
_ONE = ("additionalItems", "additionalProperties", "contains", "else", "if", "items", "not", "propertyNames", "then")
_LISTS = ("allOf", "anyOf", "items", "oneOf")
_BY_NAME = ("$defs", "definitions", "dependencies", "patternProperties", "properties")


def problem(schema: Mapping[str, Any]) -> str:
    """What is wrong with a schema, as a phrase that says where; empty if nothing is that can be seen from here."""
    from jsonschema import Draft7Validator  # type: ignore[import-untyped]  # takes a while, and few tasks need it
    from jsonschema.exceptions import best_match  # type: ignore[import-untyped]

    said = schema.get("$schema", _DRAFT)
    if not isinstance(said, str) or said.rstrip("#") != _DRAFT:
        return f"$schema is {said!r}, and claude knows draft 7 only: leave it out"
    try:
        if error := best_match(Draft7Validator(Draft7Validator.META_SCHEMA).iter_errors(schema)):
            return f"{_path(error.absolute_path)}: {str(error.message)[:200]}"
        known = {*Draft7Validator.META_SCHEMA["properties"], *_ITS_OWN}
        for path, part in _parts(schema, ()):
            for keyword in part:
                if keyword not in known:
                    return f"{_path((*path, keyword))}: JSON Schema draft 7 has no such keyword"
            reference = part.get("$ref", "#")
            if reference.startswith("#") and not _leads_somewhere(reference, schema):
                return f"{_path(path)}: $ref {reference!r} leads nowhere"
    except RecursionError:
        return "it nests too deep"
    return ""


def _parts(schema: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Mapping[str, Any]]]:
    """The schema and all schemas in it, with where they stand; not what only looks like one, such as a default."""
    if not isinstance(schema, Mapping):
        return
    yield path, schema
    for keyword in _ONE:
        yield from _parts(schema.get(keyword), (*path, keyword))
    for keyword in _LISTS:
        if isinstance(items := schema.get(keyword), list):
            for number, item in enumerate(items):
                yield from _parts(item, (*path, keyword, str(number)))
    for keyword in _BY_NAME:
        if isinstance(named := schema.get(keyword), Mapping):
            for name, item in named.items():
                yield from _parts(item, (*path, keyword, name))


def _leads_somewhere(reference: str, schema: Any) -> bool:
    found = schema
    for step in reference.removeprefix("#").split("/")[1:]:
        key = step.replace("~1", "/").replace("~0", "~")
        if isinstance(found, list) and key.isdecimal() and int(key) < len(found):
            found = found[int(key)]
        elif isinstance(found, Mapping) and key in found:
            found = found[key]
        else:
            return False
    return True


def _path(steps: Any) -> str:
    return "/".join(map(str, steps)) or "the schema"
