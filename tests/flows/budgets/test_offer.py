"""What budgets leave for an attempt: the arithmetic, without a server."""

from datetime import date
from typing import Any

import pytest

from ccs.flows.budgets.offer import BudgetAccount, BudgetSpent, Offer, accounts, own_offer
from ccs.flows.budgets.sums import MICRO, Period, Scope, Sums
from tests.worlds.budget import Limits, a_job, a_task

DAY = date(2026, 11, 21)


def offered(limit: int, spent: int, held: int, slots: int, wanted: int | None = None) -> Offer | None:
    return Offer(wanted).within(limit * MICRO, spent * MICRO, held * MICRO, slots, "budget")


def test_who_needs_no_certain_amount_gets_a_share_of_the_rest() -> None:
    assert offered(10, 4, 0, 1) == Offer(6 * MICRO, "budget", is_share=False)
    assert offered(10, 4, 0, 3) == Offer(2 * MICRO, "budget", is_share=True)
    assert offered(10, 4, 3, 3) == Offer(MICRO, "budget", is_share=True)


def test_what_is_wanted_is_given_as_far_as_it_is_left() -> None:
    assert offered(10, 4, 3, 3, wanted=2 * MICRO) == Offer(2 * MICRO)
    assert offered(10, 4, 3, 3, wanted=5 * MICRO) == Offer(3 * MICRO, "budget", is_share=True)
    assert offered(10, 4, 0, 3, wanted=9 * MICRO) == Offer(6 * MICRO, "budget", is_share=False)


def test_less_than_a_cent_is_nothing_and_a_smaller_budget_is_given_whole() -> None:
    assert offered(10, 4, 6, 1) is None
    assert Offer().within(MICRO, MICRO - 9_999, 0, 1, "budget") is None
    assert Offer().within(MICRO, MICRO - 10_000, 0, 4, "budget") == Offer(10_000, "budget")
    assert Offer().within(5, 0, 0, 4, "budget") == Offer(5, "budget")


@pytest.mark.parametrize(
    ("task", "job", "spent", "held", "offer"),
    [
        ({}, {}, {}, [], Offer()),
        ({"attempt_budget_usd": 1}, {}, {}, [], Offer(MICRO, "attempt_budget_usd of the task")),
        ({"budget_usd": 3}, {}, {"one": MICRO, "two": 9 * MICRO}, [], Offer(2 * MICRO, "the budget of task 'one'")),
        ({}, {"budget_usd": 3}, {"two": MICRO}, [], Offer(MICRO, "the budget of the run", is_share=True)),
        ({"budget_usd": 1}, {"budget_usd": 9}, {}, [], Offer(MICRO, "the budget of task 'one'")),
        ({}, {"budget_usd": 3}, {}, [("two", 3 * MICRO)], "the budget of the run"),
        ({"budget_usd": 3}, {}, {}, [("one", 3 * MICRO)], "the budget of task 'one'"),
    ],
)
def test_the_smallest_of_the_runs_own_budgets_counts(
    task: dict[str, Any], job: dict[str, Any], spent: dict[str, int], held: list[tuple[str, int]], offer: object
) -> None:
    assert own_offer(a_task(**task), a_job(**job), spent, held, 2) == offer


def test_a_budget_that_is_used_up_says_how_to_raise_it() -> None:
    with pytest.raises(BudgetSpent, match=r"budget of the run is used up \(\$3.0000 of \$3.0000, estimated\): raise"):
        own_offer(a_task(), a_job(budget_usd=3), {"two": 3 * MICRO}, [], 1)


def test_of_a_day_and_a_month_the_smaller_rest_counts() -> None:
    account = BudgetAccount(Scope.of_profile("work"), {Period.DAY: 5 * MICRO, Period.MONTH: 20 * MICRO}, others=1)
    sums = Sums(DAY, {Period.DAY: MICRO, Period.MONTH: 19 * MICRO}).hold("run", "a", MICRO // 2)
    assert account.within(sums, Offer(), 1) == Offer(
        MICRO // 2, "the budget of profile 'work' per month", is_share=True
    )
    assert account.within(sums.hold("run", "b", MICRO // 2), Offer(), 1) is None
    assert account.used_up(sums) == []
    assert [used_up.period for used_up in account.used_up(sums.settle("run", "a", MICRO))] == [Period.MONTH]


def test_accounts_are_those_of_job_and_profile_that_have_budgets() -> None:
    job, profile = a_job(budget_usd_per_day=5), Limits(budget_usd_per_month=9)
    assert [a.scope.kind for a in accounts(job, "id", "work", profile)] == ["job", "profile"]
    assert accounts(job, "", "work", Limits()) == accounts(a_job(), "id", None, None) == ()
