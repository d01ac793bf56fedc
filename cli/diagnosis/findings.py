"""A finding: one thing that is well or not, and what to do about it."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad it is; the first is the worst."""

    FAIL = "FAIL"
    WARN = "WARN"
    OK = "OK"
    INFO = "INFO"


@dataclass(frozen=True)
class Finding:
    """What was found: `id` names the subject for programs, `do` is the next step."""

    level: Level
    id: str
    what: str
    do: str = ""


def fail(id: str, what: str, do: str = "") -> Finding:
    """Something that keeps runs from succeeding."""
    return Finding(Level.FAIL, id, what, do)


def warn(id: str, what: str, do: str = "") -> Finding:
    """Something that may."""
    return Finding(Level.WARN, id, what, do)


def ok(id: str, what: str) -> Finding:
    """Something that is as it should be."""
    return Finding(Level.OK, id, what)


def info(id: str, what: str, do: str = "") -> Finding:
    """A fact, neither good nor bad."""
    return Finding(Level.INFO, id, what, do)


def ranked(findings: Iterable[Finding]) -> list[Finding]:
    """The worst first; otherwise in the order they were found."""
    order = list(Level)
    return sorted(findings, key=lambda f: order.index(f.level))
