"""Moments in time, in words."""

from datetime import UTC, datetime


def at(seconds: int) -> str:
    """A point in time, given in seconds since 1970, for people."""
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"
    except (ValueError, OverflowError, OSError):
        return f"second {seconds}"
