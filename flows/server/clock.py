"""The server's clock, by which the clocks of all nodes are one."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_GRAIN = 1.5  # a server tells its time in whole seconds: a smaller difference is none


def told_time(headers: Mapping[str, str]) -> datetime | None:
    """The time in the headers of an answer; None when it has none, as something between may leave it out."""
    try:
        told = parsedate_to_datetime(headers["date"])
    except (KeyError, ValueError):
        return None
    return told.replace(tzinfo=told.tzinfo or UTC)


class ServerClock:
    """This machine's clock, put right by what the server tells; until it has, this machine's own."""

    def __init__(self) -> None:
        self._ahead = 0.0  # of the server's clock, in seconds

    def hear(self, headers: Mapping[str, str]) -> None:
        """Take the time from the headers of an answer that has just come."""
        if told := told_time(headers):
            ahead = told.timestamp() - time.time()
            if abs(ahead - self._ahead) > _GRAIN:
                self._ahead = ahead

    @property
    def now(self) -> datetime:
        """The server's time, in UTC."""
        return datetime.fromtimestamp(time.time() + self._ahead, UTC)
