"""When an attempt has to be stopped, on a clock that is set by hand."""

from pathlib import Path
from typing import Any

import pytest

from ccs.flows.claude import clocks
from ccs.flows.claude.clocks import Clocks
from ccs.flows.claude.request import Request

LIMITS = {"timeout": 1000.0, "first_output_timeout": 60.0, "idle_timeout": 100.0}


class Time:
    """The monotonic clock."""

    now = 50.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    made = Time()
    monkeypatch.setattr(clocks, "time", made)
    return made


def begun(linger: float = 20, **limits: float) -> Clocks:
    given: dict[str, Any] = {"prompt": "go", "cwd": Path("/app"), "environment": {}, "transcript": Path("t")}
    return Clocks(Request(**{**given, "session_id": "s", **LIMITS, **limits}), linger)


def test_nothing_is_due_at_the_beginning(time: Time) -> None:
    found = begun()
    assert (found.due(), found.left(), found.elapsed, found.finished) == (None, 60, 0, False)


def test_a_first_output_that_does_not_come(time: Time) -> None:
    found = begun()
    time.now += 59.9
    assert found.due() is None
    time.now += 0.1
    assert (found.due(), found.left()) == ("first_output", 0)
    time.now += 1000
    assert found.left() == 0


def test_silence_counts_from_the_last_word(time: Time) -> None:
    found = begun()
    for _ in range(3):
        time.now += 59
        found.heard()
    assert (found.due(), found.left()) == (None, 100)
    time.now += 100
    assert found.due() == "idle"
    found.heard()
    assert found.due() is None


@pytest.mark.parametrize("heard", [False, True])
@pytest.mark.parametrize("finished", [False, True])
def test_the_whole_time_ends_it_in_any_case(time: Time, heard: bool, finished: bool) -> None:
    found = begun(linger=5000, timeout=40, idle_timeout=5000)
    if heard:
        found.heard()
    found.note(finished=finished)
    time.now += 39
    assert (found.due(), found.left()) == (None, 1)
    time.now += 1
    assert found.due() == "own_timeout"


def test_the_time_to_leave_counts_from_the_first_moment_of_being_done(time: Time) -> None:
    found = begun()
    found.heard()
    found.note(finished=True)
    assert (found.finished, found.left()) == (True, 20)
    time.now += 15
    found.heard()
    found.note(finished=True)  # more output does not put it off
    assert found.left() == 5
    time.now += 5
    assert found.due() == "lingering"


def test_who_goes_on_after_a_result_is_not_leaving(time: Time) -> None:
    found = begun()
    found.heard()
    found.note(finished=True)
    time.now += 19
    found.heard()
    found.note(finished=False)
    assert (found.finished, found.left()) == (False, 100)
    found.note(finished=True)
    assert found.left() == 20


def test_nobody_may_take_longer_to_leave_than_to_be_silent(time: Time) -> None:
    found = begun(linger=500)
    found.note(finished=True)
    assert found.left() == 100
