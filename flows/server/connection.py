"""The server as runs and nodes reach it: through Prefect's client, with its settings, login and retries.

Each of these is a Server (or AsyncServer) of `ccs.flows.server.variables`, and raises httpx.HTTPError.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import httpx
from prefect.client.orchestration import PrefectClient, SyncPrefectClient, get_client
from prefect.context import SettingsContext, get_settings_context

from ccs.flows.server.clock import ServerClock
from ccs.flows.server.variables import Reply

_RETRIES = 3  # some 15 s; with the ten of a node, a server that is away would hold up a task for half an hour
_TIMEOUT = 10.0


class _Clocked:
    """What all connections are: they know the server's time from its answers."""

    def __init__(self) -> None:
        self._clock = ServerClock()

    @property
    def server_time(self) -> datetime:
        """The server's clock, as far as its answers have told it."""
        return self._clock.now

    def _answer(self, response: httpx.Response) -> Reply:
        self._clock.hear(response.headers)
        return Reply(response.status_code, response.json() if response.is_success and response.content else None)


class Connection(_Clocked):
    """One over a client that stays open."""

    def __init__(self, client: SyncPrefectClient) -> None:
        super().__init__()
        self._client = client

    def ask(
        self, method: Any, path: Any, body: object = None, *, changes: bool = True, accept: int | None = None
    ) -> Reply:
        """As Server.ask; Prefect's client decides what is sent again."""
        try:
            return self._answer(self._client.request(method, path, json=body))
        except httpx.HTTPStatusError as error:
            return self._answer(_accepted(error, accept))


class BriefConnection(_Clocked):
    """One for who asks now and then, and goes on without an answer: it keeps no client open, and gives up soon."""

    def ask(
        self, method: Any, path: Any, body: object = None, *, changes: bool = True, accept: int | None = None
    ) -> Reply:
        """As Connection.ask."""
        try:
            with _few_retries(), get_client(sync_client=True) as client:
                return self._answer(client.request(method, path, json=body, timeout=_TIMEOUT))
        except httpx.HTTPStatusError as error:
            return self._answer(_accepted(error, accept))


class AsyncConnection(_Clocked):
    """One for an event loop."""

    def __init__(self, client: PrefectClient) -> None:
        super().__init__()
        self._client = client

    async def ask(
        self, method: Any, path: Any, body: object = None, *, changes: bool = True, accept: int | None = None
    ) -> Reply:
        """As Connection.ask."""
        try:
            return self._answer(await self._client.request(method, path, json=body))
        except httpx.HTTPStatusError as error:
            return self._answer(_accepted(error, accept))


@contextmanager
def connected() -> Iterator[Connection]:
    """A connection with a client of its own."""
    with get_client(sync_client=True) as client:
        yield Connection(client)


def _accepted(error: httpx.HTTPStatusError, status: int | None) -> httpx.Response:
    if error.response.status_code != status:
        raise error
    return error.response


@contextmanager
def _few_retries() -> Iterator[None]:
    context = get_settings_context()
    # As temporary_settings() does, but that reads all of the environment and files anew, which takes 25 ms.
    client = context.settings.client.model_copy(update={"max_retries": _RETRIES})
    with SettingsContext(profile=context.profile, settings=context.settings.model_copy(update={"client": client})):
        yield
