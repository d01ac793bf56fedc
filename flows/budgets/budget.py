"""The budgets of an attempt, a task, a run, a job and a profile: nothing starts that they do not allow.

Before an attempt a part of every budget is reserved for it, and that is all `claude` may spend; afterwards what it
spent takes the place of the reservation. So attempts side by side, in one run or on many nodes, stay within the
budget together, up to the one reply by which `claude` may overshoot. All figures are estimates.
"""

import itertools
import logging
import random
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import httpx
from prefect.logging import get_logger

from ccs.flows.budgets.ledger import FullError, Ledger, LedgerError
from ccs.flows.budgets.pause import pause
from ccs.flows.budgets.sums import CENT, MICRO, Budgeted, Period, Scope, Sums, UsedUp, is_used_up, limits, micro
from ccs.flows.processes.stop import Stop, StopReason
from ccs.flows.server.connection import connected
from ccs.flows.server.variables import Server
from ccs.flows.spec.job import Job
from ccs.flows.spec.task import Task

PATIENCE = 900.0
"""Seconds to wait, unless told otherwise, while other attempts hold all that is left of a budget."""

_POLL = 2.0
_ENDED = frozenset({"COMPLETED", "FAILED", "CRASHED", "CANCELLED"})

Log = logging.Logger | logging.LoggerAdapter[logging.Logger]


class BudgetSpent(Exception):  # noqa: N818  it is no error: a budget does what it is there for
    """Nothing is left to start an attempt with; the message is a sentence with what to do."""


class Stopped(Exception):  # noqa: N818  as above
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
    accounts: "tuple[_Account, ...]" = ()


@dataclass(frozen=True)
class _Account:
    """A scope whose sums the server keeps, with its budgets, and among how many its rest is divided."""

    scope: Scope
    limits: Mapping[Period, int]
    others: int

    def used_up(self, sums: Sums) -> list[UsedUp]:
        return [
            UsedUp(self.scope.kind, self.scope.name, period, limit, sums.spent[period], period.end(sums.day))
            for period, limit in self.limits.items()
            if is_used_up(limit, sums.spent[period])
        ]


