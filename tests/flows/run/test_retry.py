"""The delays between attempts: growing, capped, scattered, and none where another attempt is no use."""

import pytest

from ccs.flows.run.retry import MAX_DELAY, delay
from ccs.flows.spec.task import Retry
from ccs.flows.spec.verdict import Reason, Verdict

PASSING = Verdict(Reason.API_ERROR, "overloaded", is_transient=True)


def least() -> float:
    return 0.0


def most() -> float:
    return 1.0


def test_the_delay_grows_by_the_factor_up_to_an_hour() -> None:
    policy = Retry(max_attempts=100, delay_seconds=60, backoff=3, jitter=0)
    assert [delay(policy, PASSING, made) for made in (1, 2, 3, 4)] == [60, 180, 540, 1620]
    assert [delay(policy, PASSING, made) for made in (5, 99)] == [MAX_DELAY, MAX_DELAY]
    assert delay(policy.model_copy(update={"backoff": 10}), PASSING, 99) == MAX_DELAY


def test_chance_makes_it_longer_by_at_most_its_share() -> None:
    policy = Retry(max_attempts=3, delay_seconds=100, backoff=2, jitter=0.25)
    assert [delay(policy, PASSING, 2, chance) for chance in (least, most)] == [200, 250]
    assert len({delay(policy, PASSING, 1) for _ in range(20)}) > 1
    assert delay(Retry(max_attempts=2, delay_seconds=0), PASSING, 1) == 0


@pytest.mark.parametrize(("attempts", "another"), [(1, True), (2, True), (3, False), (4, False)])
def test_max_attempts_counts_the_first_one(attempts: int, another: bool) -> None:
    assert (delay(Retry(max_attempts=3), PASSING, attempts) is not None) is another
    assert delay(Retry(), PASSING, attempts) is None


@pytest.mark.parametrize("reason", [Reason.OK, Reason.AUTH, Reason.GATE, Reason.USAGE_LIMIT])
def test_what_does_not_pass_is_not_tried_again(reason: Reason) -> None:
    assert delay(Retry(max_attempts=9), Verdict(reason, ""), 1) is None
