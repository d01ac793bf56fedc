"""Budgets on a real server: nobody passes them together, and a used up one pauses the job."""

import json
import math
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from ccs.flows.budgets.budget import Allowance, Budget, Stopped
from ccs.flows.budgets.offer import BudgetSpent
from ccs.flows.budgets.sums import MICRO, Period, Scope, Sums, micro
from ccs.flows.processes.stop import Stop
from tests.worlds.budget import NOON, Limits, World, a_job, a_task, a_world, no_server


@pytest.fixture
def world(server_url: str) -> Iterator[World]:
    with a_world(server_url) as world:
        yield world


@pytest.fixture
def unreachable() -> Iterator[None]:
    with no_server():
        yield


def spent(world: World, period: Period = Period.DAY) -> float:
    return world.sums().spent[period] / MICRO


# without a server


@pytest.mark.usefixtures("unreachable")
class TestBudgetsOfTheRun:
    """What lives in the process asks nobody."""

    def budget(self, spent: dict[str, float] | None = None, **job: Any) -> Budget:
        return Budget(a_job(**job), "run", "deployment", spent)

    def test_without_any_budget_there_is_no_limit_and_no_request(self) -> None:
        budget = self.budget()
        allowance = budget.reserve(a_task(), Stop(), "zai", Limits())
        assert allowance.usd is None
        budget.settle(allowance, 0.5)
        assert budget.spent_usd == 0.5

    def test_an_attempt_gets_the_least_of_what_is_left(self) -> None:
        budget = self.budget(budget_usd=3)
        task = a_task(attempt_budget_usd=1, budget_usd=1.5)
        first = budget.reserve(task, Stop())
        assert (first.usd, first.reason) == (1, "attempt_budget_usd of the task")
        budget.settle(first, 0.9)
        second = budget.reserve(task, Stop())
        assert second.usd == pytest.approx(0.6)
        assert "task 'one'" in second.reason
        assert not second.is_share
        budget.settle(second, 0.61)  # one reply may overshoot
        with pytest.raises(BudgetSpent, match=r"task 'one' is used up \(\$1.5100 of \$1.5000, estimated\)"):
            budget.reserve(task, Stop())
        last = budget.reserve(a_task("two"), Stop())
        assert last.usd == pytest.approx(1.49)

    def test_what_earlier_processes_of_the_run_spent_counts(self) -> None:
        budget = self.budget({"one": 0.7}, budget_usd=1)
        assert budget.reserve(a_task(), Stop()).usd == pytest.approx(0.3)

    def test_parallel_tasks_share_what_no_budget_of_their_own_divides(self) -> None:
        budget = self.budget(budget_usd=3, max_parallel=3)
        shares = [budget.reserve(a_task(f"t{n}"), Stop()) for n in range(3)]
        assert [share.usd for share in shares] == [1, 1, 1]
        assert all(share.is_share for share in shares)
        with pytest.raises(BudgetSpent, match="other attempts still hold all that is left of the budget of the run"):
            budget.reserve(a_task("t4"), Stop(), patience=0)
        budget.settle(shares[0], 0.25)
        again = budget.reserve(a_task("t4"), Stop())
        assert again.usd == 0.75

    def test_who_waits_goes_on_when_another_settles(self) -> None:
        budget = self.budget(budget_usd=1)
        first = budget.reserve(a_task(), Stop())
        with ThreadPoolExecutor() as pool:
            waiting = pool.submit(budget.reserve, a_task("two"), Stop())
            budget.settle(first, 0.4)
            assert waiting.result(60).usd == pytest.approx(0.6)

    def test_who_waits_stops_when_asked_to(self) -> None:
        budget, stop = self.budget(budget_usd=1), Stop()
        budget.reserve(a_task(), Stop())
        with ThreadPoolExecutor() as pool:
            waiting = pool.submit(budget.reserve, a_task("two"), stop)
            stop.request("cancelled")
            with pytest.raises(Stopped):
                waiting.result(60)

    @pytest.mark.parametrize(
        ("spent", "unseen", "counted"),
        [(0.01, 0.0, 0.01), (0.01, 0.2, 0.21), (0.01, 1.0, 0.5), (0.0, math.inf, 0.5), (0.6, 1.0, 0.6)],
    )
    def test_what_nobody_saw_counts_as_far_as_it_was_reserved(
        self, spent: float, unseen: float, counted: float
    ) -> None:
        budget = self.budget(budget_usd=1)
        budget.settle(budget.reserve(a_task(attempt_budget_usd=0.5), Stop()), spent, unseen)
        assert budget.spent_usd == counted

    def test_settling_twice_counts_once(self) -> None:
        budget = self.budget(budget_usd=1)
        allowance = budget.reserve(a_task(), Stop())
        budget.settle(allowance, 0.25)
        budget.settle(allowance, 0.25)
        assert budget.spent_usd == 0.25

    def test_what_cannot_be_checked_does_not_start(self) -> None:
        with pytest.raises(BudgetSpent, match="cannot be checked, and nothing is started unchecked"):
            self.budget(budget_usd_per_day=1).reserve(a_task(), Stop())


