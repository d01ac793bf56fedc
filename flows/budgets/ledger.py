"""The sums of a scope on the server, which every run and node changes, and nobody overwrites.

Prefect protects no update of a variable, so none is updated: each state of the sums is a variable of its own, whose
name ends in a number one higher than that of the state it follows. Two who follow the same state want the same name,
and only one can create it. The rules that make this safe, whoever dies or dawdles between two requests:

- the state with the highest number counts, and is never deleted;
- what is lower than it is deleted before it is followed, so when a state is gone, all before it are gone, too;
- who has created a state deletes the one it followed, by its id. If that was gone already, others have gone on in the
  meantime and the number was free again: then the new state may count for nothing. So every change can tell whether
  it is already part of a state, and is made anew until it is.
"""

import json
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
from prefect.client.orchestration import SyncPrefectClient

from ccs.flows.budgets.sums import Scope, Sums

MAX_VALUE = 4900
"""Characters of JSON in a variable; the server takes 5,000."""

_PATIENCE = 120.0  # seconds to come in between others; a change takes a tenth of one
_LISTED = 20


class LedgerError(Exception):
    """The sums cannot be read or changed; the message says why."""


class FullError(LedgerError):
    """There is no room for another reservation until one is settled."""


def server_time(answer: httpx.Response) -> datetime:
    """The server's clock, the same for all nodes."""
    return parsedate_to_datetime(answer.headers["date"]).astimezone(UTC)


class Ledger:
    """The sums of one scope."""

    def __init__(
        self, client: SyncPrefectClient, scope: Scope, clock: Callable[[httpx.Response], datetime] = server_time
    ) -> None:
        self.scope = scope
        self._client = client
        self._clock = clock

    def change(self, step: Callable[[Sums], Sums]) -> Sums:
        """Put `step(sums)` in place of the sums, and give that; a step that changes nothing writes nothing.

        The step is asked again whenever somebody else was faster, also after its own change: it must recognize it.
        """
        began, tries = time.monotonic(), 0
        while True:
            states, today = self._states()
            old = self._sums(states[0]) if states else Sums(today.date())
            old = old.on(today.date())
            new = step(old)
            if new == old:
                return new
            if self._follow(states, new):
                return new
            tries += 1
            if time.monotonic() - began > _PATIENCE:
                raise LedgerError(f"the sums of {self.scope.kind} {self.scope.name!r} are being changed all the time")
            time.sleep(random.uniform(0, min(1.0, 0.02 * 2**tries)))  # noqa: S311

    def _states(self) -> tuple[list[dict[str, Any]], datetime]:
        """The states that are there, the one that counts first, and the time."""
        where = {"variables": {"tags": {"all_": [self.scope.tag]}}, "sort": "NAME_DESC", "limit": _LISTED}
        answer = self._client.request("POST", "/variables/filter", json=where)
        prefix = f"{self.scope.tag}_v"
        return [v for v in answer.json() if v["name"].startswith(prefix)], self._clock(answer)

    def _sums(self, state: dict[str, Any]) -> Sums:
        try:
            return Sums.load(state["value"])
        except ValueError as error:
            raise LedgerError(f"variable {state['name']} was changed by hand ({error}): delete it") from error

    def _follow(self, states: list[dict[str, Any]], sums: Sums) -> bool:
        """Make a state that follows the first of these; False when it is not certain that it does."""
        value = sums.dump()
        if len(json.dumps(value)) > MAX_VALUE:
            raise FullError(f"too many attempts hold a part of the budget of {self.scope.kind} {self.scope.name!r}")
        for state in states[1:]:
            self._delete(state)
        number = int(states[0]["name"].rpartition("_v")[2]) + 1 if states else 0
        body = {"name": f"{self.scope.tag}_v{number:010}", "value": value, "tags": [self.scope.tag]}
        try:
            self._client.request("POST", "/variables/", json=body)
        except httpx.HTTPStatusError as error:
            if error.response.status_code == httpx.codes.CONFLICT:
                return False
            raise
        return bool(states) and self._delete(states[0])

    def _delete(self, state: dict[str, Any]) -> bool:
        """Whether it was this request that deleted the state."""
        try:
            self._client.request("DELETE", "/variables/{id}", path_params={"id": state["id"]})
        except httpx.HTTPStatusError as error:
            if error.response.status_code == httpx.codes.NOT_FOUND:
                return False
            raise
        return True
