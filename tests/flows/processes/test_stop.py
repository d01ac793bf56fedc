"""Asking for an end: from another thread, from a signal handler, before and after there is something to end."""

import signal
import threading
import time

import pytest

from ccs.flows.processes.stop import Stop

LONG = 600.0


def test_the_first_reason_counts() -> None:
    stop = Stop()
    assert stop.reason is None
    stop.request("timeout")
    stop.request("cancelled")
    assert stop.reason == "timeout"


def test_whoever_waits_is_woken_at_each_request_while_the_block_runs() -> None:
    stop, woken = Stop(), []
    with stop.waking(lambda: woken.append("outer")):
        with stop.waking(lambda: woken.append("inner")):
            stop.request("cancelled")
        stop.request("cancelled")
    stop.request("cancelled")
    assert woken == ["outer", "inner", "outer"]


def test_who_comes_later_sees_the_reason_and_is_not_woken() -> None:
    stop = Stop()
    stop.request("cancelled")
    woken: list[str] = []
    with stop.waking(lambda: woken.append("late")):
        assert (stop.reason, woken) == ("cancelled", [])


def test_after_an_exception_nobody_is_woken() -> None:
    stop, woken = Stop(), []
    with pytest.raises(KeyError), stop.waking(lambda: woken.append("gone")):
        raise KeyError
    stop.request("cancelled")
    assert woken == []


def test_a_sleep_ends_with_a_request_and_does_not_begin_after_one() -> None:
    stop = Stop()
    threading.Timer(0.05, stop.request, ["timeout"]).start()
    began = time.monotonic()
    stop.wait(LONG)
    stop.wait(LONG)
    assert time.monotonic() - began < LONG / 2


def test_a_sleep_that_nobody_ends_has_its_time() -> None:
    stop = Stop()
    stop.wait(0.01)
    assert stop.reason is None


def test_a_signal_handler_may_ask_while_its_own_thread_is_asking() -> None:
    stop, woken = Stop(), []

    def wake() -> None:
        woken.append(stop.reason)
        if len(woken) == 1:
            signal.raise_signal(signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, lambda *_: stop.request("cancelled"))
    try:
        with stop.waking(wake):
            stop.request("timeout")
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert woken == ["timeout", "timeout"]
