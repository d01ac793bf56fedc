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
from datetime import datetime

from ccs.flows.budgets.sums import Scope, Sums
from ccs.flows.server.names import spent_number, spent_variable
from ccs.flows.server.variables import Server, ServerVariable, Variables

MAX_VALUE = 4900
"""Characters of JSON in a variable; the server takes 5,000."""

_PATIENCE = 120.0  # seconds to come in between others; a change takes a tenth of one
_LISTED = 20


class LedgerError(Exception):
    """The sums cannot be read or changed; the message says why."""


class FullError(LedgerError):
    """There is no room for another reservation until one is settled."""


class Ledger:
    """The sums of one scope."""

    def __init__(self, server: Server, scope: Scope, clock: Callable[[], datetime] | None = None) -> None:
        """Without a `clock` the time is the server's."""
        self.scope = scope
        self._variables = Variables(server)
        self._clock = clock or (lambda: server.server_time)

    def read(self) -> Sums:
        """The sums as they are."""
        return self.change(lambda sums: sums)

    def change(self, step: Callable[[Sums], Sums]) -> Sums:
        """Put `step(sums)` in place of the sums, and give that; a step that changes nothing writes nothing.

        The step is asked again whenever somebody else was faster, also after its own change: it must recognize it.
        """
        began, tries = time.monotonic(), 0
        while True:
            found = self._states()
            today = self._clock().date()
            old = self._sums(found[0]).on(today) if found else Sums(today)
            new = step(old)
            if new == old or self._follow(found, new):
                return new
            tries += 1
            if time.monotonic() - began > _PATIENCE:
                raise LedgerError(f"the sums of {self.scope.kind} {self.scope.name!r} are being changed all the time")
            time.sleep(random.uniform(0, min(1.0, 0.02 * 2**tries)))  # noqa: S311

    def _states(self) -> list[ServerVariable]:
        """The states that are there, the one that counts first."""
        tag = self.scope.tag
        return [v for v in self._variables.tagged(tag, _LISTED) if spent_number(tag, v.name) is not None]

    def _sums(self, state: ServerVariable) -> Sums:
        try:
            return Sums.load(state.value)
        except ValueError as error:
            raise LedgerError(f"variable {state.name} was changed by hand ({error}): delete it") from error

    def _follow(self, states: list[ServerVariable], sums: Sums) -> bool:
        """Make a state that follows the first of these; False when it is not certain that it does."""
        value = sums.dump()
        if len(json.dumps(value)) > MAX_VALUE:
            raise FullError(f"too many attempts hold a part of the budget of {self.scope.kind} {self.scope.name!r}")
        for state in states[1:]:
            self._variables.delete(state.id)
        tag = self.scope.tag
        last = spent_number(tag, states[0].name) if states else None
        name = spent_variable(tag, 0 if last is None else last + 1)
        made = self._variables.create(name, value, tag)
        return made is not None and bool(states) and self._variables.delete(states[0].id)