@dataclass(frozen=True)
class _Offer:
    """So much (micro-dollars; None: no end) of the budget in `reason`."""

    amount: int | None = None
    reason: str = ""
    is_share: bool = False

    def within(self, limit: int, spent: int, held: int, slots: int, reason: str) -> "_Offer | None":
        """This, or what another budget leaves of it; None when too little is left beside what others hold.

        Where nothing else says how much an attempt needs, it gets its share of the rest.
        """
        left, least = limit - spent - held, min(CENT, limit)
        if left < least:
            return None
        if self.amount is None:
            share = min(left, max(left // slots, least))
            return _Offer(share, reason, share < left or held > 0)
        return self if self.amount <= left else _Offer(left, reason, held > 0)


class Budget:
    """The budgets of one run, for all its threads."""

    def __init__(
        self,
        job: Job,
        run_id: str,
        job_id: str = "",
        spent: Mapping[str, float] | None = None,
        log: Log | None = None,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        """`job_id` is that of the deployment, if there is one; `spent` is what each task spent in dollars in earlier
        processes of the same run."""
        self._job = job
        self._run_id = run_id
        self._job_id = job_id
        self._clock = clock
        self._log = log or get_logger("ccs.budget")
        self._process = secrets.token_hex(2)
        self._numbers = itertools.count(1)
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
        accounts = self._accounts(profile, block)
        deadline = time.monotonic() + patience
        while stop.reason is None:
            with self._announced(stop) as again:
                try:
                    with self._lock:
                        found = self._try(task, accounts)
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
                self._settle(allowance, counted)
            except (httpx.HTTPError, LedgerError) as error:
                self._log.warning("the budgets of job and profile could not be settled, and stay reserved: %s", error)
        for event in list(self._waiting):
            event.set()

    def _accounts(self, profile: str | None, block: Budgeted | None) -> tuple[_Account, ...]:
        found = []
        if self._job_id and (own := limits(self._job)):
            found.append(_Account(Scope.of_job(self._job.name, self._job_id), own, 0))
        if profile and block and (its := limits(block)):  # one more, for other jobs use it too
            found.append(_Account(Scope.of_profile(profile), its, 1))
        return tuple(found)

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

    def _try(self, task: Task, accounts: tuple[_Account, ...]) -> Allowance | str:
        """An allowance, or else the words for a budget of which others hold all that is left."""
        slots = max(1, self._job.max_parallel - len(self._open))
        offer = self._own_budgets(task, slots)
        if isinstance(offer, str):
            return offer
        reservation = f"{self._process}-{next(self._numbers)}"
        if accounts:
            with connected() as server:
                offer = self._hold(server, reservation, accounts, offer, slots)
            if isinstance(offer, str):
                return offer
        usd = None if offer.amount is None else offer.amount / MICRO
        allowance = Allowance(reservation, task.name, usd, offer.reason, offer.is_share, accounts)
        self._open[reservation] = allowance
        return allowance

    def _own_budgets(self, task: Task, slots: int) -> _Offer | str:
        """What attempt, task and run allow; their sums live in this process."""
        offer: _Offer | None = _Offer()
        if task.attempt_budget_usd is not None:
            offer = _Offer(micro(task.attempt_budget_usd), "attempt_budget_usd of the task")
        budgets = (
            (task.budget_usd, [task.name], 1, f"the budget of task {task.name!r}", "raise budget_usd of the task"),
            (self._job.budget_usd, None, slots, "the budget of the run", "raise budget_usd of the job"),
        )
        for usd, tasks, share, whose, remedy in budgets:
            if usd is None:
                continue
            limit = micro(usd)
            spent = sum(amount for name, amount in self._spent.items() if tasks is None or name in tasks)
            held = sum(micro(a.usd or 0) for a in self._open.values() if tasks is None or a.task in tasks)
            if is_used_up(limit, spent):
                sums = f"(${spent / MICRO:.4f} of ${limit / MICRO:.4f}, estimated)"
                raise BudgetSpent(f"{whose} is used up {sums}: {remedy}")
            assert offer is not None
            offer = offer.within(limit, spent, held, share, whose)
            if offer is None:
                return whose
        assert offer is not None
        return offer

    def _hold(
        self, server: Server, reservation: str, accounts: tuple[_Account, ...], offer: _Offer, slots: int
    ) -> _Offer | str:
        """Reserve at every account; the same amount at all of them, or nothing at any."""
        done: list[_Account] = []
        try:
            for account in accounts:
                done.append(account)
                granted = self._hold_one(server, reservation, account, offer, slots + account.others)
                if isinstance(granted, str):
                    self._give_back(server, reservation, done)
                    return granted
                offer = granted
            assert offer.amount is not None
            amount = offer.amount
            for account in done[:-1]:
                self._ledger(server, account).change(lambda sums: sums.hold(self._run_id, reservation, amount))
        except BaseException:  # a signal that ends the run comes as an exception, too
            self._give_back(server, reservation, done)
            raise
        return offer

    def _hold_one(self, server: Server, reservation: str, account: _Account, offer: _Offer, slots: int) -> _Offer | str:
        whose, granted = f"the budget of {account.scope.kind} {account.scope.name!r}", offer

        def step(sums: Sums) -> Sums:
            nonlocal granted
            if reservation in sums.held.get(self._run_id, {}):
                return sums  # the change was made, and others have gone on from it
            sums = sums.forfeit(lambda run, key: run == self._run_id and not key.startswith(f"{self._process}-"))
            best: _Offer | None = offer
            for period, limit in account.limits.items():
                reason = f"{whose} per {period}"
                best = best and best.within(limit, sums.spent[period], sums.held_in_all, slots, reason)
            if best is None or best.amount is None:
                return sums
            granted = best
            return sums.hold(self._run_id, reservation, best.amount)

        ledger = self._ledger(server, account)
        try:
            sums = ledger.change(step)
        except FullError:
            return whose
        if reservation in sums.held.get(self._run_id, {}):
            return granted
        if used_up := account.used_up(sums):
            last = self._pause(server, used_up)
            raise BudgetSpent(f"{last.sentence}: raise it with `{last.remedy}`")
        self._forfeit_ended(server, ledger, sums)
        return whose

    def _give_back(self, server: Server, reservation: str, accounts: list[_Account]) -> None:
        for account in accounts:
            self._ledger(server, account).change(lambda sums: sums.settle(self._run_id, reservation, 0))

    def _forfeit_ended(self, server: Server, ledger: Ledger, sums: Sums) -> None:
        """Count as spent what runs hold that have ended, or are gone: nobody will settle it, nor knows what it cost."""
        others = [run for run in sums.held if run != self._run_id]
        if not others:
            return
        found = server.ask("POST", "/flow_runs/filter", {"flow_runs": {"id": {"any_": others}}}, changes=False)
        alive = {run["id"] for run in found.content if run["state_type"] not in _ENDED}
        ended = set(others) - alive
        if ended:
            self._log.warning("runs %s ended without settling: what they held counts as spent", ", ".join(ended))
            ledger.change(lambda now: now.forfeit(lambda run, _: run in ended))

    def _settle(self, allowance: Allowance, counted: int) -> None:
        if not allowance.accounts:
            return
        with connected() as server:
            used_up = []
            for account in allowance.accounts:
                ledger = self._ledger(server, account)
                sums = ledger.change(lambda sums: sums.settle(self._run_id, allowance.id, counted))
                used_up += account.used_up(sums)
            if used_up:
                self._pause(server, used_up)

    def _pause(self, server: Server, used_up: list[UsedUp]) -> UsedUp:
        """Pause the job; the budget that keeps it paused for longest."""
        last = max(used_up, key=lambda u: u.until)
        try:
            if self._job_id and pause(server, self._job_id, last):
                self._log.warning("the job's schedules are paused: %s", last.sentence)
        except httpx.HTTPError as error:
            self._log.warning("the job's schedules could not be paused, so its next runs will fail: %s", error)
        return last

    def _ledger(self, server: Server, account: _Account) -> Ledger:
        return Ledger(server, account.scope, self._clock)
