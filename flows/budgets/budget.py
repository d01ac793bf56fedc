"""The budgets of an attempt, a task, a run, a job and a profile: nothing starts that they do not allow.

Before an attempt a part of every budget is reserved for it, and that is all `claude` may spend; afterwards what it
spent takes the place of the reservation. So attempts side by side, in one run or on many nodes, stay within the
budget together, up to the one reply by which `claude` may overshoot. All figures are estimates.
"""

import itertools
import random
import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
from prefect.logging import get_logger

from ccs.flows.budgets.ledger import LedgerError
from ccs.flows.budgets.offer import BudgetAccount, BudgetSpent, accounts, own_offer
from ccs.flows.budgets.reservations import Clock, Reservations
from ccs.flows.budgets.sums import MICRO, Budgeted, micro
from ccs.flows.log import Log
from ccs.flows.processes.stop import Stop, StopReason
from ccs.flows.spec.job import Job
from ccs.flows.spec.task import Task

PATIENCE = 900.0
"""Seconds to wait, unless told otherwise, while other attempts hold all that is left of a budget."""

_POLL = 2.0


class Stopped(Exception):  # noqa: N818  it is no error either
    """A stop was requested while the attempt waited for its turn."""

    def __init__(self, reason: StopReason) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Allowance:
    """What an attempt may spend: dollars, or None where no budget applies.

    `reason` says whose budget that is; `is_share` that more of it may be left once others have settled.
    """

    id: str
    task: str
    usd: float | None
    reason: str = ""
    is_share: bool = False
    accounts: tuple[BudgetAccount, ...] = ()


class Budget:
    """The budgets of one run, for all its threads."""

    def __init__(
        self,
        job: Job,
        run_id: str,
        job_id: str = "",
        spent: Mapping[str, float] | None = None,
        log: Log | None = None,
        clock: Clock | None = None,
    ) -> None:
        """`job_id` is that of the deployment, if there is one; `spent` is what each task spent in dollars in earlier
        processes of the same run."""
        self._job = job
        self._job_id = job_id
        self._log = log or get_logger("ccs.budget")
        self._process = secrets.token_hex(2)
        self._numbers = itertools.count(1)
        self._reservations = Reservations(run_id, job_id, self._process, self._log, clock)
        self._lock = threading.Lock()
        self._spent = {task: micro(usd) for task, usd in (spent or {}).items()}
        self._open: dict[str, Allowance] = {}
        self._waiting: set[threading.Event] = set()

    @property
    def spent_usd(self) -> float:
        """What the run has spent so far, in dollars."""
        return sum(self._spent.values()) / MICRO

    def reserve(
        self,
        task: Task,
        stop: Stop,
        profile: str | None = None,
        block: Budgeted | None = None,
        patience: float = PATIENCE,
    ) -> Allowance:
        """What an attempt of the task may spend now, to be settled afterwards; `block` is the profile of that name.

        Waits at most `patience` seconds while others hold all that is left. Raises BudgetSpent, Stopped.
        """
        shared = accounts(self._job, self._job_id, profile, block)
        deadline = time.monotonic() + patience
        while stop.reason is None:
            with self._announced(stop) as again:
                try:
                    with self._lock:
                        found = self._try(task, shared)
                except (httpx.HTTPError, LedgerError) as error:
                    why = f"the budgets cannot be checked, and nothing is started unchecked: {error}"
                    raise BudgetSpent(why) from error
                if isinstance(found, Allowance):
                    return found
                if time.monotonic() >= deadline:
                    raise BudgetSpent(f"other attempts still hold all that is left of {found}: try again later")
                rest = max(0.0, deadline - time.monotonic())
                again.wait(min(rest, _POLL * random.uniform(1, 2) * len(self._waiting)))  # noqa: S311
        raise Stopped(stop.reason)

    def settle(self, allowance: Allowance, spent_usd: float, unseen_usd: float = 0.0) -> None:
        """Put what the attempt spent in place of what was reserved for it; a second time changes nothing.

        `unseen_usd` is what it may have spent besides, for all anybody knows: that counts, too, but only as far as it
        was reserved.
        """
        with self._lock:
            if self._open.pop(allowance.id, None) is None:
                return
            counted = micro(spent_usd)
            if unseen_usd and allowance.usd is not None and counted < (reserved := micro(allowance.usd)):
                counted = reserved if counted / MICRO + unseen_usd >= allowance.usd else micro(spent_usd + unseen_usd)
                self._log.warning(
                    "what the attempt of %s cost is not known, but at least $%.4f: $%.4f count as spent",
                    allowance.task, spent_usd, counted / MICRO,
                )  # fmt: skip
            self._spent[allowance.task] = self._spent.get(allowance.task, 0) + counted
            try:
                if allowance.accounts:
                    self._reservations.settle(allowance.id, allowance.accounts, counted)
            except (httpx.HTTPError, LedgerError) as error:
                self._log.warning("the budgets of job and profile could not be settled, and stay reserved: %s", error)
        for event in list(self._waiting):
            event.set()

    @contextmanager
    def _announced(self, stop: Stop) -> Iterator[threading.Event]:
        """An event that is set when it is worth trying again."""
        again = threading.Event()
        self._waiting.add(again)
        try:
            with stop.waking(again.set):
                yield again
        finally:
            self._waiting.discard(again)

    def _try(self, task: Task, shared: tuple[BudgetAccount, ...]) -> Allowance | str:
        """An allowance, or else the words for a budget of which others hold all that is left."""
        slots = max(1, self._job.max_parallel - len(self._open))
        held = [(a.task, micro(a.usd or 0)) for a in self._open.values()]
        offer = own_offer(task, self._job, self._spent, held, slots)
        name = f"{self._process}-{next(self._numbers)}"
        if shared and not isinstance(offer, str):
            offer = self._reservations.hold(name, shared, offer, slots)
        if isinstance(offer, str):
            return offer
        usd = None if offer.amount is None else offer.amount / MICRO
        self._open[name] = Allowance(name, task.name, usd, offer.reason, offer.is_share, shared)
        return self._open[name]
