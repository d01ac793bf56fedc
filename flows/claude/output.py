"""The structured output of an attempt: what the model hands over in the form that was asked for."""

from collections.abc import Callable, Iterable

OUTPUT = "structured_output"
"""The field of a result that holds it. A model that never handed anything over ends in success without it."""

MAX_DEPTH = 100
"""Levels of lists and objects; more is no data anybody asked for."""


def nests_too_deep(value: object) -> bool:
    """Whether a value of JSON has more than MAX_DEPTH levels."""
    level: Iterable[object] = [value]
    for _ in range(MAX_DEPTH + 1):
        below: list[object] = []
        for item in level:
            if isinstance(item, dict):
                below += item.values()
            elif isinstance(item, list):
                below += item
        if not below:
            return False
        level = below
    return True


def cleaned(value: object, clean: Callable[[str], str]) -> object:
    """The value with every text in it cleaned, also the names of fields."""
    match value:
        case str():
            return clean(value)
        case dict():
            return {clean(name): cleaned(item, clean) for name, item in value.items()}
        case list():
            return [cleaned(item, clean) for item in value]
        case _:
            return value
