"""Claims: what one run alone may use, among all nodes of a server.

A variable of a fixed name can be created only once, which makes it a claim. Its holder renews it as long as it
lives; one that was not renewed for a while, by the server's own clock, is a dead holder's and is taken over.
"""

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Self

import httpx
from prefect import get_client
from prefect.client.orchestration import SyncPrefectClient

LIFETIME = 120.0
"""Seconds after its last renewal for which a claim holds."""

RENEWAL = 20.0
"""Seconds between two renewals."""


class Claim:
    """A claim that is held until the block is left.

    When it is lost, because the node slept or the server was away for longer than LIFETIME, `warn` is told.
    """

    def __init__(self, client: SyncPrefectClient, variable: str, holder: str, warn: Callable[[str], None]) -> None:
        self._client, self._variable, self._holder, self._warn = client, variable, holder, warn
        self._released = threading.Event()
        self._renewer = threading.Thread(target=self._renew, name="renew-claim", daemon=True)
        self._renewer.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._released.set()
        self._renewer.join()
        try:
            self._client.request("DELETE", "/variables/{id}", path_params={"id": self._variable})
        except httpx.HTTPError:
            return  # it ends by itself
        finally:
            self._client.__exit__(None, None, None)

    def _renew(self) -> None:
        count = 0
        while not self._released.wait(RENEWAL):
            count += 1
            value = {"holder": self._holder, "renewals": count}
            try:
                self._client.request(
                    "PATCH", "/variables/{id}", path_params={"id": self._variable}, json={"value": value}
                )
            except httpx.HTTPStatusError as error:
                if error.response.status_code == httpx.codes.NOT_FOUND:
                    self._warn("a claim was lost, because it was not renewed for too long: another run may use it, too")
                    return
            except httpx.HTTPError:
                continue  # the server is away; it may be back before the claim ends


def claim(name: str, holder: str, warn: Callable[[str], None]) -> Claim | None:
    """Claim what has this name (lower case letters, digits, _), without waiting; None when another holder lives.

    `holder` says who that is, to whoever looks. Raises httpx.HTTPError when the server does not answer.
    """
    client = get_client(sync_client=True)
    client.__enter__()
    variable = None
    try:
        variable = _create(client, name, holder)
        if variable is None and _bury(client, name):
            variable = _create(client, name, holder)
    finally:
        if variable is None:
            client.__exit__(None, None, None)
    return None if variable is None else Claim(client, variable, holder, warn)


def _create(client: SyncPrefectClient, name: str, holder: str) -> str | None:
    """The id of the new claim, or None when there is one."""
    body = {"name": name, "value": {"holder": holder, "renewals": 0}, "tags": ["ccs"]}
    try:
        return str(client.request("POST", "/variables/", json=body).json()["id"])
    except httpx.HTTPStatusError as error:
        if error.response.status_code == httpx.codes.CONFLICT:
            return None
        raise


def _bury(client: SyncPrefectClient, name: str) -> bool:
    """Remove the claim of a dead holder; whether none is left, as far as is known."""
    try:
        answer = client.request("GET", "/variables/name/{name}", path_params={"name": name})
        variable = answer.json()
        date = answer.headers.get("Date")  # the server's own clock, unless something between leaves it out
        now = parsedate_to_datetime(date) if date else datetime.now(UTC)
        if (now - datetime.fromisoformat(variable["updated"])).total_seconds() <= LIFETIME:
            return False
        client.request("DELETE", "/variables/{id}", path_params={"id": variable["id"]})
    except httpx.HTTPStatusError as error:
        return error.response.status_code == httpx.codes.NOT_FOUND
    return True
