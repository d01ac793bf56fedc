"""The server's clock: from the Date of its answers, to the part of a second where this machine's agrees with it."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from types import SimpleNamespace

import pytest

from ccs.flows.server import clock
from ccs.flows.server.clock import ServerClock, told_time

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch) -> None:
    here = NOON + timedelta(seconds=0.75)
    monkeypatch.setattr(clock, "time", SimpleNamespace(time=here.timestamp))


def test_what_tells_no_time_is_none() -> None:
    assert told_time({}) is told_time({"date": "yesterday"}) is None
    assert told_time({"date": format_datetime(NOON)}) == told_time({"date": "Sat, 21 Nov 2026 12:00:00 -0000"}) == NOON


def test_a_clock_that_agrees_to_the_second_is_not_touched() -> None:
    told = ServerClock()
    told.hear({"date": format_datetime(NOON)})
    assert told.now == NOON + timedelta(seconds=0.75)


def test_a_clock_that_is_wrong_follows_the_server_and_a_silent_answer_changes_nothing() -> None:
    told = ServerClock()
    told.hear({"date": format_datetime(NOON - timedelta(hours=1))})
    told.hear({})
    assert told.now == NOON - timedelta(hours=1)
