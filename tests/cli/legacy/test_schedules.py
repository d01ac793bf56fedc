"""Schedules of claude-code-scheduler as Prefect takes them, and what is told about each of their fields."""

from typing import Any

import pytest

from ccs.cli.errors import RequestError
from ccs.cli.legacy.schedules import schedule_of
from ccs.cli.legacy.takeover import Fields, TakeoverReport
from ccs.flows.schedules.schedule import Schedule

ZONE = "Europe/Amsterdam"


def taken(**fields: Any) -> tuple[Schedule | None, dict[str, str]]:
    """The schedule, and what became of each field."""
    report = TakeoverReport("export.json")
    found = schedule_of(Fields(fields, "task 'fix'", report))
    return found, {finding.field: str(finding.outcome) for finding in report.findings}


def refused(**fields: Any) -> str:
    with pytest.raises(RequestError) as caught:
        taken(**fields)
    return str(caught.value)


CALENDAR = {"schedule_type": "calendar", "calendar_time": "09:30"}
INTERVAL = {"schedule_type": "interval"}


@pytest.mark.parametrize(
    ("fields", "cron"),
    [
        ({"calendar_frequency": "daily"}, "30 9 * * *"),
        ({}, "30 9 * * *"),
        ({"calendar_frequency": "weekly", "calendar_days_of_week": [0]}, "30 9 * * 1"),
        ({"calendar_frequency": "weekly", "calendar_days_of_week": [6, 0, 0, 4]}, "30 9 * * 1,5,0"),
        ({"calendar_frequency": "monthly", "calendar_day_of_month": 31}, "30 9 31 * *"),
        ({"calendar_time": "9:05"}, "5 9 * * *"),
        ({"calendar_time": "23:59:59.5"}, "59 23 * * *"),
    ],
    ids=str,
)
def test_calendars_become_cron_expressions(fields: dict[str, Any], cron: str) -> None:
    found, outcomes = taken(**{**CALENDAR, **fields})
    assert found == {"cron": cron, "day_or": True, "timezone": ZONE}
    assert outcomes["calendar_time"] == "mapped"


@pytest.mark.parametrize("time", ["24:00", "9", "09:60", "noon", "09:30 Uhr"])
def test_what_is_no_time_of_day_is_refused(time: str) -> None:
    assert f"task 'fix': {time!r} is not a time of day" in refused(**{**CALENDAR, "calendar_time": time})


@pytest.mark.parametrize(
    "fields",
    [
        {"calendar_frequency": "weekly", "calendar_days_of_week": [7]},
        {"calendar_frequency": "weekly", "calendar_days_of_week": ["monday"]},
        {"calendar_frequency": "monthly", "calendar_day_of_month": 0},
        {"calendar_frequency": "monthly", "calendar_day_of_month": 32},
    ],
    ids=str,
)
def test_days_that_there_are_not_are_refused(fields: dict[str, Any]) -> None:
    assert "the days of its schedule are none" in refused(**CALENDAR, **fields)


def test_a_frequency_that_nobody_knows_is_told_and_leaves_the_task_without_a_schedule() -> None:
    found, outcomes = taken(**CALENDAR, calendar_frequency="yearly", timezone="UTC")
    assert found is None
    assert outcomes == {
        "calendar_frequency": "not mapped",
        "calendar_time": "left out",
        "schedule_type": outcomes["schedule_type"],
        "timezone": "left out",
    }


@pytest.mark.parametrize(
    ("fields", "seconds"),
    [
        ({"interval_type": "simple", "interval_preset": "15 minutes"}, 900),
        ({"interval_type": "simple", "interval_preset": " 1 Hour "}, 3600),
        ({"interval_type": "simple"}, 300),
        ({"interval_type": "custom", "interval_value": 2, "interval_unit": "days"}, 172_800),
        ({"interval_value": 90, "interval_unit": "seconds"}, 90),
        ({}, 60),
    ],
    ids=str,
)
def test_intervals_are_seconds(fields: dict[str, Any], seconds: int) -> None:
    found, outcomes = taken(**INTERVAL, **fields)
    assert found is not None
    assert (found["interval"], found["timezone"]) == (seconds, ZONE)
    assert "not mapped" not in outcomes.values()


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"interval_type": "simple", "interval_preset": "now and then"}, "interval_preset"),
        ({"interval_value": 30, "interval_unit": "seconds"}, "interval_value"),
        ({"interval_value": 5, "interval_unit": "moons"}, "interval_value"),
        ({"interval_value": 10**9, "interval_unit": "weeks"}, "interval_value"),
        ({"interval_type": "never"}, "interval_type"),
        ({"interval_type": "cron", "interval_cron": "every day"}, "interval_cron"),
    ],
    ids=str,
)
def test_intervals_that_ccs_does_not_have_are_told(fields: dict[str, Any], field: str) -> None:
    found, outcomes = taken(**INTERVAL, **fields)
    assert found is None
    assert outcomes[field] == "not mapped"


@pytest.mark.parametrize(
    ("expression", "outcome"), [("*/5 * * * *", "mapped"), ("0 9 * * 1", "changed"), ("0 9 * * MON", "mapped")]
)
def test_a_crontab_counts_its_weekdays_in_another_way(expression: str, outcome: str) -> None:
    found, outcomes = taken(**INTERVAL, interval_type="cron", interval_cron=expression)
    assert found is not None and found["cron"] == expression
    assert outcomes["interval_cron"] == outcome


@pytest.mark.parametrize("kind", ["manual", "sequential", "file_watch", "startup", "of tomorrow"])
def test_other_kinds_have_no_schedule_and_every_field_is_accounted_for(kind: str) -> None:
    given = {"schedule_type": kind, "watch_directory": "/srv", "seq_max_retries": 3, "unheard_of": 1, "timezone": "UTC"}
    found, outcomes = taken(**given)
    assert found is None
    assert set(outcomes) == set(given)
    assert outcomes["unheard_of"] == "not mapped"
    assert outcomes["schedule_type"] == ("mapped" if kind in ("manual", "sequential") else "not mapped")


def test_a_time_zone_is_heeded_and_one_that_is_none_is_told() -> None:
    found, outcomes = taken(**CALENDAR, timezone="America/New_York")
    assert (found or {})["timezone"] == "America/New_York"
    assert outcomes["timezone"] == "changed"
    found, outcomes = taken(**CALENDAR, timezone="Mars/Base")
    assert (found, outcomes["timezone"]) == (None, "not mapped")


def test_a_field_of_the_wrong_type_is_refused() -> None:
    assert "calendar_day_of_month" in refused(**CALENDAR, calendar_day_of_month="first")
