"""The records are what a Prefect server gives: each key is there, of its type, and null only where that is said."""

import time
from collections.abc import Iterator
from datetime import datetime
from types import UnionType
from typing import Any, NotRequired, Union, get_args, get_origin, get_type_hints, is_typeddict

import pytest

from ccs.cli.client import provision, records
from ccs.cli.client.api import Api
from ccs.cli.client.settings import Settings
from tests.fakes import records as made_up
from tests.worlds.cli import Cli
from tests.worlds.runs import ended, live_node


def oddities(hint: object, value: object, path: str) -> Iterator[str]:
    """What of a value is not as its type says."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin is NotRequired:
        yield from oddities(inner[0], value, path)
    elif is_typeddict(hint):
        if not isinstance(value, dict):
            yield f"{path} is no object"
            return
        yield from (f"{path}.{key} is missing" for key in hint.__required_keys__ - value.keys())  # type: ignore[attr-defined]
        for key, its in get_type_hints(hint, include_extras=True).items():
            if key in value:
                yield from oddities(its, value[key], f"{path}.{key}")
    elif origin in (Union, UnionType):
        found = [list(oddities(each, value, path)) for each in inner]
        yield from [] if not all(found) else [f"{path} is {value!r}"]
    elif origin is list and isinstance(value, list):
        for number, item in enumerate(value):
            yield from oddities(inner[0], item, f"{path}[{number}]")
    elif origin is dict and isinstance(value, dict):
        for key, item in value.items():
            yield from oddities(inner[1], item, f"{path}.{key}")
    elif hint is not Any and isinstance(kind := origin or hint, type):
        if not isinstance(value, (int, float) if kind is float else kind):
            yield f"{path} is {value!r}"
    elif hint is None and value is not None:
        yield f"{path} is not null"


@pytest.fixture(scope="module")
def given(ccs: Cli) -> list[tuple[object, object]]:
    """What the server gives of each kind."""
    api = Api(Settings(ccs.env))
    options = ("--env", "A=b", "--secret", "KEY", "--budget-per-day", "5")
    ccs.ok("profiles", "create", "recorded", *options, stdin="s3cret-text\n")
    ccs.ok("jobs", "create", "--name", "recorded", "--cron", "0 9 * * *")
    ccs.ok("tasks", "create", "--job", "recorded", "--name", "one", "--prompt", "Work.")
    ccs.ok("jobs", "run", "recorded")
    (job,), _ = api.jobs(1, name="recorded")
    runs, _ = api.runs({"deployment_id": {"any_": [job["id"]]}})
    live_node(ccs)
    ended(ccs, runs[0]["id"], "FAILED", task="one")
    log = {"name": "ccs", "level": 20, "message": "said", "timestamp": runs[0]["created"], "flow_run_id": runs[0]["id"]}
    ccs.ask("POST", "/logs/", [log])
    found: list[tuple[object, object]] = [
        (records.Deployment, job),
        *((records.FlowRun, run) for run in (*runs, api.run(runs[0]["id"]))),
        *((records.State, state) for state in api.states(runs[0]["id"])),
        *((records.Artifact, each) for each in api.tables({"like_": "ccs-%"}, datetime.fromisoformat(job["created"]))),
        (records.BlockDocument, api.profile("recorded")),
        (records.BlockSchema, provision.profile_type(api)),
        *((records.WorkPool, pool) for pool in api.pools()),
        (records.WorkQueue, api.queue("ccs", "default")),
        *((records.Worker, node) for node in api.nodes("ccs")),
        (records.Automation, api.automation(provision.lost_runs()["name"])),
    ]
    while not (lines := api.logs(runs[0]["id"], None, 0)):  # the server writes them down in batches
        time.sleep(0.1)
    api.close()
    return [*found, *((records.LogLine, line) for line in lines)]


def test_the_server_gives_records(given: list[tuple[object, object]]) -> None:
    assert len({kind for kind, _ in given}) == 11
    assert [odd for kind, record in given for odd in oddities(kind, record, getattr(kind, "__name__", ""))] == []


def test_the_records_of_tests_are_records() -> None:
    pairs = [
        (records.Deployment, made_up.JOB),
        (records.FlowRun, made_up.RUN),
        (records.BlockDocument, made_up.PROFILE),
        (records.Worker, made_up.NODE),
        (records.WorkPool, made_up.POOL),
        (records.LogLine, made_up.LOG),
        (records.Artifact, made_up.TABLE),
    ]
    assert [odd for kind, record in pairs for odd in oddities(kind, record, kind.__name__)] == []


def test_what_is_no_record_is_found() -> None:
    broken = {**made_up.NODE, "name": None, "heartbeat_interval_seconds": "30"}
    del broken["id"]
    found = set(oddities(records.Worker, broken, "node"))
    assert found == {"node.id is missing", "node.name is None", "node.heartbeat_interval_seconds is '30'"}
