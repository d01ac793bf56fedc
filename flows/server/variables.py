"""Variables on the server: what runs, nodes and the command line know of each other beyond Prefect's own things.

A variable of a name can be created only once, and of those who delete it only one is told that they did. All that must
happen once, or to one at a time, rests on these two. An update may overwrite another's.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, Protocol, Self

_MOST = 200  # the server gives no more at once
_TAGS = ("ccs",)

NOT_FOUND, CONFLICT = 404, 409


class Reply(NamedTuple):
    """The status of an answer and its content, which is JSON or nothing."""

    status: int
    content: Any


class Server(Protocol):
    """A way to the server, such as a client of Prefect or the command line's connection."""

    def ask(
        self, method: str, path: str, body: object = None, *, changes: bool = True, accept: int | None = None
    ) -> Reply:
        """Send a request and give its answer: that of a success, or of the status `accept`; for others it raises.

        `changes` is False for a question, which may be asked again whatever became of it.
        """

    @property
    def server_time(self) -> datetime:
        """The server's clock, as far as its answers have told it."""


class AsyncServer(Protocol):
    """The same for those who must not be held up."""

    async def ask(
        self, method: str, path: str, body: object = None, *, changes: bool = True, accept: int | None = None
    ) -> Reply:
        """As Server.ask."""


@dataclass(frozen=True)
class ServerVariable:
    """A variable as it was read; `value` is any JSON, for anybody can write one."""

    id: str
    name: str
    value: Any
    created: datetime
    updated: datetime

    @property
    def fields(self) -> dict[str, Any]:
        """The value; nothing where it is no object."""
        return self.value if isinstance(self.value, dict) else {}

    @classmethod
    def load(cls, content: Any) -> Self:
        """From the server's answer."""
        created, updated = (datetime.fromisoformat(content[key]) for key in ("created", "updated"))
        return cls(str(content["id"]), str(content["name"]), content["value"], created, updated)


class Variables:
    """The variables of a server. What its `ask` raises is raised here."""

    def __init__(self, server: Server) -> None:
        self._ask = server.ask

    def read(self, name: str) -> ServerVariable | None:
        """The variable of this name; None when there is none."""
        answer = self._ask("GET", f"/variables/name/{name}", changes=False, accept=NOT_FOUND)
        return None if answer.status == NOT_FOUND else ServerVariable.load(answer.content)

    def create(self, name: str, value: object, *tags: str) -> str | None:
        """Make the variable and give its id; None when there is one of the name."""
        body = {"name": name, "value": value, "tags": tags or _TAGS}
        answer = self._ask("POST", "/variables/", body, accept=CONFLICT)
        return None if answer.status == CONFLICT else str(answer.content["id"])

    def update(self, identity: str, value: object) -> bool:
        """Give it another value; False when it is gone."""
        answer = self._ask("PATCH", f"/variables/{identity}", {"value": value}, accept=NOT_FOUND)
        return answer.status != NOT_FOUND

    def delete(self, identity: str) -> bool:
        """Delete it; False when somebody else did."""
        return self._ask("DELETE", f"/variables/{identity}", accept=NOT_FOUND).status != NOT_FOUND

    def take(
        self,
        name: str,
        value: object,
        is_dead: Callable[[ServerVariable], bool],
        took_over: Callable[[ServerVariable], object] = lambda _: None,
    ) -> str | ServerVariable:
        """Be the one whose variable it is, and give its id; or give that of another, who is not dead.

        `took_over` is told what a dead one left, if it was here that it was deleted.
        """
        while True:
            # Looking is cheap; many who try to create it at once would hold up a server on SQLite for a minute.
            holder = self.read(name)
            if holder is None:
                if made := self.create(name, value):
                    return made
            elif not is_dead(holder):
                return holder
            elif self.delete(holder.id):
                took_over(holder)

    def beginning(self, name: str) -> list[ServerVariable]:
        """Those whose names begin so."""
        answer = self._ask("POST", *_filtered({"name": {"like_": name}}, _MOST), changes=False)
        return [found for found in map(ServerVariable.load, answer.content) if found.name.startswith(name)]

    def tagged(self, tag: str, most: int = _MOST) -> list[ServerVariable]:
        """Those with a tag, by name, the last name first."""
        answer = self._ask("POST", *_tagged(tag, most), changes=False)
        return [*map(ServerVariable.load, answer.content)]


class AsyncVariables:
    """As Variables, as far as anybody needs it."""

    def __init__(self, server: AsyncServer) -> None:
        self._ask = server.ask

    async def tagged(self, tag: str, most: int = _MOST) -> list[ServerVariable]:
        """Those with a tag, by name, the last name first."""
        answer = await self._ask("POST", *_tagged(tag, most), changes=False)
        return [*map(ServerVariable.load, answer.content)]

    async def delete(self, identity: str) -> bool:
        """Delete it; False when somebody else did."""
        return (await self._ask("DELETE", f"/variables/{identity}", accept=NOT_FOUND)).status != NOT_FOUND


def _tagged(tag: str, most: int) -> tuple[str, object]:
    return _filtered({"tags": {"all_": [tag]}}, most)


def _filtered(where: object, most: int) -> tuple[str, object]:
    return "/variables/filter", {"variables": where, "sort": "NAME_DESC", "limit": most}
