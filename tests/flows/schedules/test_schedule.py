"""Cron in words, durations, zones, and when a schedule comes due."""

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from ccs.flows.schedules import cron, schedule

AMSTERDAM = ZoneInfo("Europe/Amsterdam")


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("0 9 * * *", "every day at 09:00"),
        ("0 9 * * 1-5", "Monday to Friday at 09:00"),
        ("30 7,19 * * *", "every day at 07:30 and 19:30"),
        ("0 9 * * 1,3", "every Monday and Wednesday at 09:00"),
        ("0 9 * * MON-FRI", "Monday to Friday at 09:00"),
        ("0 0 * * 7", "every Sunday at 00:00"),
        ("*/15 * * * *", "every 15 minutes"),
        ("* * * * *", "every minute"),
        ("5 * * * *", "every hour at minute 5"),
        ("0 */2 * * *", "every 2 hours at minute 0"),
        ("*/30 * * * 1-5", "every 30 minutes, Monday to Friday"),
        ("0 6 1 * *", "on day 1 of every month at 06:00"),
        ("0 6 24 12 *", "every 24 December at 06:00"),
        ("0 6 1,15 * *", "on day 1 and 15 of every month at 06:00"),
    ],
)
def test_common_cron_expressions_are_said_in_words(expression: str, words: str) -> None:
    assert cron.describe(expression) == words


@pytest.mark.parametrize("expression", ["*/7 * * * *", "0 9 1 * 1", "1-5 9 * * *", "0 9 * */3 *", "0 0 0", "x y z a b"])
def test_any_other_cron_expression_stands_for_itself(expression: str) -> None:
    assert cron.describe(expression) == expression


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("0 9 * *", "4 fields"),
        ("0 0 9 * * 1", "6 fields"),
        ("@daily", "1 fields"),
        ("61 9 * * *", "not a cron expression"),
        ("a b c d e", "not a cron expression"),
        ("R R * * *", "not a plain cron field"),
        ("0 0 31 2 *", "ever comes due"),
        ("", "0 fields"),
    ],
)
def test_what_is_no_cron_expression_is_refused_with_the_reason(expression: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        cron.check(expression)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("45s", 45), ("90m", 5400), ("2h", 7200), ("1d", 86400), ("1h30m", 5400), ("600", 600), ("1W", 604800)],
)
def test_durations_are_written_as_people_say_them(text: str, seconds: int) -> None:
    assert schedule.seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "-5m", "1.5h", "5 minutes", "5x", "9" * 5000])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        schedule.seconds(text)


@pytest.mark.parametrize("text", ["36501d", "9" * 90 + "w"])
def test_a_duration_of_more_than_a_life_is_refused(text: str) -> None:
    assert schedule.seconds("36500d") == schedule.LONGEST
    with pytest.raises(ValueError, match="longer than a hundred years"):
        schedule.seconds(text)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Amsterdam", "America/Argentina/Buenos_Aires"])
def test_regions_of_the_iana_database_are_time_zones(zone: str) -> None:
    assert schedule.check_zone(zone) == zone


@pytest.mark.parametrize(
    ("zone", "hint"),
    [
        ("Europe/Amstardam", "Europe/Amsterdam"),
        ("amsterdam", "Europe/Amsterdam"),
        ("CET", "write a region|did you mean"),
        ("EST5EDT", "write a region|did you mean"),
        ("+02:00", "write a region"),
        ("../etc/passwd", "write a region|did you mean"),
        ("Etc/GMT+5", "write a region|did you mean"),
    ],
)
def test_any_other_zone_is_refused_with_the_closest_name(zone: str, hint: str) -> None:
    with pytest.raises(schedule.ZoneError, match="not a time zone") as refused:
        schedule.check_zone(zone)
    assert re.search(hint, refused.value.hint)


def local(times: list[datetime]) -> list[str]:
    return [f"{t:%m-%d %H:%M%z}" for t in times]


def test_a_daily_cron_keeps_the_local_hour_over_the_change_of_clocks() -> None:
    nine: schedule.Schedule = {"cron": "0 9 * * *", "timezone": "Europe/Amsterdam"}
    times = schedule.fire_times(nine, datetime(2026, 10, 24, 8, tzinfo=AMSTERDAM))
    assert local(times) == ["10-24 09:00+0200", "10-25 09:00+0100", "10-26 09:00+0100"]


def test_an_hour_that_the_clocks_skip_comes_due_right_after() -> None:
    skipped: schedule.Schedule = {"cron": "30 2 * * *", "timezone": "Europe/Amsterdam"}
    times = schedule.fire_times(skipped, datetime(2026, 3, 28, 12, tzinfo=AMSTERDAM), 2)
    assert local(times) == ["03-29 03:30+0200", "03-30 02:30+0200"]


def test_an_interval_counts_from_its_anchor() -> None:
    every: schedule.Schedule = {"interval": 5400, "anchor_date": "2026-01-01T00:00:00+00:00", "timezone": "UTC"}
    times = schedule.fire_times(every, datetime(2026, 1, 1, 4, tzinfo=UTC))
    assert local(times) == ["01-01 04:30+0000", "01-01 06:00+0000", "01-01 07:30+0000"]


def test_an_interval_of_a_day_keeps_the_local_hour() -> None:
    daily: schedule.Schedule = {
        "interval": 86400,
        "anchor_date": "2026-10-20T07:00:00+00:00",
        "timezone": "Europe/Amsterdam",
    }
    times = schedule.fire_times(daily, datetime(2026, 10, 24, 12, tzinfo=UTC), 2)
    assert local(times) == ["10-25 09:00+0100", "10-26 09:00+0100"]


def test_fire_times_come_after_the_moment_asked_about() -> None:
    minutely: schedule.Schedule = {"cron": "* * * * *", "timezone": "UTC"}
    assert local(schedule.fire_times(minutely, datetime(2026, 1, 1, 0, 0, 30, tzinfo=UTC), 1)) == ["01-01 00:01+0000"]


def test_a_schedule_that_somebody_made_by_hand_is_described_as_it_is() -> None:
    assert schedule.describe({"rrule": "FREQ=DAILY"}) == "FREQ=DAILY (UTC)"
    assert schedule.fire_times({"rrule": "FREQ=DAILY"}, datetime.now(UTC)) == []
