"""Claims: what one run alone may use, among all nodes of a server.

A variable of a fixed name can be created only once, which makes it a claim. Its holder renews it as long as it
lives; one that was not renewed for a while, by the server's own clock, is a dead holder's and is taken over.
"""

import threading
from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import Self

import httpx

from ccs.flows.server.connection import connected
from ccs.flows.server.variables import ServerVariable, Variables

LIFETIME = 120.0
"""Seconds after its last renewal for which a claim holds."""

RENEWAL = 20.0
"""Seconds between two renewals."""


class Claim:
    """A claim that is held until the block is left, with the connection it is renewed through.

    When it is lost, because the node slept or the server was away for longer than LIFETIME, `warn` is told.
    """

    def __init__(
        self, connection: ExitStack, variables: Variables, variable: str, holder: str, warn: Callable[[str], None]
    ) -> None:
        self._connection, self._variables = connection, variables
        self._variable, self._holder, self._warn = variable, holder, warn
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
        with self._connection:
            try:
                self._variables.delete(self._variable)
            except httpx.HTTPError:
                return  # it ends by itself

    def _renew(self) -> None:
        count = 0
        while not self._released.wait(RENEWAL):
            count += 1
            try:
                held = self._variables.update(self._variable, _value(self._holder, count))
            except httpx.HTTPError:
                continue  # the server is away; it may be back before the claim ends
            if not held:
                self._warn("a claim was lost, because it was not renewed for too long: another run may use it, too")
                return


def claim(name: str, holder: str, warn: Callable[[str], None]) -> Claim | None:
    """Claim what has this name (lower case letters, digits, _), without waiting; None when another holder lives.

    `holder` says who that is, to whoever looks. Raises httpx.HTTPError when the server does not answer.
    """
    with ExitStack() as connection:
        server = connection.enter_context(connected())
        variables = Variables(server)
        taken = variables.take(
            name, _value(holder, 0), lambda other: (server.server_time - other.updated).total_seconds() > LIFETIME
        )
        if isinstance(taken, ServerVariable):
            return None
        return Claim(connection.pop_all(), variables, taken, holder, warn)


def _value(holder: str, renewals: int) -> dict[str, str | int]:
    return {"holder": holder, "renewals": renewals}