# on the server


def test_day_and_month_add_up_over_runs(world: World) -> None:
    first = world.budget(budget_usd_per_day=5, budget_usd_per_month=8)
    allowance = first.reserve(a_task(), Stop())
    assert allowance.usd == 5
    first.settle(allowance, 3)
    second = world.budget(budget_usd_per_day=5, budget_usd_per_month=8)
    allowance = second.reserve(a_task(), Stop())
    assert (allowance.usd, allowance.reason) == (2, "the budget of job 'nightly' per day")
    second.settle(allowance, 1)
    world.clock.now += timedelta(days=1)
    allowance = second.reserve(a_task(), Stop())
    assert (allowance.usd, allowance.reason) == (4, "the budget of job 'nightly' per month")
    second.settle(allowance, 0.5)
    assert (spent(world), spent(world, Period.MONTH)) == (0.5, 4.5)
    world.clock.now += timedelta(days=30)
    assert second.reserve(a_task(), Stop()).usd == 5


def test_a_used_up_budget_says_so_and_pauses_the_job_until_the_day_is_over(world: World) -> None:
    budget = world.budget(budget_usd_per_day=5)
    budget.settle(budget.reserve(a_task(), Stop()), 5.02)
    assert world.deployment()["paused"]  # at once, not when the next run fails
    with pytest.raises(BudgetSpent) as refused:
        budget.reserve(a_task(), Stop())
    assert str(refused.value) == (
        "the budget of $5 per day of job 'nightly' is used up ($5.02 of $5.00, estimated), until 2026-11-22 00:00 UTC: "
        "raise it with `ccs jobs update 'nightly' --budget-per-day USD`"
    )
    world.resume(NOON)
    assert world.deployment()["paused"]
    world.resume(NOON + timedelta(hours=12))
    assert not world.deployment()["paused"]
    assert not [v for v in world.variables("ccs_paused") if world.job_id.replace("-", "") in v["name"]]


def test_a_profile_is_shared_and_leaves_something_for_other_jobs(world: World) -> None:
    name, limits = f"p-{uuid4().hex[:8]}", Limits(budget_usd_per_day=4)
    one, other = world.budget(budget_usd_per_day=3), world.budget()
    first = one.reserve(a_task(), Stop(), name, limits)
    assert (first.usd, first.is_share) == (3, False)  # the job has a budget of its own, and this is all of it
    second = other.reserve(a_task(), Stop(), name, limits)
    assert (second.usd, second.is_share) == (0.5, True)
    other.settle(second, 0.25)
    one.settle(first, 2)
    sums = world.sums(Scope.of_profile(name))
    assert (sums.spent[Period.DAY], sums.held_in_all) == (micro(2.25), 0)


def test_a_refusal_by_the_profile_holds_nothing_of_the_job(world: World) -> None:
    name, limits = f"p-{uuid4().hex[:8]}", Limits(budget_usd_per_month=1)
    budget = world.budget(budget_usd_per_day=3)
    budget.settle(budget.reserve(a_task(), Stop(), name, limits), 1)
    with pytest.raises(BudgetSpent, match=rf"profile '{name}' is used up .* until 2026-12-01 00:00 UTC"):
        budget.reserve(a_task(), Stop(), name, limits)
    assert world.sums().held_in_all == 0


def test_what_a_dead_run_held_counts_as_spent(world: World) -> None:
    run = world.run()
    world.budget(run, budget_usd_per_day=5).reserve(a_task(budget_usd=2), Stop())
    alive = world.budget(budget_usd_per_day=5)
    allowance = alive.reserve(a_task(), Stop())
    assert allowance.usd == 3
    alive.settle(allowance, 3)
    with pytest.raises(BudgetSpent, match="other attempts still hold"):  # it may be at work
        alive.reserve(a_task(), Stop(), patience=0)
    world.ask("POST", f"/flow_runs/{run}/set_state", {"state": {"type": "CRASHED"}, "force": True})
    with pytest.raises(BudgetSpent, match="is used up"):
        alive.reserve(a_task(), Stop(), patience=60)
    assert spent(world) == 5


