"""What the gate of usage limits says to an attempt that comes to it."""

from datetime import UTC, datetime

from ccs.flows.limits.states import Closed

NOON = 1_900_000_000.0


def test_a_limit_is_told_with_its_reset() -> None:
    closed = Closed(NOON + 3600, NOON, "profile 'work'")
    assert closed.seconds == 3600
    assert closed.message == "usage limit of profile 'work' until 2030-03-17 18:46 UTC"


def test_a_reset_that_nobody_knows_is_a_guess() -> None:
    closed = Closed(NOON + 3600, NOON, "the login of n1", is_guess=True)
    assert closed.message.startswith("usage limit of the login of n1, its reset is not known: the next try is at ")


def test_a_reset_that_has_passed_is_no_time_away() -> None:
    assert Closed(NOON - 5, NOON, "x").seconds == 0


def test_everybody_goes_on_soon_after_the_reset_and_not_all_at_once() -> None:
    closed = Closed(NOON + 3600, NOON, "x")
    due = {closed.due() for _ in range(50)}
    assert len(due) > 1
    assert all(5 <= moment.timestamp() - closed.until <= 60 for moment in due)
    assert all(moment.tzinfo is UTC for moment in due)


def test_after_a_reset_that_has_passed_soon_is_soon_from_now() -> None:
    due = Closed(NOON - 1000, NOON, "x").due()
    assert datetime.fromtimestamp(NOON + 5, UTC) <= due <= datetime.fromtimestamp(NOON + 60, UTC)
