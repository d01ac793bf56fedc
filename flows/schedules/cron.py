"""Cron expressions of five fields: checked, and said in words."""

import re

DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
MONTHS = (
    "",
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_NUMBER = re.compile(r"\d{1,2}")
_STEP = re.compile(r"\*/(\d{1,2})")


def check(expression: str) -> str:
    """The expression with single blanks; ValueError, saying why, when it is none or never comes due."""
    from datetime import datetime

    from croniter import CroniterError, croniter

    parts = expression.split()
    if len(parts) != 5:
        raise ValueError(f"{expression!r} has {len(parts)} fields; cron takes 5: minute hour day month weekday")
    if bad := next((p for p in parts if p[0] in "@rRhH"), None):
        raise ValueError(f"{bad!r} in {expression!r} is not a plain cron field")
    cleaned = " ".join(parts)
    try:
        croniter(cleaned, datetime(2024, 1, 1)).get_next()
    except (CroniterError, ValueError, KeyError) as error:
        said = " ".join(str(error).split())
        raise ValueError(f"{expression!r} is not a cron expression that ever comes due: {said}") from error
    return cleaned


def describe(expression: str) -> str:
    """The expression in words, or itself when it has no common shape."""
    parts = expression.split()
    if len(parts) != 5:
        return expression
    minute, hour, day, month, weekday = parts
    when, on = _clock(minute, hour), _days(day, month, weekday)
    if when is None or on is None:
        return expression
    if when.startswith("every"):
        return when if on == "every day" else f"{when}, {on}"
    return f"{on} {when}"


def _clock(minute: str, hour: str) -> str | None:
    if step := _STEP.fullmatch(minute):
        return _every(int(step[1]), "minute") if hour == "*" and 60 % int(step[1] or 1) == 0 else None
    if minute == "*":
        return "every minute" if hour == "*" else None
    minutes = _numbers(minute, 59)
    if minutes is None:
        return None
    if hour == "*":
        return "every hour at minute " + _and([str(m) for m in minutes])
    if (step := _STEP.fullmatch(hour)) and 24 % int(step[1]) == 0 and len(minutes) == 1:
        return f"{_every(int(step[1]), 'hour')} at minute {minutes[0]}"
    hours = _numbers(hour, 23)
    if hours is None or len(hours) * len(minutes) > 6:
        return None
    return "at " + _and([f"{h:02}:{m:02}" for h in hours for m in minutes])


def _days(day: str, month: str, weekday: str) -> str | None:
    if day == month == weekday == "*":
        return "every day"
    if day == month == "*":
        return _weekdays(weekday)
    if weekday != "*":
        return None
    days, months = _numbers(day, 31), _numbers(month, 12)
    if days is None:
        return None
    if month == "*":
        return f"on day {_and([str(d) for d in days])} of every month"
    if months is None:
        return None
    return "every " + _and([f"{d} {MONTHS[m]}" for m in months for d in days])


def _weekdays(field: str) -> str | None:
    names = {d[:3].upper(): str(i) for i, d in enumerate(DAYS)}
    text = re.sub(r"[A-Za-z]{3}", lambda m: names.get(m[0].upper(), m[0]), field)
    if span := re.fullmatch(r"([0-7])-([0-7])", text):
        return f"{DAYS[int(span[1]) % 7]} to {DAYS[int(span[2]) % 7]}"
    numbers = _numbers(text, 7)
    return None if numbers is None else "every " + _and([DAYS[n % 7] for n in numbers])


def _numbers(field: str, highest: int) -> list[int] | None:
    items = field.split(",")
    if not all(_NUMBER.fullmatch(item) and int(item) <= highest for item in items):
        return None
    return [int(item) for item in items]


def _every(count: int, unit: str) -> str:
    return f"every {unit}" if count == 1 else f"every {count} {unit}s"


def _and(items: list[str]) -> str:
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"
