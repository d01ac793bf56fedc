"""Budgets on a real server: nobody passes them together, and a job of which nothing is left is paused for a while."""

import asyncio
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL, temporary_settings

from ccs.deployments.resume import Resumption
from ccs.flows.budget import Allowance, Budget, BudgetSpent, Stopped
from ccs.flows.claude.stop import Stop
from ccs.flows.ledger import Ledger, LedgerError
from ccs.flows.spec import Job, Task, WorkingDirectory
from ccs.flows.sums import MICRO, Period, Scope, Sums, UsedUp, micro

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


@dataclass
class Clock:
    """The server's clock, set by hand."""

    now: datetime = NOON

    def __call__(self, _: httpx.Response) -> datetime:
        return self.now


@dataclass(frozen=True)
class Limits:
    """The budgets of a profile."""

    budget_usd_per_day: float | None = None
    budget_usd_per_month: float | None = None


@dataclass
class World:
    """A server with a deployment, and budgets on it."""

    url: str
    job_id: str
    clock: Clock = field(default_factory=Clock)
    flow_id: str = ""

    def ask(self, method: str, path: str, body: object = None) -> Any:
        for _ in range(20):
            answer = httpx.request(method, self.url + path, json=body, timeout=60)
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:  # SQLite has other things to do
                break
            time.sleep(0.5)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def run(self, state: str = "RUNNING") -> str:
        body = {"flow_id": self.flow_id, "deployment_id": self.job_id, "state": {"type": state}}
        return str(self.ask("POST", "/flow_runs/", body)["id"])

    def budget(self, run: str = "", spent: dict[str, float] | None = None, **job: Any) -> Budget:
        return Budget(a_job(**job), run or self.run(), self.job_id, spent, clock=self.clock)

    def deployment(self) -> Any:
        return self.ask("GET", f"/deployments/{self.job_id}")

    def sums(self, scope: Scope | None = None) -> Sums:
        with get_client(sync_client=True) as client:
            return Ledger(client, scope or Scope.of_job("nightly", self.job_id), self.clock).change(lambda sums: sums)

    def variables(self, tag: str) -> list[Any]:
        found: list[Any] = self.ask("POST", "/variables/filter", {"variables": {"tags": {"all_": [tag]}}})
        return found

    def resume(self, now: datetime) -> None:
        async def go() -> None:
            async with get_client() as client:
                await Resumption().resume_due(client, now)

        asyncio.run(go())


def a_job(**fields: Any) -> Job:
    return Job(name="nightly", working_directory=WorkingDirectory(path="/repo"), **fields)


def a_task(name: str = "one", **fields: Any) -> Task:
    return Task(name=name, prompt="Work.", **fields)


@pytest.fixture
def world(server_url: str) -> Iterator[World]:
    with temporary_settings({PREFECT_API_URL: server_url}):
        world = World(server_url, "")
        world.flow_id = world.ask("POST", "/flows/", {"name": "job"})["id"]
        schedule = {"schedule": {"cron": "0 0 * * *", "timezone": "UTC"}, "active": True}
        job = a_job(budget_usd_per_day=5).model_dump(mode="json")
        body = {"name": f"nightly-{uuid4()}", "flow_id": world.flow_id, "parameters": {"job": job}}
        world.job_id = world.ask("POST", "/deployments/", {**body, "schedules": [schedule]})["id"]
        yield world
        world.ask("DELETE", f"/deployments/{world.job_id}")


def spent(world: World, period: Period = Period.DAY) -> float:
    return world.sums().spent[period] / MICRO


# without a server


@pytest.fixture
def no_server() -> Iterator[None]:
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}):
        yield


@pytest.mark.usefixtures("no_server")
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

    def test_a_partial_figure_counts_as_all_that_was_reserved(self) -> None:
        budget = self.budget(budget_usd=1)
        budget.settle(budget.reserve(a_task(attempt_budget_usd=0.5), Stop()), 0.01, is_partial=True)
        assert budget.spent_usd == 0.5

    def test_settling_twice_counts_once(self) -> None:
        budget = self.budget(budget_usd=1)
        allowance = budget.reserve(a_task(), Stop())
        budget.settle(allowance, 0.25)
        budget.settle(allowance, 0.25)
        assert budget.spent_usd == 0.25

    def test_what_cannot_be_checked_does_not_start(self) -> None:
        with pytest.raises(BudgetSpent, match="cannot be checked, and nothing is started unchecked"):
            self.budget(budget_usd_per_day=1).reserve(a_task(), Stop())


