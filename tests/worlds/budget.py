"""A server with a job on it whose budgets are tested, and a clock set by hand."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL, temporary_settings

from ccs.deployments.node.resumption import Resumption
from ccs.flows.budgets.budget import Budget
from ccs.flows.budgets.ledger import Ledger
from ccs.flows.budgets.sums import Scope, Sums
from ccs.flows.server.connection import connected
from ccs.flows.spec.job import Job, WorkingDirectory
from ccs.flows.spec.task import Task
from tests.worlds.server import client

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


@dataclass
class Clock:
    """The server's clock, set by hand."""

    now: datetime = NOON

    def __call__(self) -> datetime:
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
        with client(self.url) as api:
            answer = api.request(method, path, json=body).raise_for_status()
        return answer.json() if answer.content else None

    def run(self, state: str = "RUNNING") -> str:
        body = {"flow_id": self.flow_id, "deployment_id": self.job_id, "state": {"type": state}}
        return str(self.ask("POST", "/flow_runs/", body)["id"])

    def budget(self, run: str = "", spent: dict[str, float] | None = None, **job: Any) -> Budget:
        return Budget(a_job(**job), run or self.run(), self.job_id, spent, clock=self.clock)

    def deployment(self) -> Any:
        return self.ask("GET", f"/deployments/{self.job_id}")

    def ledger(self, scope: Scope) -> Callable[[Callable[[Sums], Sums]], Sums]:
        """What changes the sums of a scope."""

        def change(step: Callable[[Sums], Sums]) -> Sums:
            with connected() as server:
                return Ledger(server, scope, self.clock).change(step)

        return change

    def sums(self, scope: Scope | None = None) -> Sums:
        return self.ledger(scope or Scope.of_job("nightly", self.job_id))(lambda sums: sums)

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


@contextmanager
def a_world(url: str) -> Iterator[World]:
    """A job of its own on the server at this address, which is Prefect's meanwhile."""
    with temporary_settings({PREFECT_API_URL: url}):
        world = World(url, "")
        world.flow_id = world.ask("POST", "/flows/", {"name": "job"})["id"]
        schedule = {"schedule": {"cron": "0 0 * * *", "timezone": "UTC"}, "active": True}
        job = a_job(budget_usd_per_day=5).model_dump(mode="json")
        body = {"name": f"nightly-{uuid4()}", "flow_id": world.flow_id, "parameters": {"job": job}}
        world.job_id = world.ask("POST", "/deployments/", {**body, "schedules": [schedule]})["id"]
        yield world
        world.ask("DELETE", f"/deployments/{world.job_id}")


@contextmanager
def no_server() -> Iterator[None]:
    """Prefect's address is one at which nobody answers."""
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}):
        yield
