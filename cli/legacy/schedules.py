"""Schedules of claude-code-scheduler, one a task, as Prefect takes them."""

import re
from datetime import UTC, datetime

from ccs.cli.errors import RequestError
from ccs.cli.legacy.takeover import Fields
from ccs.flows.schedules import cron, schedule

_PRESET = re.compile(r"(\d+)\s*(min|minute|hour|day)s?")
_UNITS = {"second": 1, "min": 60, "minute": 60, "hour": 3600, "day": 86400, "week": 604800}
_LONGEST = 10 * 366 * 86400
_FIELDS = {
    "calendar": ("calendar_frequency", "calendar_time", "calendar_days_of_week", "calendar_day_of_month"),
    "interval": ("interval_type", "interval_preset", "interval_value", "interval_unit", "interval_cron"),
    "file_watch": ("watch_directory", "watch_recursive", "watch_debounce_seconds"),
    "sequential": ("seq_max_retries", "seq_retry_delay_seconds"),
    "manual": (),
    "startup": (),
}


def schedule_of(fields: Fields) -> schedule.Schedule | None:
    """The schedule that the fields of a task's `schedule` ask for; None when there is none, or none that ccs has."""
    kind = fields.text("schedule_type", default="manual")
    if kind not in _FIELDS:
        fields.lost("schedule_type", f"{kind!r} is not a schedule that ccs knows; the task has no schedule")
    fields.left(f"says nothing for a schedule of type {kind}", *_idle(kind))
    found = None
    if kind == "calendar":
        found = _calendar(fields)
    elif kind == "interval":
        found = _interval(fields)
    elif kind == "file_watch":
        fields.lost("schedule_type", "ccs does not watch files yet; the task has no schedule")
        for name in _FIELDS[kind]:
            fields.lost(name, "ccs does not watch files yet")
    elif kind == "startup":
        fields.lost("schedule_type", "ccs runs nothing at its start; the task has no schedule")
    elif kind == "sequential":
        fields.left("had no effect; the task's own retry counts", *_FIELDS[kind])
    zone = _zone(fields, found is not None)
    fields.mapped(*(["schedule_type"] if kind in ("manual", "sequential") or found else []))
    fields.rest()
    return {**found, "timezone": zone} if found and zone else None


def _idle(kind: str) -> list[str]:
    return [name for other, names in _FIELDS.items() if other != kind for name in names]


def _calendar(fields: Fields) -> schedule.Schedule | None:
    frequency = fields.text("calendar_frequency", default="daily")
    time = fields.text("calendar_time", default="00:00")
    days = fields.items("calendar_days_of_week") or [0]
    day = fields.number("calendar_day_of_month", 1)
    found = re.fullmatch(r"(\d\d?):(\d\d)(:\d\d(\.\d+)?)?", time)
    if not found or int(found[1]) > 23 or int(found[2]) > 59:
        raise RequestError(f"{fields.report.source}: {fields.thing}: {time!r} is not a time of day", _UNWRITTEN)
    clock = f"{int(found[2])} {int(found[1])}"
    used = {"daily": [], "weekly": ["calendar_days_of_week"], "monthly": ["calendar_day_of_month"]}
    if frequency not in used:
        fields.lost("calendar_frequency", f"{frequency!r} is not daily, weekly or monthly; the task has no schedule")
        fields.left("belongs to it", "calendar_time", "calendar_days_of_week", "calendar_day_of_month")
        return None
    if not all(isinstance(d, int) and 0 <= d <= 6 for d in days) or not 1 <= day <= 31:
        raise RequestError(f"{fields.report.source}: {fields.thing}: the days of its schedule are none", _UNWRITTEN)
    names = ["calendar_frequency", "calendar_time", *used[frequency]]
    fields.mapped(*names)
    fields.left(f"says nothing for a {frequency} schedule", *(n for n in _FIELDS["calendar"] if n not in names))
    weekdays = ",".join(str((d + 1) % 7) for d in sorted(set(days)))  # there Monday is 0, in cron Sunday is
    tail = {"daily": "* * *", "weekly": f"* * {weekdays}", "monthly": f"{day} * *"}[frequency]
    return _cron(f"{clock} {tail}")


def _interval(fields: Fields) -> schedule.Schedule | None:
    kind = fields.text("interval_type", default="custom")
    used = {"simple": ["interval_preset"], "custom": ["interval_value", "interval_unit"], "cron": ["interval_cron"]}
    if kind not in used:
        fields.lost("interval_type", f"{kind!r} is not simple, custom or cron; the task has no schedule")
        fields.left("belongs to it", *_FIELDS["interval"][1:])
        return None
    fields.left(f"says nothing for a {kind} interval", *(n for n in _FIELDS["interval"][1:] if n not in used[kind]))
    if kind == "cron":
        found = _crontab(fields)
    elif kind == "simple":
        preset = fields.text("interval_preset", default="5 minutes")
        match = _PRESET.fullmatch(preset.strip().lower())
        found = _every(fields, "interval_preset", int(match[1]) * _UNITS[match[2]] if match else 0, preset)
    else:
        value, unit = fields.number("interval_value", 1), fields.text("interval_unit", default="minutes")
        total = value * _UNITS.get(unit.strip().lower().removesuffix("s"), 0)
        found = _every(fields, "interval_value", total, f"{value} {unit}")
    if found:
        fields.mapped("interval_type", *(n for n in used[kind] if n != "interval_cron"))
    else:
        fields.left("belongs to it", "interval_type", "interval_unit")
    return found


def _crontab(fields: Fields) -> schedule.Schedule | None:
    text = fields.text("interval_cron", default="* * * * *")
    try:
        found = _cron(cron.check(text))
    except ValueError as error:
        fields.lost("interval_cron", f"{error}; the task has no schedule")
        return None
    if re.search(r"\d", text.split()[4]):
        reason = (
            "in ccs, as in crontab, weekday 0 is Sunday and 1 is Monday; claude-code-scheduler began with Monday at 0"
        )
        fields.changed("interval_cron", reason)
    else:
        fields.mapped("interval_cron")
    return found


def _every(fields: Fields, name: str, seconds: int, words: str) -> schedule.Schedule | None:
    if not schedule.MIN_INTERVAL <= seconds <= _LONGEST:
        short = f"is shorter than {schedule.MIN_INTERVAL} seconds" if 0 < seconds < _LONGEST else "is not an interval"
        fields.lost(name, f"{words!r} {short}; the task has no schedule")
        return None
    return {"interval": seconds, "anchor_date": datetime.now(UTC).replace(microsecond=0).isoformat()}


def _cron(expression: str) -> schedule.Schedule:
    return {"cron": expression, "day_or": True}


def _zone(fields: Fields, used: bool) -> str:
    zone = fields.text("timezone", default="Europe/Amsterdam")
    if not used:
        fields.left("there is no time to tell", "timezone")
        return zone
    try:
        zone = schedule.check_zone(zone)
    except schedule.ZoneError as error:
        fields.lost("timezone", f"{error}; the task has no schedule")
        return ""
    fields.changed("timezone", "claude-code-scheduler ignored it and went by its machine's clock; ccs goes by it")
    return zone


_UNWRITTEN = "nothing was written"