def test_sums_begin_anew_with_a_day_and_a_month_and_never_go_back() -> None:
    sums = Sums(NOON.date()).hold("run", "a", 5).settle("run", "a", 3).hold("run", "b", 4)
    tomorrow = sums.on(NOON.date() + timedelta(days=1))
    assert (tomorrow.spent, tomorrow.held_in_all) == ({Period.DAY: 0, Period.MONTH: 3}, 4)
    december = sums.on(NOON.date() + timedelta(days=10))
    assert december.spent == {Period.DAY: 0, Period.MONTH: 0}
    assert tomorrow.on(NOON.date()) is tomorrow  # a node whose clock is behind
    assert Sums.load(json.loads(json.dumps(sums.dump()))) == sums


def test_a_month_ends_with_its_last_day() -> None:
    assert Period.MONTH.end(datetime(2026, 1, 31).date()) == datetime(2026, 2, 1, tzinfo=UTC)
    assert Period.MONTH.end(datetime(2026, 12, 1).date()) == datetime(2027, 1, 1, tzinfo=UTC)
    assert Period.DAY.end(datetime(2026, 12, 31).date()) == datetime(2027, 1, 1, tzinfo=UTC)


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


def test_a_run_due_as_the_budget_returns_is_not_lost(world: World) -> None:
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    world.clock.now = today - timedelta(hours=1)
    budget = world.budget(budget_usd_per_day=5)
    budget.settle(budget.reserve(a_task(), Stop()), 5)
    world.resume(today + timedelta(seconds=45))
    where = {"deployments": {"id": {"any_": [world.job_id]}}, "flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}}}
    due = {run["expected_start_time"] for run in world.ask("POST", "/flow_runs/filter", where)}
    assert today in {datetime.fromisoformat(time) for time in due}


def test_a_pause_of_the_user_stays(world: World) -> None:
    world.ask("POST", f"/deployments/{world.job_id}/pause_deployment")
    budget = world.budget(budget_usd_per_day=5)
    budget.settle(budget.reserve(a_task(), Stop()), 5)
    world.resume(NOON + timedelta(days=2))
    assert world.deployment()["paused"]


def test_a_job_its_user_has_resumed_is_forgotten(world: World) -> None:
    budget = world.budget(budget_usd_per_day=5)
    budget.settle(budget.reserve(a_task(), Stop()), 5)
    world.ask("POST", f"/deployments/{world.job_id}/resume_deployment")
    later = datetime.now(UTC) + timedelta(minutes=5)
    world.resume(later)
    world.ask("POST", f"/deployments/{world.job_id}/pause_deployment")  # now it is the user's
    world.resume(later + timedelta(days=40))
    assert world.deployment()["paused"]


def test_a_raised_budget_resumes_the_job(world: World) -> None:
    budget = world.budget(budget_usd_per_day=5)
    budget.settle(budget.reserve(a_task(), Stop()), 5)
    job = a_job(budget_usd_per_day=10).model_dump(mode="json")
    world.ask("PATCH", f"/deployments/{world.job_id}", {"parameters": {"job": job}})
    assert world.deployment()["paused"]
    world.resume(NOON)
    assert not world.deployment()["paused"]


def test_a_node_that_cannot_look_goes_on(no_server: None) -> None:
    async def go() -> None:
        async with get_client() as client:
            resumption = Resumption()
            await resumption.attend(client)
            await resumption.attend(client)  # not yet due again

    asyncio.run(go())


def test_a_record_changed_by_hand_is_no_obstacle(world: World) -> None:
    body = {"name": f"ccs_paused_{uuid4().hex}", "value": {"kind": "job"}, "tags": ["ccs_paused"]}
    world.ask("POST", "/variables/", body)
    budget = world.budget(budget_usd_per_day=5)
    budget.settle(budget.reserve(a_task(), Stop()), 5)
    world.resume(NOON + timedelta(days=1))
    assert not world.deployment()["paused"]


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
from ccs.flows.budget import Budget, BudgetSpent
from ccs.flows.claude.stop import Stop
from ccs.flows.spec import Job, Task, WorkingDirectory
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
    for child, run in zip(children[:2], runs, strict=False):  # each has spent something when it is killed
        assert child.stdout
        spent_by_all.append(float(child.stdout.readline()))
        child.kill()
        world.ask("POST", f"/flow_runs/{run}/set_state", {"state": {"type": "CRASHED"}, "force": True})
    for child in children:
        out, err = child.communicate(timeout=300)
        spent_by_all += [float(line) for line in out.split()]
        assert child.returncode == -9 or "is used up" in err, err
    assert sum(spent_by_all) <= 1 + 1e-9
    world.clock.now = datetime.now(UTC)
    assert 0.99 <= spent(world) <= 1


# the ledger's rules


def a_ledger(world: World, scope: Scope) -> Callable[[Callable[[Sums], Sums]], Sums]:
    def change(step: Callable[[Sums], Sums]) -> Sums:
        with get_client(sync_client=True) as client:
            return Ledger(client, scope, world.clock).change(step)

    return change


def test_who_follows_a_state_that_others_have_left_behind_tries_again(world: World) -> None:
    scope = Scope.of_profile(f"p-{uuid4().hex[:8]}")
    change = a_ledger(world, scope)
    change(lambda sums: sums.hold("run", "first", 1))
    dawdled = False

    def step(sums: Sums) -> Sums:
        nonlocal dawdled
        if not dawdled:  # while this one thinks, others go on twice; then the next number is free again
            dawdled = True
            change(lambda now: now.hold("run", "second", 2))
            change(lambda now: now.hold("run", "third", 3))
        return sums.hold("run", "fourth", 4)

    assert change(step).held == {"run": {"first": 1, "second": 2, "third": 3, "fourth": 4}}
    assert change(lambda sums: sums).held_in_all == 10
    assert len(world.variables(scope.tag)) == 1


def test_what_a_killed_one_left_behind_is_cleared_away(world: World) -> None:
    scope = Scope.of_profile(f"p-{uuid4().hex[:8]}")
    change = a_ledger(world, scope)
    change(lambda sums: sums.hold("run", "first", 1))
    (state,) = world.variables(scope.tag)
    follower = Sums.load(state["value"]).hold("run", "second", 2)  # made, and then its maker died
    number = int(state["name"].rpartition("_v")[2]) + 1
    body = {"name": f"{scope.tag}_v{number:010}", "value": follower.dump(), "tags": [scope.tag]}
    world.ask("POST", "/variables/", body)
    assert change(lambda sums: sums.settle("run", "first", 1)).held == {"run": {"second": 2}}
    assert len(world.variables(scope.tag)) == 1


def test_sums_changed_by_hand_are_named(world: World) -> None:
    scope = Scope.of_profile(f"p-{uuid4().hex[:8]}")
    world.ask("POST", "/variables/", {"name": f"{scope.tag}_v0", "value": {"date": "2026-11-21"}, "tags": [scope.tag]})
    with pytest.raises(LedgerError, match=r"was changed by hand .*: delete it"):
        a_ledger(world, scope)(lambda sums: sums)


def test_more_than_fit_into_a_variable_wait_for_their_turn(world: World) -> None:
    budget = world.budget(budget_usd_per_day=100)
    fill = a_ledger(world, Scope.of_job("nightly", world.job_id))
    fill(lambda sums: next(s for n in range(1000) if len(json.dumps((s := many(sums, n)).dump())) > 4880))
    with pytest.raises(BudgetSpent, match="other attempts still hold"):
        budget.reserve(a_task(), Stop(), patience=0)


def many(sums: Sums, count: int) -> Sums:
    for number in range(count):
        sums = sums.hold("00000000-0000-0000-0000-000000000000", f"abcd-{number}", 1)
    return sums


def test_a_record_of_a_pause_survives_the_server() -> None:
    why = UsedUp("job", "nightly", Period.DAY, 5 * MICRO, micro(5.02), NOON)
    assert UsedUp.load(json.loads(json.dumps(why.dump()))) == why
    with pytest.raises(ValueError, match="no record of a paused job"):
        UsedUp.load({"kind": "job"})
