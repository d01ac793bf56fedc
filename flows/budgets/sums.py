"""The sums of a budget: what was spent in a day and a month (UTC), and what attempts under way hold of it.

Amounts are whole micro-dollars, estimates as all costs are, so that adding up never rounds.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Any, Protocol, Self, TypedDict

from ccs.flows.server.names import spent_tag

MICRO = 1_000_000

CENT = MICRO // 100
"""Less than this is not worth an attempt: a budget with less left is used up."""


class SumsRecord(TypedDict):
    """Sums as they are kept on the server."""

    date: str
    spent: dict[str, int]
    """By period."""
    held: dict[str, dict[str, int]]
    """By run and reservation."""


class UsedUpRecord(TypedDict):
    """Why a job is paused, as it is kept on the server."""

    kind: str
    name: str
    period: str
    limit: int
    spent: int
    until: str


class Period(StrEnum):
    """What a budget is for."""

    DAY = "day"
    MONTH = "month"

    def end(self, day: date) -> datetime:
        """When the day, or its month, is over."""
        after = (
            day + timedelta(days=1) if self is Period.DAY else (day.replace(day=1) + timedelta(days=31)).replace(day=1)
        )
        return datetime.combine(after, time(), UTC)


class Budgeted(Protocol):
    """What has budgets: a job or a profile."""

    @property
    def budget_usd_per_day(self) -> float | None: ...

    @property
    def budget_usd_per_month(self) -> float | None: ...


def limits(of: Budgeted) -> dict[Period, int]:
    """The budgets that are set, in micro-dollars."""
    given = {Period.DAY: of.budget_usd_per_day, Period.MONTH: of.budget_usd_per_month}
    return {period: micro(usd) for period, usd in given.items() if usd is not None}


def micro(usd: float) -> int:
    """Dollars in micro-dollars; not nothing, where there is something."""
    return max(round(usd * MICRO), 1 if usd > 0 else 0)


def is_used_up(limit: int, spent: int) -> bool:
    """Whether less is left of a limit than an attempt is worth starting for."""
    return limit - spent < min(CENT, limit)


@dataclass(frozen=True)
class Scope:
    """Whose sums they are: a job's, by the id of its deployment, or a profile's, by its name."""

    kind: str
    name: str
    identity: str

    @classmethod
    def of_job(cls, name: str, identity: str) -> Self:
        return cls("job", name, identity.replace("-", ""))

    @classmethod
    def of_profile(cls, name: str) -> Self:
        return cls("profile", name, name)

    @property
    def tag(self) -> str:
        """The tag of its variable, and the beginning of the variable's name."""
        return spent_tag(self.kind, self.identity)


@dataclass(frozen=True)
class Sums:
    """What was spent on a day and in its month, and what is held: by run, by reservation."""

    day: date
    spent: Mapping[Period, int] = field(default_factory=lambda: dict.fromkeys(Period, 0))
    held: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    @property
    def held_in_all(self) -> int:
        """What all attempts under way hold."""
        return sum(sum(own.values()) for own in self.held.values())

    def on(self, day: date) -> "Sums":
        """The sums on that day: they begin anew with a day and a month, and never go back to an earlier one."""
        if day <= self.day:
            return self
        same_month = (day.year, day.month) == (self.day.year, self.day.month)
        return replace(
            self, day=day, spent={Period.DAY: 0, Period.MONTH: self.spent[Period.MONTH] if same_month else 0}
        )

    def hold(self, run: str, reservation: str, amount: int) -> "Sums":
        """With so much held for a reservation."""
        return replace(self, held={**self.held, run: {**self.held.get(run, {}), reservation: amount}})

    def settle(self, run: str, reservation: str, spent: int) -> "Sums":
        """With what was spent in place of the reservation; unchanged when that was done before."""
        if reservation not in self.held.get(run, {}):
            return self
        rest = {key: amount for key, amount in self.held[run].items() if key != reservation}
        others = {key: own for key, own in self.held.items() if key != run}
        total = {period: amount + spent for period, amount in self.spent.items()}
        return replace(self, spent=total, held={**others, run: rest} if rest else others)

    def forfeit(self, lost: Callable[[str, str], bool]) -> "Sums":
        """With the reservations for which `lost` holds, given run and reservation, counted as spent."""
        found = self
        for run, own in self.held.items():
            for reservation, amount in own.items():
                if lost(run, reservation):
                    found = found.settle(run, reservation, amount)
        return found

    def dump(self) -> SumsRecord:
        """As it is kept on the server."""
        spent = {period.value: self.spent[period] for period in Period}
        return {
            "date": self.day.isoformat(),
            "spent": spent,
            "held": {run: dict(own) for run, own in self.held.items()},
        }

    @classmethod
    def load(cls, value: Any) -> Self:
        """From what is kept on the server; ValueError when it is something else."""
        try:
            spent = {period: int(value["spent"][period]) for period in Period}
            held = {str(r): {str(k): int(a) for k, a in own.items()} for r, own in value["held"].items()}
            return cls(date.fromisoformat(value["date"]), spent, held)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"these are no sums of a budget: {type(error).__name__} {error}") from error


@dataclass(frozen=True)
class UsedUp:
    """A budget of which nothing is left, for words and for the record of a paused job."""

    kind: str
    name: str
    period: Period
    limit: int
    spent: int
    until: datetime

    @property
    def sentence(self) -> str:
        """Whose budget, how far, and until when."""
        return (
            f"the budget of ${self.limit / MICRO:g} per {self.period} of {self.kind} {self.name!r} is used up "
            f"(${self.spent / MICRO:.2f} of ${self.limit / MICRO:.2f}, estimated), "
            f"until {self.until:%Y-%m-%d %H:%M} UTC"
        )

    @property
    def remedy(self) -> str:
        """The command that raises it."""
        return f"ccs {self.kind}s update {self.name!r} --budget-per-{self.period} USD"

    def dump(self) -> UsedUpRecord:
        """As it is kept on the server."""
        return {
            "kind": self.kind,
            "name": self.name,
            "period": self.period.value,
            "limit": self.limit,
            "spent": self.spent,
            "until": self.until.isoformat(),
        }

    @classmethod
    def load(cls, value: Any) -> Self:
        """From what is kept on the server; ValueError when it is something else."""
        try:
            until = datetime.fromisoformat(value["until"]).astimezone(UTC)
            period, limit, spent = Period(value["period"]), int(value["limit"]), int(value["spent"])
            return cls(str(value["kind"]), str(value["name"]), period, limit, spent, until)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"this is no record of a paused job: {type(error).__name__} {error}") from error
