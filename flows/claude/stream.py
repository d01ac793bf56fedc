"""The stream of `claude`: its lines as records."""

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Self

_PROTOCOL = frozenset({"type", "subtype", "terminal_reason", "error", "api_error", "status", "name", "tool_name"})
_WORD = re.compile(r"[A-Za-z_]{1,40}")


@dataclass(frozen=True)
class Record:
    """A JSON object nobody vouches for: every field may be missing or of another type."""

    fields: Mapping[str, object]

    @classmethod
    def parse(cls, line: bytes) -> Self | None:
        """The object on a line, or None when the line holds no JSON object."""
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            return None
        return cls(value) if isinstance(value, dict) else None

    def cleaned(self, clean: Callable[[str], str]) -> Self | None:
        """The record with every string cleaned but the words of the protocol; None when it nests too deep."""
        try:
            return type(self)({name: _cleaned(name, value, clean) for name, value in self.fields.items()})
        except RecursionError:
            return None

    def text(self, name: str) -> str:
        """The string of that name, or an empty one."""
        value = self.fields.get(name)
        return value if isinstance(value, str) else ""

    def number(self, name: str) -> float | None:
        """The finite number of that name, or None."""
        value = self.fields.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        try:
            number = float(value)
        except OverflowError:
            return None
        return number if math.isfinite(number) else None

    def integer(self, name: str) -> int:
        """The whole number of that name, or 0."""
        return int(self.number(name) or 0)

    def flag(self, name: str) -> bool:
        """Whether the field is true, and not merely something."""
        return self.fields.get(name) is True

    def record(self, name: str) -> "Record":
        """The object of that name, or an empty one."""
        value = self.fields.get(name)
        return Record(value if isinstance(value, dict) else {})

    def records(self, name: str) -> "Iterator[Record]":
        """The objects in the list of that name."""
        value = self.fields.get(name)
        if isinstance(value, list):
            yield from (Record(item) for item in value if isinstance(item, dict))

    def texts(self, name: str) -> tuple[str, ...]:
        """The strings in the list of that name."""
        value = self.fields.get(name)
        return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()


def _cleaned(name: str, value: object, clean: Callable[[str], str]) -> object:
    match value:
        case str():
            # A secret may happen to be a word of the protocol, such as "success".
            return value if name in _PROTOCOL and _WORD.fullmatch(value) else clean(value)
        case dict():
            return {key: _cleaned(key, item, clean) for key, item in value.items()}
        case list():
            return [_cleaned(name, item, clean) for item in value]
        case _:
            return value
