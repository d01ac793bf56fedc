"""What budgets leave for an attempt: arithmetic of limits, of what was spent, and of what other attempts hold."""

from collections.abc import Mapping
from dataclasses import dataclass

from ccs.flows.budgets.sums import CENT, MICRO, Budgeted, Period, Scope, Sums, UsedUp, is_used_up, limits, micro
from ccs.flows.spec.job import Job
from ccs.flows.spec.task import Task


class BudgetSpent(Exception):  # noqa: N818  it is no error: a budget does what it is there for
    """Nothing is left to start an attempt with; the message is a sentence with what to do."""


@dataclass(frozen=True)
class Offer:
    """So much (micro-dollars; None: no end) of the budget in `reason`.

    `is_share` says that more of it may be left once others have settled.
    """

    amount: int | None = None
    reason: str = ""
    is_share: bool = False

    def within(self, limit: int, spent: int, held: int, slots: int, reason: str) -> "Offer | None":
        """This, or what another budget leaves of it; None when too little is left beside what others hold.

        Where nothing else says how much an attempt needs, it gets its share of the rest.
        """
        left, least = limit - spent - held, min(CENT, limit)
        if left < least:
            return None
        if self.amount is None:
            share = min(left, max(left // slots, least))
            return Offer(share, reason, share < left or held > 0)
        return self if self.amount <= left else Offer(left, reason, held > 0)


@dataclass(frozen=True)
class BudgetAccount:
    """A scope whose sums the server keeps, with its budgets, and how many beside this run share its rest."""

    scope: Scope
    limits: Mapping[Period, int]
    others: int

    @property
    def whose(self) -> str:
        """Its budgets in words."""
        return f"the budget of {self.scope.kind} {self.scope.name!r}"

    def within(self, sums: Sums, offer: Offer, slots: int) -> Offer | None:
        """What the sums leave of an offer; None when that is too little."""
        best: Offer | None = offer
        for period, limit in self.limits.items():
            reason = f"{self.whose} per {period}"
            best = best and best.within(limit, sums.spent[period], sums.held_in_all, slots + self.others, reason)
        return best

    def used_up(self, sums: Sums) -> list[UsedUp]:
        """Its budgets of which nothing is left."""
        return [
            UsedUp(self.scope.kind, self.scope.name, period, limit, sums.spent[period], period.end(sums.day))
            for period, limit in self.limits.items()
            if is_used_up(limit, sums.spent[period])
        ]


def accounts(job: Job, job_id: str, profile: str | None, block: Budgeted | None) -> tuple[BudgetAccount, ...]:
    """Those of a job, where it has a deployment with this id, and of the profile of an attempt."""
    found = []
    if job_id and (own := limits(job)):
        found.append(BudgetAccount(Scope.of_job(job.name, job_id), own, 0))
    if profile and block and (its := limits(block)):  # one more, for other jobs use it too
        found.append(BudgetAccount(Scope.of_profile(profile), its, 1))
    return tuple(found)


def own_offer(task: Task, job: Job, spent: Mapping[str, int], held: list[tuple[str, int]], slots: int) -> Offer | str:
    """What attempt, task and run allow, or the words for one of them of which others hold all that is left.

    `spent` and `held` are in micro-dollars, by task. Raises BudgetSpent.
    """
    offer = Offer()
    if task.attempt_budget_usd is not None:
        offer = Offer(micro(task.attempt_budget_usd), "attempt_budget_usd of the task")
    budgets = (
        (task.budget_usd, [task.name], 1, f"the budget of task {task.name!r}", "raise budget_usd of the task"),
        (job.budget_usd, None, slots, "the budget of the run", "raise budget_usd of the job"),
    )
    for usd, tasks, share, whose, remedy in budgets:
        if usd is None:
            continue
        limit = micro(usd)
        gone = sum(amount for name, amount in spent.items() if tasks is None or name in tasks)
        if is_used_up(limit, gone):
            sums = f"(${gone / MICRO:.4f} of ${limit / MICRO:.4f}, estimated)"
            raise BudgetSpent(f"{whose} is used up {sums}: {remedy}")
        reserved = sum(amount for name, amount in held if tasks is None or name in tasks)
        left = offer.within(limit, gone, reserved, share, whose)
        if left is None:
            return whose
        offer = left
    return offer
