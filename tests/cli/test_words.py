"""Durations, moments, costs and counts in words."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from ccs.cli import words


def moment(seconds: float) -> str:
    """So many seconds before now."""
    return (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat()


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(90, "1m"), (3500, "58m"), (3700, "1h"), (80_000, "22h"), (90_000, "1d"), (40 * 86_400 + 3600, "40d")],
)
def test_a_moment_is_so_far_away_in_one_unit(seconds: float, said: str) -> None:
    assert words.apart(moment(seconds)) == words.apart(moment(-seconds - 10)) == said
    assert words.ago(moment(seconds)) == f"{said} ago"
    assert words.ago(moment(-seconds - 10)) == f"in {said}"


def test_less_than_a_minute_is_seconds() -> None:
    assert re.fullmatch(r"\d+s ago", words.ago(moment(5)))


def test_no_moment_is_no_word() -> None:
    assert (words.ago(None), words.ago(""), words.apart(None), words.span(None), words.dollars(None)) == ("",) * 5


def test_a_moment_of_today_needs_no_date() -> None:
    now = datetime.now().astimezone()
    assert words.clock(now) == f"{now:%H:%M:%S}"
    assert words.clock(datetime(2024, 2, 29, 12, tzinfo=UTC)).startswith("2024-02-29 ")


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0s"), (0.04, "0.0s"), (4.26, "4.3s"), (10, "10s"), (90, "1m30s"), (3600, "1h"), (90_000, "1d1h")],
)
def test_a_duration(seconds: float, said: str) -> None:
    assert words.span(seconds) == said


@pytest.mark.parametrize(
    ("cost", "said"), [(0, "$0.0000"), (0.25, "$0.2500"), (0.99999, "$1.0000"), (1, "$1.00"), (1234.5, "$1234.50")]
)
def test_a_cost(cost: float, said: str) -> None:
    assert words.dollars(cost) == said


@pytest.mark.parametrize(("count", "said"), [(0, "0 tasks"), (1, "1 task"), (2, "2 tasks")])
def test_so_many(count: int, said: str) -> None:
    assert words.many(count, "task") == said


@pytest.mark.parametrize(("identity", "said"), [("0a1b2c3d-0000-4000", "0a1b2c3d"), (None, ""), (7, "7")])
def test_an_id_in_short(identity: object, said: str) -> None:
    assert words.short(identity) == said
