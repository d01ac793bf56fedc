"""Resumes the schedules of jobs that a budget had paused, once there is money again; a chore of every node."""

import time
from datetime import datetime, timedelta
from typing import Any, TypedDict

from prefect.client.orchestration import PrefectClient
from prefect.logging import get_logger

from ccs.flows.budgets.sums import UsedUp, is_used_up, micro
from ccs.flows.server.connection import AsyncConnection
from ccs.flows.server.names import PAUSED, paused_deployment
from ccs.flows.server.variables import NOT_FOUND, AsyncServer, AsyncVariables, ServerVariable

EVERY = 60.0
"""Seconds between two looks."""

_YOUNG = timedelta(minutes=2)  # the record is made first, then the job is paused
_CATCH_UP = timedelta(minutes=10)  # times of schedules longer ago are gone
_AHEAD = timedelta(minutes=2)


class _Deployment(TypedDict):
    """A job, as the server gives it."""

    id: str
    name: str
    paused: bool
    parameters: dict[str, object]


class Resumption:
    """Looks every minute; several nodes may do so at once."""

    def __init__(self) -> None:
        self._next = 0.0
        self._log = get_logger("ccs.resume")

    async def attend(self, client: PrefectClient) -> None:
        """Resume what is due, if it is time to look. Never raises: a node has more important things to do."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + EVERY
        try:
            await self.resume_due(client)
        except Exception as error:
            self._log.warning("paused jobs could not be looked at, trying again in a minute: %s", error)

    async def resume_due(self, client: PrefectClient, now: datetime | None = None) -> None:
        """Resume the jobs whose budget is there again, or was raised; forget those that their user has resumed.

        `now` is the server's time unless given.
        """
        server = AsyncConnection(client)
        records = await AsyncVariables(server).tagged(PAUSED)
        for record in records:
            try:
                await self._look(server, record, now or server.server_time)
            except ValueError as error:
                self._log.warning("variable %s was changed by hand (%s): delete it", record.name, error)

    async def _look(self, server: AsyncServer, record: ServerVariable, now: datetime) -> None:
        why = UsedUp.load(record.value)
        deployment: _Deployment | None = await _read(server, f"/deployments/{paused_deployment(record.name)}")
        if deployment is not None and not deployment["paused"]:
            if now - record.created < _YOUNG:
                return
        elif deployment is not None:
            if now < why.until and not await _was_raised(server, why, deployment):
                return
            own = f"/deployments/{deployment['id']}"
            await server.ask("POST", f"{own}/resume_deployment")
            # A job that was due at midnight runs, though it is later now.
            start = max(min(why.until, now), now - _CATCH_UP) - timedelta(seconds=1)
            times = {"start_time": start.isoformat(), "end_time": (now + _AHEAD).isoformat(), "min_runs": 3}
            await server.ask("POST", f"{own}/schedule", times)
            self._log.info("job %s goes on: %s", deployment["name"], why.sentence)
        # Last, so that a node that dies before leaves it to another one.
        await AsyncVariables(server).delete(record.id)


async def _was_raised(server: AsyncServer, why: UsedUp, deployment: _Deployment) -> bool:
    """Whether the budget that was used up is gone, or large enough for what was spent until then."""
    if why.kind == "profile":
        path = f"/block_types/slug/ccs-profile/block_documents/name/{why.name}"
        profile = await _read(server, path)
        holder = profile and profile["data"]
    else:
        holder = deployment["parameters"].get("job")
    if not isinstance(holder, dict):
        return False
    limit = holder.get(f"budget_usd_per_{why.period}")
    return limit is None or not is_used_up(micro(float(limit)), why.spent)


async def _read(server: AsyncServer, path: str) -> Any:
    """What the server holds at a path; None when there is nothing."""
    found = await server.ask("GET", path, changes=False, accept=NOT_FOUND)
    return None if found.status == NOT_FOUND else found.content
