"""A lock on the server, so that of two changes to one job none is lost.

Prefect protects no read-modify-write. A variable of a fixed name can be created only once, which makes it a lock;
its age by the server's own clock tells when its holder must have died.
"""

import os
import random
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from ccs.cli.client.api import Api
from ccs.cli.errors import RequestError
from ccs.flows.node.processes import birth
from ccs.flows.server.names import lock_variable
from ccs.flows.server.variables import ServerVariable

LIFETIME = 120.0
"""Seconds after which a lock is taken from a holder of whom nothing is known."""

SAFE = 30.0
"""Seconds in which a holder may still write; a server on SQLite may take another minute to do it."""

PATIENCE = 240.0
"""Seconds to wait for a lock."""


class Lock:
    """A lock that is held."""

    def __init__(self, api: Api, name: str, identity: str) -> None:
        """`identity` is the id of its variable, `name` the variable's name."""
        self._api, self._name, self._id = api, name, identity

    def check(self) -> None:
        """Raise RequestError when the lock is lost or so old that it might be, before anything is written."""
        held = self._api.variables.read(self._name)
        if held is None or held.id != self._id or _age(self._api, held) > SAFE:
            raise RequestError("the server was too slow to keep the lock on this job; nothing was changed", "try again")

    def release(self) -> None:
        """Let the next one in."""
        self._api.variables.delete(self._id)


class _Unheld(Lock):
    """No lock, where nothing is going to be written."""

    def check(self) -> None:
        """Nothing to lose."""


@contextmanager
def held(api: Api, identity: str, what: str) -> Iterator[Lock]:
    """Hold the lock of the thing with this id; `what` is it in words.

    Raises RequestError when somebody else keeps it for too long.
    """
    if api.rehearsal:
        yield _Unheld(api, "", "")  # nothing will be written
        return
    lock = _acquire(api, lock_variable(identity), what)
    try:
        yield lock
    finally:
        lock.release()


def _acquire(api: Api, name: str, what: str) -> Lock:
    own = {
        "host": socket.gethostname(),
        "space": _space(),
        "pid": os.getpid(),
        "born": birth(os.getpid()),
        "user": _user(),
    }

    def is_dead(holder: ServerVariable) -> bool:
        return _age(api, holder) > LIFETIME or _has_ended(holder, own)

    def broke(holder: ServerVariable) -> None:
        api.note(f"broke the lock on {what} that {_who(holder)} left behind")

    started, told = time.monotonic(), False
    while isinstance(taken := api.variables.take(name, own, is_dead, broke), ServerVariable):
        waited = time.monotonic() - started
        if waited > PATIENCE:
            raise RequestError(f"{what} is being changed by {_who(taken)} all the time", "try again later")
        if waited > 2 and not told:
            api.note(f"waiting for {_who(taken)} to finish changing {what} …")
            told = True
        time.sleep(random.uniform(0.05, 0.3 + min(waited, 5) / 10))  # noqa: S311
    return Lock(api, name, taken)


def _age(api: Api, variable: ServerVariable) -> float:
    return (api.server_time - variable.created).total_seconds()


def _has_ended(holder: ServerVariable, own: Mapping[str, object]) -> bool:
    """Whether the holder was a process of this machine that is no more."""
    value = holder.fields
    if any(value.get(k) != own[k] for k in ("host", "space")):
        return False
    return isinstance(value.get("pid"), int) and birth(value["pid"]) != value.get("born")


def _space() -> str:
    """Where process ids are counted: containers of one host name each count their own."""
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""


def _who(holder: ServerVariable) -> str:
    value = holder.fields
    return f"{value.get('user')} on {value.get('host')} (process {value.get('pid')})" if value else "somebody"


def _user() -> str:
    return os.environ.get("USER") or os.environ.get("LOGNAME") or f"user {os.getuid()}"
