"""Polls a work pool at once when the server tells that a run of it is due, instead of seconds later."""

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID

from prefect.events.clients import get_events_subscriber
from prefect.events.filters import EventAnyResourceFilter, EventFilter, EventNameFilter
from prefect.logging import get_logger

DUE = ["prefect.flow-run.Scheduled", "prefect.flow-run.Late", "prefect.flow-run.AwaitingRetry"]
PAUSE = 0.25
"""Seconds between two polls: one per event made a burst of runs slower than no push at all."""

_RETRY_MIN, _RETRY_MAX = 0.5, 10.0


async def listen(pool: UUID, wake: asyncio.Event) -> None:
    """Set `wake` for each event about a due run of the pool, and after each (re)connection; never returns."""
    due = EventFilter(
        event=EventNameFilter(name=DUE),
        any_resource=EventAnyResourceFilter(id=[f"prefect.work-pool.{pool}"]),
    )
    log = get_logger("ccs.wake")
    retry = _RETRY_MIN
    while True:
        try:
            async with get_events_subscriber(filter=due) as events:
                wake.set()
                retry = _RETRY_MIN
                async for _ in events:
                    wake.set()
        except Exception as error:
            # Push is a convenience beside the regular poll: whatever ends it, it is tried again and nothing else.
            log.debug("the event stream ended: %s", error)
        await asyncio.sleep(retry)
        retry = min(retry * 2, _RETRY_MAX)


async def poll_when_woken(wake: asyncio.Event, poll: Callable[[], Awaitable[object]], full: Callable[[], bool]) -> None:
    """Poll for each `wake`, at most four times a second and not while `full`; never returns.

    Who frees a slot sets `wake`.
    """
    while True:
        await wake.wait()
        wake.clear()
        if not full():
            await poll()
        await asyncio.sleep(PAUSE)
