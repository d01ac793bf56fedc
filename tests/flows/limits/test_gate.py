"""The gate of usage limits on a real server: one probe, no matter how many wait; hours pass on a scripted clock."""

import contextvars
import logging
import math
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import SimpleNamespace
from typing import TypeVar
from uuid import uuid4

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from ccs.flows.limits.gate import PROBE_SECONDS, LimitGate
from ccs.flows.limits.states import Closed, Due, Open, Pass, Probing
from ccs.flows.server import clock as clocks
from ccs.flows.server.names import limit_variable
from tests.worlds.server import client

LOG = logging.getLogger("test.limits")
HOUR = 3600.0
T = TypeVar("T")


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = float(int(time.time()))

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture(autouse=True)
def _server(server_url: str) -> Iterator[None]:
    with temporary_settings({PREFECT_API_URL: server_url}):
        yield
    with client(server_url) as api:
        for variable in api.post("/variables/filter", json={}).json():
            if variable["name"].startswith(("ccs_limit_", "ccs_probe_")):
                api.delete(f"/variables/{variable['id']}")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def own_profile() -> str:
    return f"p-{uuid4().hex[:8]}"


@pytest.fixture
def gate(clock: Clock, own_profile: str) -> Callable[[], LimitGate]:
    """Gates of one profile, as the attempts of different runs hold them."""
    return lambda: LimitGate(own_profile, "n1", LOG, clock=clock)


def all_at_once(acts: Sequence[Callable[[], T]]) -> list[T]:
    """What they give, each in a thread of its own and begun at the same moment."""
    barrier = threading.Barrier(len(acts))

    def run(act: Callable[[], T]) -> T:
        barrier.wait(120)
        return act()

    with ThreadPoolExecutor(len(acts)) as threads:
        return [f.result() for f in [threads.submit(contextvars.copy_context().run, run, act) for act in acts]]


def test_without_a_limit_all_pass(gate: Callable[[], LimitGate]) -> None:
    assert gate().look() == Open()
    assert gate().enter("a") == Pass(is_probe=False)


def test_after_a_limit_nobody_passes_until_its_reset(
    gate: Callable[[], LimitGate], clock: Clock, own_profile: str
) -> None:
    closed = gate().close(clock() + HOUR, "a")
    assert (closed.until, closed.seconds, closed.is_guess) == (clock() + HOUR, HOUR, False)
    assert re.fullmatch(
        rf"usage limit of profile '{own_profile}' until \d{{4}}-\d\d-\d\d \d\d:\d\d UTC", closed.message
    )
    clock.sleep(HOUR - 1)
    found = gate().enter("b")
    assert isinstance(found, Closed)
    assert (found.until, found.seconds) == (closed.until, 1)


def test_another_profile_is_not_concerned(gate: Callable[[], LimitGate], clock: Clock) -> None:
    gate().close(clock() + HOUR, "a")
    assert LimitGate(f"q-{uuid4().hex[:8]}", "n1", LOG, clock=clock).look() == Open()


def test_without_a_profile_it_is_the_login_of_the_node(clock: Clock) -> None:
    node = uuid4().hex[:8]
    closed = LimitGate(None, node, LOG, clock=clock).close(clock() + HOUR, "a")
    assert f"the login of node '{node}'" in closed.message
    assert isinstance(LimitGate(None, node, LOG, clock=clock).look(), Closed)
    assert LimitGate(None, f"{node}-2", LOG, clock=clock).look() == Open()


def test_runs_go_on_at_different_moments_of_the_minute_after_the_reset(
    gate: Callable[[], LimitGate], clock: Clock
) -> None:
    closed = gate().close(clock() + HOUR, "a")
    due = {closed.due().timestamp() - closed.until for _ in range(50)}
    assert len(due) == 50
    assert all(5 <= after <= 60 for after in due)


def test_at_the_reset_exactly_one_of_many_probes(gate: Callable[[], LimitGate], clock: Clock) -> None:
    gates = [gate() for _ in range(8)]
    gates[0].close(clock() + HOUR, "a")
    clock.sleep(HOUR)
    got = all_at_once([partial(g.claim, f"run {i}") for i, g in enumerate(gates)])
    assert sorted(got) == [False] * 7 + [True]
    found = gate().look()
    assert isinstance(found, Probing)
    assert found.by == f"run {got.index(True)}"


