"""Reservations of a run at the accounts that all runs share: held before an attempt, settled after it.

The sums of the accounts are on the server. An account of which nothing is left pauses the job.
"""

from collections.abc import Callable, Sequence
from datetime import datetime

import httpx

from ccs.flows.budgets.ledger import FullError, Ledger
from ccs.flows.budgets.offer import BudgetAccount, BudgetSpent, Offer
from ccs.flows.budgets.pause import pause
from ccs.flows.budgets.sums import Sums, UsedUp
from ccs.flows.log import Log
from ccs.flows.server.connection import connected
from ccs.flows.server.variables import Server

Clock = Callable[[], datetime]

_ENDED = frozenset({"COMPLETED", "FAILED", "CRASHED", "CANCELLED"})


class Reservations:
    """Those of one process of a run, whose names begin with `process`. Raises httpx.HTTPError and LedgerError."""

    def __init__(self, run_id: str, job_id: str, process: str, log: Log, clock: Clock | None = None) -> None:
        """Without a `clock` the time is the server's."""
        self._run_id, self._job_id, self._process = run_id, job_id, process
        self._log, self._clock = log, clock

    def hold(self, name: str, accounts: Sequence[BudgetAccount], offer: Offer, slots: int) -> Offer | str:
        """Reserve at every account; the same amount at all of them, or nothing at any.

        Gives what is left of the offer, or the words for a budget of which others hold all that is left. Raises
        BudgetSpent, too.
        """
        with connected() as server:
            done: list[BudgetAccount] = []
            try:
                for account in accounts:
                    done.append(account)
                    granted = self._hold_one(server, name, account, offer, slots)
                    if isinstance(granted, str):
                        self._give_back(server, name, done)
                        return granted
                    offer = granted
                assert offer.amount is not None
                amount = offer.amount
                for account in done[:-1]:
                    self._ledger(server, account).change(lambda sums: sums.hold(self._run_id, name, amount))
            except BaseException:  # a signal that ends the run comes as an exception, too
                self._give_back(server, name, done)
                raise
        return offer

    def settle(self, name: str, accounts: Sequence[BudgetAccount], spent: int) -> None:
        """Put what was spent (micro-dollars) in place of a reservation at every account."""
        with connected() as server:
            used_up = []
            for account in accounts:
                sums = self._ledger(server, account).change(lambda sums: sums.settle(self._run_id, name, spent))
                used_up += account.used_up(sums)
            if used_up:
                self._pause(server, used_up)

    def _hold_one(self, server: Server, name: str, account: BudgetAccount, offer: Offer, slots: int) -> Offer | str:
        granted = offer

        def step(sums: Sums) -> Sums:
            nonlocal granted
            if name in sums.held.get(self._run_id, {}):
                return sums  # the change was made, and others have gone on from it
            sums = sums.forfeit(lambda run, key: run == self._run_id and not key.startswith(f"{self._process}-"))
            best = account.within(sums, offer, slots)
            if best is None or best.amount is None:
                return sums
            granted = best
            return sums.hold(self._run_id, name, best.amount)

        ledger = self._ledger(server, account)
        try:
            sums = ledger.change(step)
        except FullError:
            return account.whose
        if name in sums.held.get(self._run_id, {}):
            return granted
        if used_up := account.used_up(sums):
            last = self._pause(server, used_up)
            raise BudgetSpent(f"{last.sentence}: raise it with `{last.remedy}`")
        self._forfeit_ended(server, ledger, sums)
        return account.whose

    def _give_back(self, server: Server, name: str, accounts: Sequence[BudgetAccount]) -> None:
        for account in accounts:
            self._ledger(server, account).change(lambda sums: sums.settle(self._run_id, name, 0))

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

    def _pause(self, server: Server, used_up: list[UsedUp]) -> UsedUp:
        """Pause the job; the budget that keeps it paused for longest."""
        last = max(used_up, key=lambda u: u.until)
        try:
            if self._job_id and pause(server, self._job_id, last):
                self._log.warning("the job's schedules are paused: %s", last.sentence)
        except httpx.HTTPError as error:
            self._log.warning("the job's schedules could not be paused, so its next runs will fail: %s", error)
        return last

    def _ledger(self, server: Server, account: BudgetAccount) -> Ledger:
        return Ledger(server, account.scope, self._clock)
