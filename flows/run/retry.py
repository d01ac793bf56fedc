"""How long to wait before another attempt, if there is to be one."""

import random
from collections.abc import Callable

from ccs.flows.spec.task import Retry
from ccs.flows.spec.verdict import Verdict

MAX_DELAY = 3600.0
"""Seconds; no backoff waits longer."""


def delay(policy: Retry, verdict: Verdict, attempts: int, chance: Callable[[], float] = random.random) -> float | None:
    """Seconds until the next attempt after so many, or None when the verdict or the policy allows no other.

    The delay grows by `backoff` with every attempt, up to MAX_DELAY, and is longer by at most the share `jitter`, so
    that tasks that failed together do not all come back together.
    """
    if verdict.ok or not verdict.is_transient or attempts >= policy.max_attempts:
        return None
    try:
        planned = policy.delay_seconds * policy.backoff ** (attempts - 1)
    except OverflowError:
        planned = MAX_DELAY
    return float(min(planned, MAX_DELAY) * (1 + policy.jitter * chance()))
