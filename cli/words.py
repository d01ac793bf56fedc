"""Durations, moments, costs and counts in words."""

from datetime import UTC, datetime

from ccs.flows.schedules.schedule import in_words


def ago(time: str | None) -> str:
    """How long ago, or until when, in one unit."""
    if not time:
        return ""
    return f"{apart(time)} ago" if _passed(time) >= 0 else f"in {apart(time)}"


def apart(time: str | None) -> str:
    """How long a moment is from now, before or after it, in one unit; empty when there is none."""
    if not time:
        return ""
    size = abs(_passed(time))
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if size >= length:
            return f"{size // length:.0f}{unit}"
    return f"{size:.0f}s"


def clock(time: datetime) -> str:
    """A moment of today in local time, of another day with its date."""
    local = time.astimezone()
    return f"{local:%H:%M:%S}" if local.date() == datetime.now().astimezone().date() else f"{local:%Y-%m-%d %H:%M:%S}"


def span(seconds: float | None) -> str:
    """A duration in words, a short one to the tenth of a second; empty when there is none."""
    if seconds is None:
        return ""
    return f"{seconds:.1f}s" if 0 < seconds < 10 else in_words(seconds)


def dollars(cost: float | None) -> str:
    """A cost in US dollars; empty when there is none."""
    return "" if cost is None else f"${cost:.4f}" if cost < 1 else f"${cost:.2f}"


def many(count: int, what: str) -> str:
    """So many things, in words: `1 task`, `2 tasks`."""
    return f"{count} {what}" + ("" if count == 1 else "s")


def short(identity: object) -> str:
    """The beginning of an id, enough to name the thing by."""
    return str(identity or "")[:8]


def _passed(time: str) -> float:
    """Seconds since a moment; negative until it comes."""
    return (datetime.now(UTC) - datetime.fromisoformat(time)).total_seconds()
