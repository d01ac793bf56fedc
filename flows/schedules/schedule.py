"""Schedules of a job as Prefect stores them: made, said in words, and when they come due."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TypedDict

from ccs.flows.schedules import cron

MIN_INTERVAL = 60
"""Seconds; Prefect's scheduler looks no more often."""

LONGEST = 100 * 365 * 86400
"""Seconds of the longest duration; no calendar goes much further back."""

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_DURATION = re.compile(r"(?:\d+[smhdw])+|\d+")


class Schedule(TypedDict, total=False):
    """When a job comes due, as Prefect stores it: by one of cron, interval and rrule."""

    cron: str
    day_or: bool
    """Whether a day of the month or of the week is enough where the expression names both."""
    interval: float
    """Seconds."""
    anchor_date: str
    """A time from which intervals are counted, in ISO 8601."""
    rrule: str
    timezone: str | None
    """A region of the IANA database; UTC where there is none."""


def seconds(text: str) -> int:
    """The seconds of a duration such as 45s, 90m, 1h30m, 1d, or a bare number of seconds; ValueError if it is none."""
    if len(text) > 100 or not _DURATION.fullmatch(text.strip().lower()):
        raise ValueError(f"{text[:40]!r} is not a duration: write 45s, 90m, 2h, 1d or 1h30m")
    parts = re.findall(r"(\d+)([smhdw]?)", text.strip().lower())
    total = sum(int(number) * _UNITS.get(unit, 1) for number, unit in parts)
    if total > LONGEST:
        raise ValueError(f"{text[:40]!r} is longer than a hundred years")
    return total


def in_words(total: float) -> str:
    """A duration in its largest units: 90 minutes are 1h30m."""
    rest, words = round(total), ""
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, rest = divmod(rest, size)
        words += f"{count}{unit}" if count else ""
    return words or "0s"


class ZoneError(ValueError):
    """No region of the IANA database; `hint` is what may be meant."""

    def __init__(self, name: str, hint: str) -> None:
        super().__init__(f"{name!r} is not a time zone of the IANA database")
        self.hint = hint


def by_cron(expression: str, zone: str = "UTC") -> Schedule:
    """The schedule of a cron expression; ValueError when it is none, ZoneError when the zone is none."""
    return {"cron": cron.check(expression), "timezone": check_zone(zone), "day_or": True}


def by_interval(length: int, zone: str = "UTC") -> Schedule:
    """The schedule that comes due every `length` seconds from now on; ValueError when they are too few."""
    if length < MIN_INTERVAL:
        raise ValueError(f"{in_words(length)} is shorter than {MIN_INTERVAL} seconds")
    anchor = datetime.now(UTC).replace(microsecond=0).isoformat()
    return {"interval": length, "anchor_date": anchor, "timezone": check_zone(zone)}


def check_zone(name: str) -> str:
    """The name itself; ZoneError, with close names, when it is not a region of the IANA database."""
    if name == "UTC":
        return name
    from zoneinfo import ZoneInfo, available_timezones

    if "/" in name and not name.startswith(("/", "posix/", "right/", "SystemV/", "Etc/GMT")) and ".." not in name:
        try:
            return ZoneInfo(name).key
        except (OSError, ValueError, KeyError):
            pass  # said below, with the names that come close
    from difflib import get_close_matches

    regions = {z for z in available_timezones() if "/" in z}
    cities = {z.rpartition("/")[2].casefold(): z for z in sorted(regions)}
    asked = name.rpartition("/")[2].replace(" ", "_").casefold()
    close = [cities[c] for c in get_close_matches(asked, cities, n=3, cutoff=0.7)]
    hint = (
        f"did you mean {' or '.join(close)}?" if close else "write a region and city, such as Europe/Amsterdam, or UTC"
    )
    raise ZoneError(name, hint)


def describe(schedule: Schedule) -> str:
    """A stored schedule in words."""
    zone = schedule.get("timezone") or "UTC"
    if "cron" in schedule:
        return f"{cron.describe(schedule['cron'])} ({zone})"
    if "interval" in schedule:
        return f"every {in_words(schedule['interval'])} ({zone})"
    return f"{schedule.get('rrule', 'unknown')} ({zone})"


def fire_times(schedule: Schedule, after: datetime, count: int = 3) -> list[datetime]:
    """The next times a stored schedule comes due, in its own zone; none for a recurrence rule."""
    from zoneinfo import ZoneInfo

    try:
        zone: tzinfo = ZoneInfo(schedule.get("timezone") or "UTC")
    except (OSError, ValueError, KeyError):
        return []
    if "cron" in schedule:
        times = _cron_times(schedule, after, zone)
    elif schedule.get("interval", 0) > 0:
        times = _interval_times(schedule, after, zone)
    else:
        return []
    return [time for time, _ in zip(times, range(count), strict=False)]


def _cron_times(schedule: Schedule, after: datetime, zone: tzinfo) -> Iterator[datetime]:
    """As Prefect does it: on the local clock, then by the time that passes, so that a change of clocks shifts no run
    twice."""
    from croniter import croniter

    start = after.astimezone(zone)
    naive, previous = start.replace(tzinfo=None), start
    clock = croniter(schedule["cron"], naive, day_or=schedule.get("day_or", True))
    while True:
        local: datetime = clock.get_next(datetime)
        due = local.replace(tzinfo=zone).astimezone(UTC).astimezone(zone)  # a time that does not exist moves on
        if due > previous and due > after:
            yield due
            previous = due


def _interval_times(schedule: Schedule, after: datetime, zone: tzinfo) -> Iterator[datetime]:
    step = schedule["interval"]
    anchor = datetime.fromisoformat(schedule.get("anchor_date") or "2020-01-01T00:00:00+00:00")
    whole_days = step % 86400 == 0
    first = anchor.astimezone(zone if whole_days else UTC)  # days keep the local hour over a change of clocks
    passed = (after.astimezone(first.tzinfo) - first).total_seconds()
    number = max(0, int(passed // step))
    while True:
        due = (first + timedelta(seconds=step * number)).astimezone(UTC).astimezone(zone)
        number += 1
        if due > after:
            yield due
