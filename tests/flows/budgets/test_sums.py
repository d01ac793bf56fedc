"""Sums of a budget: amounts held, settled and forfeited, days and months that end, and what is kept of them."""

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import pytest

from ccs.flows.budgets.sums import CENT, MICRO, Period, Scope, Sums, UsedUp, is_used_up, limits, micro

DAY = date(2026, 11, 30)


@dataclass
class Budgets:
    """What has budgets."""

    budget_usd_per_day: float | None = None
    budget_usd_per_month: float | None = None


def spent(sums: Sums) -> tuple[int, int]:
    return sums.spent[Period.DAY], sums.spent[Period.MONTH]


@pytest.mark.parametrize(
    ("day", "of_day", "of_month"),
    [
        (date(2026, 11, 21), datetime(2026, 11, 22, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)),
        (date(2026, 12, 31), datetime(2027, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)),
        (date(2024, 2, 29), datetime(2024, 3, 1, tzinfo=UTC), datetime(2024, 3, 1, tzinfo=UTC)),
        (date(2026, 1, 31), datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)),
    ],
)
def test_when_a_day_and_its_month_are_over(day: date, of_day: datetime, of_month: datetime) -> None:
    assert (Period.DAY.end(day), Period.MONTH.end(day)) == (of_day, of_month)


@pytest.mark.parametrize(("usd", "expected"), [(0, 0), (1, MICRO), (0.000001, 1), (1e-9, 1), (0.1 + 0.2, 300_000)])
def test_dollars_are_whole_micro_dollars_and_something_is_never_nothing(usd: float, expected: int) -> None:
    assert micro(usd) == expected


def test_only_budgets_that_are_set_limit() -> None:
    assert limits(Budgets()) == {}
    assert limits(Budgets(0, 2.5)) == {Period.DAY: 0, Period.MONTH: 2_500_000}


@pytest.mark.parametrize(
    ("limit", "used", "expected"),
    [
        (MICRO, 0, False),
        (MICRO, MICRO - CENT, False),
        (MICRO, MICRO - CENT + 1, True),
        (MICRO, 2 * MICRO, True),
        (CENT // 2, 0, False),  # a budget below a cent has its one attempt
        (CENT // 2, 1, True),
        (0, 0, False),
    ],
)
def test_a_budget_with_less_than_a_cent_left_is_used_up(limit: int, used: int, expected: bool) -> None:
    assert is_used_up(limit, used) is expected


def test_what_is_held_is_settled_by_what_was_spent() -> None:
    sums = Sums(DAY).hold("run", "a", 100).hold("run", "b", 50).hold("other", "c", 7)
    assert (sums.held_in_all, spent(sums)) == (157, (0, 0))
    settled = sums.settle("run", "a", 30)
    assert (settled.held_in_all, spent(settled)) == (57, (30, 30))
    assert settled.settle("run", "a", 30) == settled  # that was done
    assert settled.settle("nobody", "a", 30) == settled
    assert "run" not in settled.settle("run", "b", 0).held
    assert spent(sums) == (0, 0)


def test_holding_again_is_holding_anew() -> None:
    assert Sums(DAY).hold("run", "a", 100).hold("run", "a", 20).held_in_all == 20


def test_what_is_lost_counts_as_spent() -> None:
    sums = Sums(DAY).hold("dead", "a", 100).hold("dead", "b", 50).hold("alive", "c", 7)
    after = sums.forfeit(lambda run, _: run == "dead")
    assert (after.held, spent(after)) == ({"alive": {"c": 7}}, (150, 150))
    assert sums.forfeit(lambda *_: False) == sums


def test_a_day_and_a_month_begin_with_nothing_and_what_is_held_stays() -> None:
    sums = Sums(date(2026, 11, 29)).hold("run", "a", 9).hold("run", "b", 5).settle("run", "b", 5)
    tomorrow = sums.on(DAY)
    assert (tomorrow.day, spent(tomorrow), tomorrow.held_in_all) == (DAY, (0, 5), 9)
    assert spent(tomorrow.on(date(2026, 12, 1))) == (0, 0)
    assert spent(sums.on(date(2027, 11, 29))) == (0, 0)


def test_a_clock_that_goes_back_takes_nothing_back() -> None:
    sums = Sums(DAY).hold("run", "a", 5).settle("run", "a", 5)
    assert sums.on(date(2026, 11, 1)) is sums
    assert sums.on(DAY) is sums


def test_sums_are_kept_and_read_again() -> None:
    sums = Sums(DAY).hold("run", "a", 100).hold("run", "b", 50).settle("run", "b", 30)
    assert Sums.load(json.loads(json.dumps(sums.dump()))) == sums


@pytest.mark.parametrize(
    "value",
    [
        *(None, "text", [], {}, {"date": "2026-11-30"}),
        {"date": "soon", "spent": {"day": 1, "month": 1}, "held": {}},
        {"date": "2026-11-30", "spent": {"day": 1}, "held": {}},
        {"date": "2026-11-30", "spent": {"day": 1, "month": 1}, "held": [1]},
    ],
    ids=str,
)
def test_what_somebody_else_wrote_is_no_sums(value: Any) -> None:
    with pytest.raises(ValueError):
        Sums.load(value)


def test_the_tag_of_a_scope_tells_jobs_from_profiles() -> None:
    job, profile = Scope.of_job("nightly", "0a1b-2c3d"), Scope.of_profile("nightly")
    assert (job.kind, job.identity) == ("job", "0a1b2c3d")
    assert job.tag != profile.tag


def test_a_budget_that_is_used_up_says_whose_and_until_when_and_what_to_do() -> None:
    why = UsedUp("job", "nightly", Period.DAY, 5 * MICRO, 4_990_001, Period.DAY.end(DAY))
    assert why.sentence == (
        "the budget of $5 per day of job 'nightly' is used up ($4.99 of $5.00, estimated), until 2026-12-01 00:00 UTC"
    )
    assert why.remedy == "ccs jobs update 'nightly' --budget-per-day USD"
    assert UsedUp.load(json.loads(json.dumps(why.dump()))) == why


@pytest.mark.parametrize("value", [None, {}, {"kind": "job"}, {"kind": "job", "until": "soon"}], ids=str)
def test_what_somebody_else_wrote_is_no_record(value: Any) -> None:
    with pytest.raises(ValueError):
        UsedUp.load(value)
