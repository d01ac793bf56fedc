"""Moments in words."""

import pytest

from ccs.flows.node.moments import at


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "1970-01-01 00:00 UTC"),
        (59, "1970-01-01 00:00 UTC"),
        (1_900_000_000, "2030-03-17 17:46 UTC"),
        (-60, "1969-12-31 23:59 UTC"),
        (253_402_300_799, "9999-12-31 23:59 UTC"),
    ],
)
def test_a_moment_is_a_minute_of_utc(seconds: int, words: str) -> None:
    assert at(seconds) == words


@pytest.mark.parametrize("seconds", [253_402_300_800, 10**30, -(10**30)])
def test_what_no_calendar_has_is_told_all_the_same(seconds: int) -> None:
    assert at(seconds) == f"second {seconds}"
