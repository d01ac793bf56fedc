"""The gate of usage limits: closed for all tasks of a profile, on all nodes, from a limit until it has passed.

While it is closed nobody asks the API. After the reset exactly one task does, the probe; the others wait until the
model has answered it. The gate is a variable on the server that is there while a limit holds; the claim of the probe
is a second one. A variable can be created only once, and of those who delete it one is told that they did.
"""

import logging
import math
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
from prefect.client.orchestration import get_client
from prefect.context import SettingsContext, get_settings_context

from ccs.flows.claude.narration import at
from ccs.flows.spec.names import limit_variable

PROBE_SECONDS = 150.0
"""Seconds after which the claim of a probe that gave no answer is void: it may be dead."""

_JITTER = (5.0, 60.0)  # seconds after the reset
_IN_TIME = 110.0  # seconds after the reset within which those who wait for the probe go on, too
_STAGGER = 30.0
_LOOK_AGAIN = (1.0, 3.0)
_PAUSE, _LONGEST_PAUSE = 300.0, 1800.0  # seconds, when nobody knows the reset
_JUST_OVER = 120.0  # a task may need so long to say that it met a limit
_FARTHEST = 32 * 86400.0  # a reset beyond a month is none
_RETRIES = 3  # some 15 s; with the ten of a node, a server that is away would hold up a task for half an hour
_TIMEOUT = 10.0
_DATE_GRAIN = 1.5  # a server tells its time in whole seconds: a smaller difference is none

Logger = logging.Logger | logging.LoggerAdapter[logging.Logger]


@dataclass(frozen=True)
class Open:
    """No limit is known."""


@dataclass(frozen=True)
class Closed:
    """A limit holds until `until`, in seconds since 1970 like `now`; with `is_guess` nobody knows the reset."""

    until: float
    now: float
    whose: str
    is_guess: bool = False

    @property
    def seconds(self) -> float:
        """From now until the reset."""
        return max(0.0, self.until - self.now)

    @property
    def message(self) -> str:
        """One line for people."""
        if self.is_guess:
            return f"usage limit of {self.whose}, its reset is not known: the next try is at {at(int(self.until))}"
        return f"usage limit of {self.whose} until {at(int(self.until))}"

    def due(self) -> datetime:
        """When to go on: a different moment soon after the reset with every call."""
        return datetime.fromtimestamp(max(self.until, self.now) + random.uniform(*_JITTER), UTC)  # noqa: S311


@dataclass(frozen=True)
class Due:
    """The reset has passed, and nobody has tried yet whether the limit has."""


@dataclass(frozen=True)
class Probing:
    """Somebody tries whether the limit has passed; with no answer by `until`, another may."""

    by: str
    until: float
    reset: float


@dataclass(frozen=True)
class Pass:
    """The way is free."""

    is_probe: bool = False


