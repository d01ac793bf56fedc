"""Variables on a real server: created once, deleted once, and one is taken by one at a time."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from ccs.cli.client.api import Api
from ccs.cli.client.settings import Settings
from ccs.flows.server.connection import BriefConnection, connected
from ccs.flows.server.variables import Server, ServerVariable, Variables


@pytest.fixture(autouse=True)
def _settings(server_url: str) -> Iterator[None]:
    with temporary_settings({PREFECT_API_URL: server_url}):
        yield


@pytest.fixture(params=["prefect", "brief", "command line"])
def server(request: pytest.FixtureRequest, server_url: str) -> Iterator[Server]:
    with connected() as connection:
        api = Api(Settings({"PREFECT_API_URL": server_url}))
        servers: dict[str, Server] = {"prefect": connection, "brief": BriefConnection(), "command line": api}
        yield servers[request.param]
        api.close()


@pytest.fixture
def variables(server: Server) -> Variables:
    return Variables(server)


@pytest.fixture
def name() -> str:
    return f"ccs_test_{uuid4().hex}"


def test_a_variable_is_created_once_and_deleted_once(variables: Variables, name: str) -> None:
    assert variables.read(name) is None
    identity = variables.create(name, {"a": 1})
    assert identity
    assert variables.create(name, {"a": 2}) is None
    assert variables.update(identity, {"a": 3})
    found = variables.read(name)
    assert found is not None
    assert (found.id, found.name, found.value, found.fields) == (identity, name, {"a": 3}, {"a": 3})
    assert variables.delete(identity)
    assert not variables.delete(identity)
    assert not variables.update(identity, {"a": 4})


def test_a_value_of_any_kind_is_read(variables: Variables, name: str) -> None:
    identity = variables.create(name, "text")
    found = variables.read(name)
    assert found is not None
    assert (found.value, found.fields) == ("text", {})
    assert identity
    variables.delete(identity)


def test_they_are_found_by_the_beginning_of_the_name_and_by_tag(variables: Variables, name: str) -> None:
    made = [variables.create(f"{name}_{letter}", {}, name) for letter in "ab"]
    other = variables.create(f"x_{name}", {})
    assert [v.name for v in variables.beginning(name)] == [f"{name}_b", f"{name}_a"]
    assert [v.name for v in variables.tagged(name)] == [f"{name}_b", f"{name}_a"]
    assert [v.name for v in variables.tagged(name, 1)] == [f"{name}_b"]
    assert all(variables.delete(str(identity)) for identity in (*made, other))


def test_the_servers_time_is_known_after_an_answer(variables: Variables, server: Server, name: str) -> None:
    variables.read(name)
    assert abs((datetime.now(UTC) - server.server_time).total_seconds()) < 60


def test_of_many_who_take_it_from_a_dead_one_one_has_it(name: str) -> None:
    variables = Variables(BriefConnection())
    dead = variables.create(name, "dead")
    broken: list[str] = []

    def take(number: int) -> str | ServerVariable:
        return variables.take(name, number, lambda v: v.value == "dead", lambda v: broken.append(v.id))

    with ThreadPoolExecutor(6) as threads:
        taken = [f.result() for f in [threads.submit(copy_context().run, take, n) for n in range(6)]]
    mine = [got for got in taken if isinstance(got, str)]
    assert len(mine) == 1
    assert {got.id for got in taken if isinstance(got, ServerVariable)} == set(mine)
    assert broken == [dead]
    variables.delete(mine[0])
