"""The sums of a budget on a real server: no change is lost, whoever dies or dawdles."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from ccs.flows.budgets.ledger import LedgerError
from ccs.flows.budgets.sums import MICRO, Period, Scope, Sums, UsedUp, micro
from tests.worlds.budget import NOON, World, a_world


@pytest.fixture
def world(server_url: str) -> Iterator[World]:
    with a_world(server_url) as world:
        yield world


def test_sums_begin_anew_with_a_day_and_a_month_and_never_go_back() -> None:
    sums = Sums(NOON.date()).hold("run", "a", 5).settle("run", "a", 3).hold("run", "b", 4)
    tomorrow = sums.on(NOON.date() + timedelta(days=1))
    assert (tomorrow.spent, tomorrow.held_in_all) == ({Period.DAY: 0, Period.MONTH: 3}, 4)
    december = sums.on(NOON.date() + timedelta(days=10))
    assert december.spent == {Period.DAY: 0, Period.MONTH: 0}
    assert tomorrow.on(NOON.date()) is tomorrow  # a node whose clock is behind
    assert Sums.load(json.loads(json.dumps(sums.dump()))) == sums


def test_the_smallest_budget_is_more_than_nothing() -> None:
    assert [micro(usd) for usd in (0, 1e-9, 0.000001, 0.07)] == [0, 1, 1, 70_000]


def test_a_month_ends_with_its_last_day() -> None:
    assert Period.MONTH.end(datetime(2026, 1, 31).date()) == datetime(2026, 2, 1, tzinfo=UTC)
    assert Period.MONTH.end(datetime(2026, 12, 1).date()) == datetime(2027, 1, 1, tzinfo=UTC)
    assert Period.DAY.end(datetime(2026, 12, 31).date()) == datetime(2027, 1, 1, tzinfo=UTC)


def test_who_follows_a_state_that_others_have_left_behind_tries_again(world: World) -> None:
    scope = Scope.of_profile(f"p-{uuid4().hex[:8]}")
    change = world.ledger(scope)
    change(lambda sums: sums.hold("run", "first", 1))
    dawdled = False

    def step(sums: Sums) -> Sums:
        nonlocal dawdled
        if not dawdled:  # while this one thinks, others go on twice; then the next number is free again
            dawdled = True
            change(lambda now: now.hold("run", "second", 2))
            change(lambda now: now.hold("run", "third", 3))
        return sums.hold("run", "fourth", 4)

    assert change(step).held == {"run": {"first": 1, "second": 2, "third": 3, "fourth": 4}}
    assert change(lambda sums: sums).held_in_all == 10
    assert len(world.variables(scope.tag)) == 1


def test_what_a_killed_one_left_behind_is_cleared_away(world: World) -> None:
    scope = Scope.of_profile(f"p-{uuid4().hex[:8]}")
    change = world.ledger(scope)
    change(lambda sums: sums.hold("run", "first", 1))
    (state,) = world.variables(scope.tag)
    follower = Sums.load(state["value"]).hold("run", "second", 2)  # made, and then its maker died
    number = int(state["name"].rpartition("_v")[2]) + 1
    body = {"name": f"{scope.tag}_v{number:010}", "value": follower.dump(), "tags": [scope.tag]}
    world.ask("POST", "/variables/", body)
    assert change(lambda sums: sums.settle("run", "first", 1)).held == {"run": {"second": 2}}
    assert len(world.variables(scope.tag)) == 1


def test_sums_changed_by_hand_are_named(world: World) -> None:
    scope = Scope.of_profile(f"p-{uuid4().hex[:8]}")
    world.ask("POST", "/variables/", {"name": f"{scope.tag}_v0", "value": {"date": "2026-11-21"}, "tags": [scope.tag]})
    with pytest.raises(LedgerError, match=r"was changed by hand .*: delete it"):
        world.ledger(scope)(lambda sums: sums)


def test_a_record_of_a_pause_survives_the_server() -> None:
    why = UsedUp("job", "nightly", Period.DAY, 5 * MICRO, micro(5.02), NOON)
    assert UsedUp.load(json.loads(json.dumps(why.dump()))) == why
    with pytest.raises(ValueError, match="no record of a paused job"):
        UsedUp.load({"kind": "job"})
