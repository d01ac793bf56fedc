"""What the gate of usage limits is, and what it says to an attempt that comes to it."""

import random
from dataclasses import dataclass
from datetime import UTC, datetime

from ccs.flows.node.moments import at

_JITTER = (5.0, 60.0)  # seconds after the reset


@dataclass(frozen=True)
class Open:
    """No limit is known."""


@dataclass(frozen=True)
class Closed:
    """A limit holds until `until`, in seconds since 1970 like `now`; with `is_guess` nobody knows the reset."""

    until: float
    now: float
    whose: str
    is_guess: bool = False

    @property
    def seconds(self) -> float:
        """From now until the reset."""
        return max(0.0, self.until - self.now)

    @property
    def message(self) -> str:
        """One line for people."""
        if self.is_guess:
            return f"usage limit of {self.whose}, its reset is not known: the next try is at {at(int(self.until))}"
        return f"usage limit of {self.whose} until {at(int(self.until))}"

    def due(self) -> datetime:
        """When to go on: a different moment soon after the reset with every call."""
        return datetime.fromtimestamp(max(self.until, self.now) + random.uniform(*_JITTER), UTC)  # noqa: S311


@dataclass(frozen=True)
class Due:
    """The reset has passed, and nobody has tried yet whether the limit has."""


@dataclass(frozen=True)
class Probing:
    """Somebody tries whether the limit has passed; with no answer by `until`, another may."""

    by: str
    until: float
    reset: float


@dataclass(frozen=True)
class Pass:
    """The way is free."""

    is_probe: bool = False