def test_a_dead_probe_is_replaced_by_exactly_one(gate: Callable[[], LimitGate], clock: Clock) -> None:
    gates = [gate() for _ in range(9)]
    gates[0].close(clock(), "a")
    assert gates[0].claim("dead")
    clock.sleep(PROBE_SECONDS + 1)
    assert gate().look() == Due()
    got = all_at_once([partial(g.claim, "next") for g in gates[1:]])
    assert sorted(got) == [False] * 7 + [True]


def test_the_others_wait_for_the_answer_to_the_probe_and_go_on_in_time(
    gate: Callable[[], LimitGate], clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    first, slept = gate(), list[float]()
    reset = first.close(clock() + HOUR, "a").until
    clock.sleep(HOUR + 60)
    assert first.enter("first") == Pass(is_probe=True)

    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        slept.append(seconds)
        if len(slept) == 10:
            first.answered()

    caplog.set_level(logging.INFO)
    assert gate().enter("second", sleep=sleep) == Pass(is_probe=False)
    assert len(slept) > 10
    assert clock() < reset + 120
    assert "waiting while first tries whether profile" in caplog.text
    assert gate().look() == Open()
    assert first.enter("third") == Pass()


def test_a_probe_that_meets_the_limit_again_closes_the_gate_anew(gate: Callable[[], LimitGate], clock: Clock) -> None:
    first = gate()
    first.close(clock() + HOUR, "a")
    clock.sleep(HOUR)
    assert first.enter("first") == Pass(is_probe=True)
    again = clock() + 5 * HOUR
    found = gate().enter("second", sleep=lambda _: first.close(again, "first"))
    assert isinstance(found, Closed)
    assert found.until == again
    first.leave()
    clock.sleep(5 * HOUR)
    assert gate().enter("second") == Pass(is_probe=True)


def test_a_dead_probe_is_waited_for_as_long_as_its_claim_lasts(gate: Callable[[], LimitGate], clock: Clock) -> None:
    gate().close(clock(), "a")
    assert gate().enter("dead", claim_seconds=30) == Pass(is_probe=True)
    began = clock()
    assert gate().enter("second", sleep=clock.sleep) == Pass(is_probe=True)
    assert 30 <= clock() - began < 40


def test_a_probe_without_an_answer_leaves_it_to_the_next(gate: Callable[[], LimitGate], clock: Clock) -> None:
    first = gate()
    first.close(clock(), "a")
    assert first.enter("first") == Pass(is_probe=True)
    assert gate().enter("second", sleep=lambda _: first.leave()) == Pass(is_probe=True)


def test_who_is_not_the_probe_opens_nothing(gate: Callable[[], LimitGate], clock: Clock) -> None:
    running = gate()
    assert running.enter("a") == Pass()
    gate().close(clock(), "b")
    running.answered()
    running.leave()
    assert gate().look() == Due()


def test_an_answer_to_a_late_probe_does_not_open_a_gate_that_was_closed_since(
    gate: Callable[[], LimitGate], clock: Clock
) -> None:
    late = gate()
    late.close(clock(), "a")
    assert late.claim("late")
    gate().close(clock() + HOUR, "b")
    late.answered()
    assert isinstance(gate().look(), Closed)
    clock.sleep(HOUR)
    assert gate().look() == Due()


def test_a_claim_comes_to_nothing_when_the_gate_needs_none(gate: Callable[[], LimitGate], clock: Clock) -> None:
    assert not gate().claim("a")
    gate().close(clock() + HOUR, "a")
    assert not gate().claim("a")
    clock.sleep(HOUR)
    assert gate().claim("a")  # nothing was left


def test_an_unknown_reset_is_waited_for_longer_with_every_repetition(
    gate: Callable[[], LimitGate], clock: Clock
) -> None:
    waits = []
    for _ in range(5):
        probe = gate()
        assert isinstance(probe.enter("a"), Pass)
        closed = probe.close(None, "a")
        assert closed.is_guess
        assert "its reset is not known: the next try is at" in closed.message
        found = gate().look()
        assert isinstance(found, Closed)
        assert found.is_guess
        waits.append(closed.seconds)
        clock.sleep(closed.seconds)
    assert waits == [300, 600, 1200, 1800, 1800]
    probe = gate()
    assert probe.enter("a") == Pass(is_probe=True)
    probe.answered()
    assert gate().close(None, "a").seconds == 300


def test_many_who_meet_one_unknown_limit_count_as_one(gate: Callable[[], LimitGate], clock: Clock) -> None:
    closed = all_at_once([lambda: gate().close(None, "a")] * 6)
    assert {c.seconds for c in closed} == {300}


def test_a_reset_that_is_told_counts_more_than_a_guess(gate: Callable[[], LimitGate], clock: Clock) -> None:
    gate().close(None, "a")
    assert gate().close(clock() + 60, "b").seconds == 60
    assert gate().close(None, "c").seconds == 60


def test_a_limit_of_one_model_holds_up_nobody_else(gate: Callable[[], LimitGate], clock: Clock) -> None:
    closed = gate().close(clock() + 100 * HOUR, "a", is_of_model=True)
    assert closed.seconds == 100 * HOUR
    assert "for the task's model until" in closed.message
    assert gate().look() == Open()


def test_of_two_limits_the_later_reset_counts(gate: Callable[[], LimitGate], clock: Clock) -> None:
    gate().close(clock() + 100 * HOUR, "a")
    assert gate().close(clock() + HOUR, "b").seconds == 100 * HOUR


@pytest.mark.parametrize("reset", [0, -1, 1, math.nan, math.inf, -math.inf, 1e18, 1_790_000_000_000, 4e9])
def test_a_reset_that_cannot_be_right_counts_as_unknown(gate: Callable[[], LimitGate], reset: float) -> None:
    closed = gate().close(reset, "a")
    assert closed.is_guess
    assert closed.seconds == 300
    assert closed.message
    assert closed.due()


def test_a_limit_that_is_over_by_the_time_it_is_told_is_tried_soon(gate: Callable[[], LimitGate], clock: Clock) -> None:
    closed = gate().close(clock() - 3, "a")
    assert not closed.is_guess
    assert closed.due().timestamp() <= clock() + 60
    probe = gate()
    assert probe.enter("a") == Pass(is_probe=True)
    assert probe.close(clock() - 3, "a").seconds == 300  # told a second time, it is not believed


@pytest.mark.parametrize("value", ["junk", {"until": "tomorrow"}, [], None, {"until": True, "pause": []}])
def test_a_variable_that_somebody_else_wrote_heals(
    gate: Callable[[], LimitGate], own_profile: str, server_url: str, value: object
) -> None:
    with client(server_url) as api:
        for name in (limit_variable(own_profile, ""), f"ccs_probe_{own_profile}"):
            api.post("/variables/", json={"name": name, "value": value}).raise_for_status()
    probe = gate()
    assert probe.enter("a") == Pass(is_probe=True)
    probe.answered()
    assert gate().look() == Open()


def test_a_server_that_is_away_holds_up_nobody(own_profile: str, caplog: pytest.LogCaptureFixture) -> None:
    gate = LimitGate(own_profile, "n1", LOG)
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}):
        assert gate.enter("a") == Pass()
        assert "counts as open" in caplog.text
        assert gate.close(time.time() + HOUR, "a").seconds > HOUR - 60
        assert "could not be closed" in caplog.text


def test_a_server_that_goes_away_from_under_a_probe_holds_up_nobody(
    gate: Callable[[], LimitGate], clock: Clock, server_url: str
) -> None:
    probe = gate()
    probe.close(clock(), "a")
    assert probe.enter("a") == Pass(is_probe=True)
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}):
        probe.answered()
        probe.leave()
    assert isinstance(gate().look(), Probing)
    probe.leave()  # it had its answer
    assert gate().look() == Open()


def test_the_clock_is_the_servers(own_profile: str, monkeypatch: pytest.MonkeyPatch) -> None:
    slow, right = LimitGate(own_profile, "n1", LOG), LimitGate(own_profile, "n2", LOG)
    right.close(time.time() + HOUR / 2, "a")
    behind = SimpleNamespace(time=lambda: time.time() - HOUR, sleep=time.sleep)
    monkeypatch.setattr(clocks, "time", behind)
    found = slow.look()
    assert isinstance(found, Closed)
    assert abs(found.seconds - HOUR / 2) < 60