def test_a_run_that_starts_again_counts_what_its_dead_process_held(world: World) -> None:
    run = world.run()
    world.budget(run, budget_usd_per_day=5).reserve(a_task(budget_usd=2), Stop())
    assert world.budget(run, budget_usd_per_day=5).reserve(a_task(), Stop()).usd == 3
    assert spent(world) == 2


def test_sixteen_at_once_never_pass_the_limit(world: World) -> None:
    run_budgets = [world.budget(budget_usd_per_day=1, max_parallel=4) for _ in range(4)]
    granted: list[Allowance] = []
    lock = threading.Lock()

    def work(number: int) -> int:
        budget, done = run_budgets[number % 4], 0
        while True:
            try:
                allowance = budget.reserve(a_task(f"t{number}", attempt_budget_usd=0.1), Stop(), patience=120)
            except BudgetSpent:
                return done
            assert allowance.usd is not None
            with lock:
                granted.append(allowance)
            budget.settle(allowance, allowance.usd * 0.75)
            done += 1

    contexts = [copy_context() for _ in range(16)]  # they hold the server's address
    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(lambda number: contexts[number].run(work, number), range(16))) >= 10
    assert sum(a.usd or 0 for a in granted) * 0.75 == pytest.approx(spent(world), abs=1e-4)
    assert 0.99 <= spent(world) <= 1
    assert world.sums().held_in_all == 0
    assert len(world.variables(Scope.of_job("", world.job_id).tag)) == 1


SPENDER = """
import json, sys
from ccs.flows.budgets.budget import Budget
from ccs.flows.budgets.offer import BudgetSpent
from ccs.flows.processes.stop import Stop
from ccs.flows.spec.job import Job, WorkingDirectory
from ccs.flows.spec.task import Task
run, deployment = sys.argv[1:]
job = Job(name="nightly", working_directory=WorkingDirectory(path="/repo"), budget_usd_per_day=1, max_parallel=1)
budget = Budget(job, run, deployment)
try:
    while True:
        allowance = budget.reserve(Task(name="one", prompt="Work.", attempt_budget_usd=0.03), Stop(), patience=60)
        print(allowance.usd, flush=True)
        budget.settle(allowance, allowance.usd)
except BudgetSpent as spent:
    print(spent, file=sys.stderr)
"""


def test_processes_killed_in_the_middle_do_not_let_others_pass_the_limit(world: World) -> None:
    runs = [world.run() for _ in range(4)]
    children = [
        subprocess.Popen(
            [sys.executable, "-c", SPENDER, run, world.job_id],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={"PREFECT_API_URL": world.url, "PATH": "", "HOME": str(Path.home())},
        )
        for run in runs
    ]
    spent_by_all: list[float] = []
    for child, run in zip(children[:2], runs, strict=False):
        assert child.stdout
        if (
            line := child.stdout.readline()
        ):  # it has spent something; or else the others were so fast that nothing is left
            spent_by_all.append(float(line))
        child.kill()
        world.ask("POST", f"/flow_runs/{run}/set_state", {"state": {"type": "CRASHED"}, "force": True})
    for child in children:
        out, err = child.communicate(timeout=300)
        spent_by_all += [float(line) for line in out.split()]
        assert child.returncode == -9 or "is used up" in err, err
    assert sum(spent_by_all) <= 1 + 1e-9
    world.clock.now = datetime.now(UTC)
    assert 0.99 <= spent(world) <= 1


def test_more_than_fit_into_a_variable_wait_for_their_turn(world: World) -> None:
    budget = world.budget(budget_usd_per_day=100)
    fill = world.ledger(Scope.of_job("nightly", world.job_id))
    fill(lambda sums: next(s for n in range(1000) if len(json.dumps((s := many(sums, n)).dump())) > 4880))
    with pytest.raises(BudgetSpent, match="other attempts still hold"):
        budget.reserve(a_task(), Stop(), patience=0)


def many(sums: Sums, count: int) -> Sums:
    for number in range(count):
        sums = sums.hold("00000000-0000-0000-0000-000000000000", f"abcd-{number}", 1)
    return sums
