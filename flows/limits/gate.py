"""The gate of usage limits: closed for all tasks of a profile, on all nodes, from a limit until it has passed.

While it is closed nobody asks the API. After the reset exactly one task does, the probe; the others wait until the
model has answered it. The gate is a variable on the server that is there while a limit holds; the claim of the probe
is a second one.
"""

import math
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

import httpx

from ccs.flows.limits.states import Closed, Due, Open, Pass, Probing
from ccs.flows.log import Log
from ccs.flows.server.connection import BriefConnection
from ccs.flows.server.names import limit_variable, probe_variable
from ccs.flows.server.variables import ServerVariable, Variables

PROBE_SECONDS = 150.0
"""Seconds after which the claim of a probe that gave no answer is void: it may be dead."""

_IN_TIME = 110.0  # seconds after the reset within which those who wait for the probe go on, too
_STAGGER = 30.0
_LOOK_AGAIN = (1.0, 3.0)
_PAUSE, _LONGEST_PAUSE = 300.0, 1800.0  # seconds, when nobody knows the reset
_JUST_OVER = 120.0  # a task may need so long to say that it met a limit
_FARTHEST = 32 * 86400.0  # a reset beyond a month is none


class LimitGate:
    """The gate as one attempt sees it: it enters, says that the model has answered or that it met a limit, and leaves.

    When the server cannot be reached, nothing is raised: the log says so, and the gate counts as open. `clock` gives
    the seconds since 1970; without one they are the server's, by which the clocks of all nodes are one.
    """

    def __init__(
        self, profile: str | None, node: str, logger: Log, *, clock: Callable[[], float] | None = None
    ) -> None:
        self.whose = f"profile {profile!r}" if profile is not None else f"the login of node {node!r}"
        self._name = limit_variable(profile, node)
        self._claim_name = probe_variable(self._name)
        self._log = logger
        self._server = BriefConnection()
        self._variables = Variables(self._server)
        self._clock = clock or (lambda: self._server.server_time.timestamp())
        self._claim = ""  # the id of the variable, while this is the probe
        self._answered = False

    def enter(
        self, by: str, *, claim_seconds: float = PROBE_SECONDS, sleep: Callable[[float], object] = time.sleep
    ) -> Pass | Closed:
        """Pass, or the reason to wait for hours; `by` tells others who this is.

        Where another one probes, wait here for its answer. Being the probe ends with `answered`, `close` or `leave`,
        or after `claim_seconds`, which should be more than the model may take to answer.
        """
        behind: Probing | None = None
        try:
            while True:
                match self.look():
                    case Closed() as closed:
                        return closed
                    case Open():
                        if behind is None:
                            return Pass()
                        sleep(self._stagger(behind.reset))
                        behind = None  # and look once more: somebody may have met the limit meanwhile
                        continue
                    case Due():
                        if self.claim(by, claim_seconds):
                            self._log.info("the usage limit of %s should be over: trying", self.whose)
                            return Pass(is_probe=True)
                    case Probing() as probing:
                        if behind is None or behind.by != probing.by:
                            self._log.info("waiting while %s tries whether %s may go on", probing.by, self.whose)
                        behind = probing
                sleep(random.uniform(*_LOOK_AGAIN))  # noqa: S311
        except httpx.HTTPError as error:
            self._warn(error, "counts as open")
            return Pass()

    def answered(self) -> None:
        """The model has answered: open the gate, if this is the probe; else nothing, at no cost."""
        if self._claim and not self._answered:
            self._answered = True
            self._try(self.open, "stays as it is for now")

    def close(self, resets_at: float | None, by: str, *, is_of_model: bool = False) -> Closed:
        """A limit was met that ends at `resets_at`, in seconds since 1970; None when that is not known.

        A time that cannot be right counts as not known: then it is 5 minutes, and at each repetition twice as long.
        A limit of one model concerns nobody else, who may well use another: the gate stays as it is.
        """
        if is_of_model:
            closed = replace(self._after({}, resets_at), whose=f"{self.whose} for the task's model")
            self._log.warning("%s", closed.message)
            return closed
        try:
            closed = self._close(resets_at, by)
        except httpx.HTTPError as error:
            self._warn(error, "could not be closed")
            closed = self._after({}, resets_at)
        else:
            self._try(self.release, "keeps its probe for a while")
        self._log.warning("%s", closed.message)
        return closed

    def leave(self) -> None:
        """The attempt is over: if it was the probe and had no answer, another one may try. At no cost else."""
        if self._claim:
            self._try(self.open if self._answered else self.release, "keeps its probe for a while")

    # What these are made of; each raises httpx.HTTPError when the server does not do it.

    def look(self) -> Open | Closed | Due | Probing:
        """The state of the gate. One request when it is open."""
        held = self._variables.read(self._name)
        if held is None:
            return Open()
        reset, now = _number(held, "until"), self._clock()
        if reset > now:
            return Closed(reset, now, self.whose, _number(held, "pause") > 0)
        claim = self._variables.read(self._claim_name)
        if claim is not None and _number(claim, "until") > self._clock():
            return Probing(str(claim.fields.get("by")), _number(claim, "until"), reset)
        return Due()

    def claim(self, by: str, seconds: float = PROBE_SECONDS) -> bool:
        """Become the probe, as the only one; False when the gate needs none, or somebody else is it."""
        value = {"by": by, "until": self._clock() + seconds}
        taken = self._variables.take(self._claim_name, value, lambda old: _number(old, "until") <= self._clock())
        if isinstance(taken, ServerVariable):
            return False
        self._claim, self._answered = taken, False
        # An earlier probe may have opened the gate, or closed it anew, since it was looked at.
        held = self._variables.read(self._name)
        if held is None or _number(held, "until") > self._clock():
            self.release()
            return False
        return True

    def open(self) -> None:
        """Let everybody pass, unless a limit was met that is not over, and give the claim back."""
        held = self._variables.read(self._name)
        if held is not None and _number(held, "until") <= self._clock():
            self._variables.delete(held.id)
        self.release()

    def release(self) -> None:
        """Give the claim back, if it is held."""
        if self._claim:
            self._variables.delete(self._claim)
            self._claim = ""

    def _stagger(self, reset: float) -> float:
        """Seconds by which to let others go first, once the probe had its answer."""
        left = reset + _IN_TIME - self._clock()
        return random.uniform(0, max(1.0, min(_STAGGER, left)))  # noqa: S311

    def _close(self, resets_at: float | None, by: str) -> Closed:
        while True:
            held = self._variables.read(self._name)
            closed = self._after(held.fields if held else {}, resets_at)
            pause = closed.until - closed.now if closed.is_guess else 0.0
            value = {"until": closed.until, "pause": pause, "whose": self.whose, "by": by}
            if held is None:
                done = self._variables.create(self._name, value) is not None
            else:
                done = closed.until == _number(held, "until") or self._variables.update(held.id, value)
            if done:
                return closed

    def _after(self, held: Mapping[str, object], resets_at: float | None) -> Closed:
        """What the gate becomes from what it is."""
        now, before, reset = self._clock(), _finite(held.get("until")), _finite(resets_at)
        guessed = _finite(held.get("pause"))
        if now < reset < now + _FARTHEST or (now - _JUST_OVER < reset <= now and not self._claim):
            return Closed(reset if guessed else max(reset, before), now, self.whose)
        # Not known, or over already although a probe met the limit again just now.
        if before > now:
            return Closed(before, now, self.whose, guessed > 0)
        pause = min(max(2 * guessed, _PAUSE), _LONGEST_PAUSE)
        return Closed(now + pause, now, self.whose, is_guess=True)

    def _try(self, act: Callable[[], None], else_it: str) -> None:
        try:
            act()
        except httpx.HTTPError as error:
            self._warn(error, else_it)

    def _warn(self, error: httpx.HTTPError, what: str) -> None:
        why = str(error).partition("\n")[0] or type(error).__name__
        self._log.warning(
            "the server could not be asked about usage limits: the gate of %s %s (%s)", self.whose, what, why
        )


def _number(variable: ServerVariable, key: str) -> float:
    return _finite(variable.fields.get(key))


def _finite(number: object) -> float:
    """The number; 0 for anything else, such as what somebody else wrote into a variable."""
    return float(number) if isinstance(number, int | float) and math.isfinite(number) else 0.0
