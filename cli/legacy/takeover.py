"""What was taken over from somewhere else, field by field: what was mapped, what was not, and why."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypedDict

from ccs.cli.client.records import Json
from ccs.cli.errors import RequestError


class FieldOutcome(StrEnum):
    """What became of a field."""

    MAPPED = "mapped"  # means the same here
    CHANGED = "changed"  # means something else here, or was mended
    NOT_MAPPED = "not mapped"  # what it asks for does not exist here
    LEFT_OUT = "left out"  # bookkeeping, or without effect where it came from


@dataclass(frozen=True)
class FieldFinding:
    """What became of one field of one thing."""

    thing: str
    field: str
    outcome: FieldOutcome
    reason: str = ""

    def row(self) -> "FieldRow":
        """The finding as JSON."""
        return {"thing": self.thing, "field": self.field, "outcome": self.outcome, "reason": self.reason}


class FieldRow(TypedDict):
    """A field finding as JSON."""

    thing: str
    field: str
    outcome: FieldOutcome
    reason: str


@dataclass
class TakeoverReport:
    """The findings about one source; `source` is its name in error texts."""

    source: str
    findings: list[FieldFinding] = field(default_factory=list)

    def rows(self) -> list[FieldRow]:
        """The findings as JSON."""
        return [finding.row() for finding in self.findings]


_KINDS = {
    str: "a text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    dict: "an object",
    list: "a list",
}


class Fields:
    """The fields of one thing in a foreign file: read with their types checked, each accounted for."""

    def __init__(self, data: Any, thing: str, report: TakeoverReport, prefix: str = "") -> None:
        self.thing, self.report, self._prefix = thing, report, prefix
        if not isinstance(data, dict):
            raise RequestError(f"{report.source}: {thing} is not an object", "nothing was written")
        self._data: Json = data
        self._told: set[str] = set()

    def text(self, *names: str, default: str = "") -> str:
        """The first of these fields that is there, as a text."""
        return str(self._value(str, names, default))

    def flag(self, name: str, default: bool) -> bool:
        """A field that is true or false."""
        return bool(self._value(bool, (name,), default))

    def number(self, name: str, default: int) -> int:
        """A field that is a whole number."""
        return int(self._value(int, (name,), default))

    def real(self, name: str, default: float) -> float:
        """A field that is a number."""
        if isinstance(value := self._data.get(name), int) and not isinstance(value, bool):
            return float(value)
        return float(self._value(float, (name,), default))

    def texts(self, name: str) -> list[str]:
        """A field that is a list of texts."""
        return [self._checked(str, item, name) for item in self.items(name)]

    def items(self, name: str) -> list[Any]:
        """A field that is a list."""
        return list(self._value(list, (name,), []))

    def part(self, name: str, short: str = "") -> "Fields":
        """A field that is an object, with fields of its own; a text in its place stands for its field `short`."""
        self._told.add(name)
        if short and isinstance(self._data.get(name), str):
            self._data = {**self._data, name: {short: self._data[name]}}
        return Fields(self._value(dict, (name,), {}), self.thing, self.report, f"{self._prefix}{name}.")

    def has(self, name: str) -> bool:
        """Whether a field is there and not null."""
        return self._data.get(name) is not None

    def is_null(self, name: str) -> bool:
        """Whether a field is there, but null."""
        return name in self._data and self._data[name] is None

    def is_list(self, name: str) -> bool:
        """Whether a field is a list, where it should be one value."""
        return isinstance(self._data.get(name), list)

    def seen(self, *names: str) -> None:
        """These fields are accounted for elsewhere."""
        self._told.update(names)

    def mapped(self, *names: str) -> None:
        """These fields mean the same here."""
        self._tell(names, FieldOutcome.MAPPED, "")

    def changed(self, name: str, reason: str) -> None:
        """A field means something else here."""
        self._tell((name,), FieldOutcome.CHANGED, reason)

    def lost(self, name: str, reason: str) -> None:
        """What a field asks for does not exist here."""
        self._tell((name,), FieldOutcome.NOT_MAPPED, reason)

    def left(self, reason: str, *names: str) -> None:
        """These fields need no place here."""
        self._tell(names, FieldOutcome.LEFT_OUT, reason)

    def as_here(self, name: str, same: bool, reason: str) -> None:
        """A field that is mapped when it asks for what happens here anyway, and else is lost."""
        if same:
            self.mapped(name)
        else:
            self.lost(name, reason)

    def rest(self) -> None:
        """Account for every field that nobody has asked for."""
        for name in self._data:
            if name not in self._told:
                self.lost(name, "ccs does not know this field")

    def _tell(self, names: Sequence[str], outcome: FieldOutcome, reason: str) -> None:
        self._told.update(names)
        there = [n for n in names if n in self._data and (self.has(n) or outcome is not FieldOutcome.LEFT_OUT)]
        self.report.findings += [FieldFinding(self.thing, self._prefix + n, outcome, reason) for n in there]

    def _value(self, kind: type, names: Sequence[str], default: Any) -> Any:
        for name in names:
            if self.has(name):
                return self._checked(kind, self._data[name], name)
        return default

    def _checked(self, kind: type, value: Any, name: str) -> Any:
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            place = f"{self.report.source}: {self.thing}: {self._prefix}{name}"
            raise RequestError(f"{place} must be {_KINDS[kind]}", "nothing was written")
        return value
