"""The stream of `claude`: bytes to lines, lines to records."""

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Self

MAX_LINE = 256 * 1024 * 1024
"""Bytes after which a text without a newline is handed on as it is; no real line comes near."""

_PROTOCOL = frozenset({"type", "subtype", "terminal_reason", "error", "api_error", "status", "name", "tool_name"})
_WORD = re.compile(r"[A-Za-z_]{1,40}")


class LineFramer:
    """Cuts a stream into lines, in time proportional to its size; one longer than `max_line` bytes comes in pieces.

    Only a newline byte ends a line: U+2028 and NEL occur inside JSON strings.
    """

    def __init__(self, max_line: int = MAX_LINE) -> None:
        self._parts: list[bytes] = []
        self._size = 0
        self._max_line = max_line
        self._is_cut = False

    def push(self, data: bytes) -> list[bytes]:
        """The lines, without their newline, that these bytes complete."""
        *ends, rest = data.split(b"\n")
        lines = []
        for end in ends:
            if end or self._parts or not self._is_cut:  # else the newline only ends what was given out already
                lines.append(b"".join([*self._parts, end]) if self._parts else end)
            self._parts, self._size, self._is_cut = [], 0, False
        if rest:
            self._parts.append(rest)
            self._size += len(rest)
            if self._size > self._max_line:
                lines += self.flush()
                self._is_cut = True
        return lines

    def flush(self) -> list[bytes]:
        """What is left at the end of the stream: a line without its newline, or nothing."""
        line = b"".join(self._parts)
        self._parts, self._size = [], 0
        return [line] if line else []


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
