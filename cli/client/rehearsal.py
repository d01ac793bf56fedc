"""A rehearsal (--dry-run): the requests that would change something are kept, and none of them is sent."""

from collections.abc import Callable
from typing import Any, NotRequired, TypedDict

from ccs.blocks.redact import MASK
from ccs.blocks.sensitivity import is_sensitive
from ccs.cli.client.records import Json

_ENOUGH = 3
"""So often is one thing read after a request that was not sent by a command that waits for its effect."""

_UNKNOWN = "<id from request"


class KeptRequest(TypedDict):
    """A request that was not sent; its body without secrets."""

    method: str
    path: str
    body: NotRequired[object]


class RehearsalOverError(Exception):
    """The command waits for what was not done: there is nothing more to show."""


class Rehearsal:
    """The requests of one command that were not sent."""

    def __init__(self, begun: Callable[[], None]) -> None:
        """`begun` is called at the first of them: from then on, what the command says of its success is not true."""
        self._begun = begun
        self.requests: list[KeptRequest] = []
        self._read: dict[str, int] = {}

    def keep(self, method: str, path: str, body: object = None) -> Json:
        """Keep a request; what stands for the answer, with an id that says what it is."""
        if not self.requests:
            self._begun()
        self._read.clear()
        kept: KeptRequest = {"method": method, "path": path}
        if body is not None:
            kept["body"] = masked(body)
        self.requests.append(kept)
        given = dict(body) if isinstance(body, dict) else {}
        return {**_ANSWER, **given, "id": f"{_UNKNOWN} {len(self.requests)}>"}

    def reading(self, method: str, path: str, asked: object) -> None:
        """Raise RehearsalOverError when a command waits for the effect of a request that was not sent."""
        if self.requests:
            if _UNKNOWN in path:
                raise RehearsalOverError
            key = f"{method} {path} {asked}"
            self._read[key] = self._read.get(key, 0) + 1
            if self._read[key] >= _ENOUGH:
                raise RehearsalOverError


_ANSWER: Json = {"name": "", "created": None, "block_type_id": "<id of the block type>", "schedules": []}


def masked(value: Any, name: str = "") -> Any:
    """A request's body without secrets: those of profiles, and values that look like one."""
    if isinstance(value, dict):
        if name == "secrets":
            return dict.fromkeys(value, MASK)
        if value.get("source") == "static" and is_sensitive(name, str(value.get("value", ""))):
            return {**value, "value": MASK}
        return {k: masked(v, str(k)) for k, v in value.items()}
    return [masked(v, name) for v in value] if isinstance(value, list) else value
