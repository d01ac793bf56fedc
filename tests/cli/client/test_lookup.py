"""What a user's word stands for, of what a server has."""

from typing import Any, cast
from uuid import UUID

import pytest

from ccs.cli.client import lookup
from ccs.cli.client.api import Api
from ccs.cli.client.records import BlockDocument, Deployment, FlowRun, Parameters, Spec
from ccs.cli.errors import NotFoundError, RequestError
from tests.fakes.records import JOB, PROFILE, RUN

ONE, TWO, THREE = (f"{digit}a1b2c3d-0000-4000-8000-000000000000" for digit in "012")


def deployment(identity: str, name: str, *tasks: Spec, **fields: str) -> Deployment:
    spec = {"name": name, "tasks": list(tasks), **fields}
    return {**JOB, "id": identity, "name": name, "parameters": {"job": spec}}


def run(identity: str, name: str, job: str | None = None) -> FlowRun:
    return {**RUN, "id": identity, "name": name, "deployment_id": job}


def profile(identity: str, name: str) -> BlockDocument:
    return {**PROFILE, "id": identity, "name": name}


JOBS = [
    deployment(ONE, "nightly", {"id": TWO, "name": "fix"}, {"id": THREE, "name": "test"}),
    deployment(TWO, "weekly", {"id": "2a1b2c3d-0000-4000-8000-000000000001", "name": "fix"}, {"name": "by hand"}),
]
RUNS = [run(ONE, "brave-cat"), run(TWO, "calm-dog"), run(THREE, "calm-dog")]


class Known:
    """A server that knows the jobs, runs and profiles above."""

    def find_job(self, identity: str) -> Deployment | None:
        return next((job for job in JOBS if job["id"] == identity), None)

    def find_run(self, identity: str) -> FlowRun | None:
        return next((run for run in RUNS if run["id"] == identity), None)

    def jobs(self, _: int, name: str | None = None) -> tuple[list[Deployment], int]:
        found = [job for job in JOBS if name in (None, job["name"])]
        return found, len(found)

    def runs(self, where: dict[str, Any], _: int) -> tuple[list[FlowRun], int]:
        names = (where.get("name") or {}).get("any_")
        found = [run for run in RUNS if names is None or run["name"] in names]
        return found, len(found)

    def profile(self, name: str) -> BlockDocument | None:
        return next((p for p in self.profiles() if p["name"] == name), None)

    def profiles(self) -> list[BlockDocument]:
        return [profile(ONE, "work"), profile(TWO, "home")]


API = cast(Api, Known())


@pytest.mark.parametrize("word", ["nightly", "job/nightly", ONE, ONE.upper(), "0a1b", "0A1B2C3D"])
def test_a_job_by_name_id_or_the_beginning_of_its_id(word: str) -> None:
    assert lookup.job(API, word)["name"] == "nightly"


@pytest.mark.parametrize("word", ["0a1", "xyz", "3a1b2c3d", "night", ""])
def test_what_stands_for_no_job(word: str) -> None:
    with pytest.raises(NotFoundError, match="there is no job"):
        lookup.job(API, word)


def test_a_word_that_is_nearly_one_is_answered_by_it() -> None:
    with pytest.raises(NotFoundError) as caught:
        lookup.job(API, "nigthly")
    assert caught.value.hint == "did you mean nightly?"
    with pytest.raises(NotFoundError) as caught:
        lookup.job(API, "qqqq")
    assert caught.value.hint == "list them with: ccs jobs list"


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("nightly/fix", ("nightly", "fix")),
        ("job/nightly/fix", ("nightly", "fix")),
        ("test", ("nightly", "test")),
        (TWO, ("nightly", "fix")),
        ("1a1b", ("nightly", "fix")),
        ("weekly/by hand", ("weekly", "by hand")),
    ],
)
def test_a_task_by_its_job_and_name_or_alone(word: str, expected: tuple[str, str]) -> None:
    job, task = lookup.task(API, word)
    assert (job["name"], task["name"]) == expected


def test_a_task_that_two_jobs_have_is_asked_for() -> None:
    with pytest.raises(RequestError, match="'fix' stands for 2 tasks: nightly/fix, weekly/fix") as caught:
        lookup.task(API, "fix")
    assert caught.value.hint == "name one of them by JOB/TASK or its whole id"
    assert lookup.task(API, "fix", "weekly")[0]["name"] == "weekly"
    with pytest.raises(RequestError, match="stands for 2 tasks"):
        lookup.task(API, "2a1b2c3d")


def test_a_task_that_is_not_there() -> None:
    with pytest.raises(NotFoundError, match="there is no task 'nightly/fxi'") as caught:
        lookup.task(API, "nightly/fxi")
    assert caught.value.hint == "did you mean nightly/fix or nightly/test?"


@pytest.mark.parametrize("word", ["brave-cat", ONE, "0a1b2c"])
def test_a_run_by_name_id_or_the_beginning_of_its_id(word: str) -> None:
    assert lookup.run(API, word)["name"] == "brave-cat"


def test_a_name_that_two_runs_have_is_asked_for() -> None:
    with pytest.raises(RequestError, match="'calm-dog' stands for 2 runs") as caught:
        lookup.run(API, "calm-dog")
    assert caught.value.hint == "name one of them by its whole id"


@pytest.mark.parametrize("word", ["work", "0a1b"])
def test_a_profile_by_name_or_the_beginning_of_its_id(word: str) -> None:
    assert lookup.profile(API, word)["name"] == "work"
    with pytest.raises(NotFoundError, match="there is no profile 'wrok'"):
        lookup.profile(API, "wrok")


def test_a_task_without_an_id_has_one_that_follows_from_its_names() -> None:
    (_, first), (_, again) = lookup.task(API, "by hand"), lookup.task(API, "weekly/by hand")
    assert first["id"] == again["id"] == str(UUID(first["id"]))


@pytest.mark.parametrize("parameters", [{}, {"job": None}, {"job": "x"}, {"job": {"tasks": "x"}}], ids=str)
def test_a_deployment_that_is_no_job_has_no_tasks(parameters: Parameters) -> None:
    broken: Deployment = {**JOB, "parameters": parameters}
    assert lookup.tasks_of(broken) == []
    assert lookup.profiles_of(broken) == set()


def test_the_profiles_of_a_job_are_its_own_and_its_tasks() -> None:
    job = deployment(ONE, "a", {"name": "x", "profile": "work"}, {"name": "y"}, profile="home")
    assert lookup.profiles_of(job) == {"work", "home"}


@pytest.mark.parametrize(("job", "name"), [(ONE, "nightly"), (THREE, None), (None, None)])
def test_the_job_of_a_run_may_be_gone(job: str | None, name: str | None) -> None:
    found = lookup.job_of(API, run(ONE, "brave-cat", job))
    assert (found and found["name"]) == name