class Gate:
    """The gate as one attempt sees it: it enters, says that the model has answered or that it met a limit, and leaves.

    When the server cannot be reached, nothing is raised: the log says so, and the gate counts as open. `clock` gives
    the seconds since 1970; without one they are the server's, by which the clocks of all nodes are one.
    """

    def __init__(
        self, profile: str | None, node: str, logger: Logger, *, clock: Callable[[], float] | None = None
    ) -> None:
        self.whose = f"profile {profile!r}" if profile is not None else f"the login of node {node!r}"
        self._name = limit_variable(profile, node)
        self._claim_name = self._name.replace("ccs_limit_", "ccs_probe_", 1)
        self._log = logger
        self._clock = clock
        self._ahead = 0.0  # of the server's clock, in seconds
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
        held = self._read(self._name)
        if held is None:
            return Open()
        reset, now = _number(held, "until"), self._now()
        if reset > now:
            return Closed(reset, now, self.whose, _number(held, "pause") > 0)
        claim = self._read(self._claim_name)
        if claim is not None and _number(claim, "until") > self._now():
            return Probing(str(_value(claim).get("by")), _number(claim, "until"), reset)
        return Due()

    def claim(self, by: str, seconds: float = PROBE_SECONDS) -> bool:
        """Become the probe, as the only one; False when the gate needs none, or somebody else is it."""
        old = self._read(self._claim_name)
        if old is not None and (_number(old, "until") > self._now() or not self._delete(old["id"])):
            return False
        made = self._create(self._claim_name, {"by": by, "until": self._now() + seconds})
        if made is None:
            return False
        self._claim, self._answered = str(made["id"]), False
        held = self._read(self._name)  # an earlier probe may have opened it or closed it anew since it was looked at
        if held is None or _number(held, "until") > self._now():
            self.release()
            return False
        return True

    def open(self) -> None:
        """Let everybody pass, unless a limit was met that is not over, and give the claim back."""
        held = self._read(self._name)
        if held is not None and _number(held, "until") <= self._now():
            self._delete(held["id"])
        self.release()

    def release(self) -> None:
        """Give the claim back, if it is held."""
        if self._claim:
            self._delete(self._claim)
            self._claim = ""

    def _stagger(self, reset: float) -> float:
        """Seconds by which to let others go first, once the probe had its answer."""
        left = reset + _IN_TIME - self._now()
        return random.uniform(0, max(1.0, min(_STAGGER, left)))  # noqa: S311

    def _close(self, resets_at: float | None, by: str) -> Closed:
        while True:
            held = self._read(self._name)
            closed = self._after(_value(held) if held else {}, resets_at)
            pause = closed.until - closed.now if closed.is_guess else 0.0
            value = {"until": closed.until, "pause": pause, "whose": self.whose, "by": by}
            if held is None:
                done = self._create(self._name, value) is not None
            else:
                done = closed.until == _number(held, "until") or self._update(held["id"], value)
            if done:
                return closed

    def _after(self, held: dict[str, Any], resets_at: float | None) -> Closed:
        """What the gate becomes from what it is."""
        now, before, reset = self._now(), _finite(held.get("until")), _finite(resets_at)
        guessed = _finite(held.get("pause"))
        if now < reset < now + _FARTHEST or (now - _JUST_OVER < reset <= now and not self._claim):
            return Closed(reset if guessed else max(reset, before), now, self.whose)
        # Not known, or over already although a probe met the limit again just now.
        if before > now:
            return Closed(before, now, self.whose, guessed > 0)
        pause = min(max(2 * guessed, _PAUSE), _LONGEST_PAUSE)
        return Closed(now + pause, now, self.whose, is_guess=True)

    def _now(self) -> float:
        return self._clock() if self._clock else time.time() + self._ahead

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

    def _read(self, name: str) -> dict[str, Any] | None:
        answer = self._ask("GET", "/variables/name/{name}", {"name": name})
        return None if answer.status_code == 404 else dict(answer.json())

    def _create(self, name: str, value: dict[str, Any]) -> dict[str, Any] | None:
        body = {"name": name, "value": value, "tags": ["ccs"]}
        answer = self._ask("POST", "/variables/", {}, body)
        return None if answer.status_code == 409 else dict(answer.json())

    def _update(self, identity: str, value: dict[str, Any]) -> bool:
        """False when somebody has deleted the variable."""
        return self._ask("PATCH", "/variables/{id}", {"id": str(identity)}, {"value": value}).status_code != 404

    def _delete(self, identity: str) -> bool:
        """Whether it was this one that deleted the variable."""
        return self._ask("DELETE", "/variables/{id}", {"id": str(identity)}).status_code != 404

    def _ask(self, method: Any, path: Any, path_params: dict[str, str], body: object = None) -> httpx.Response:
        with _few_retries(), get_client(sync_client=True) as client:
            try:
                answer = client.request(method, path, path_params=path_params, json=body, timeout=_TIMEOUT)
            except httpx.HTTPStatusError as error:
                if error.response.status_code not in (404, 409):
                    raise
                answer = error.response
        if date := answer.headers.get("date"):
            ahead = parsedate_to_datetime(date).timestamp() - time.time()
            if abs(ahead - self._ahead) > _DATE_GRAIN:
                self._ahead = ahead
        return answer


@contextmanager
def _few_retries() -> Iterator[None]:
    context = get_settings_context()
    # As temporary_settings() does, but that reads all of the environment and files anew, which takes 25 ms.
    client = context.settings.client.model_copy(update={"max_retries": _RETRIES})
    with SettingsContext(profile=context.profile, settings=context.settings.model_copy(update={"client": client})):
        yield


def _value(variable: dict[str, Any]) -> dict[str, Any]:
    value = variable.get("value")
    return value if isinstance(value, dict) else {}


def _number(variable: dict[str, Any], key: str) -> float:
    return _finite(_value(variable).get(key))


def _finite(number: object) -> float:
    """The number; 0 for anything else, such as what somebody else wrote into a variable."""
    return float(number) if isinstance(number, int | float) and math.isfinite(number) else 0.0
