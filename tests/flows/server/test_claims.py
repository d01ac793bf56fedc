"""Claims on a real server: one holder at a time, renewed while it lives, taken over when it has died."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any
from uuid import uuid4

import httpx
import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from ccs.flows.server import claims
from ccs.flows.server.claims import Claim, claim
from tests.worlds.server import client, free_port


@pytest.fixture
def name(server_url: str) -> Iterator[str]:
    with temporary_settings({PREFECT_API_URL: server_url}):
        yield f"ccs_session_{uuid4().hex}"


@pytest.fixture
def http(server_url: str) -> Iterator[httpx.Client]:
    with client(server_url) as http:
        yield http


def no_warning(text: str) -> None:
    raise AssertionError(text)


def test_one_holder_at_a_time(name: str) -> None:
    first = claim(name, "node-a", no_warning)
    assert first is not None
    with first:
        assert claim(name, "node-b", no_warning) is None
        other = claim(name + "x", "node-b", no_warning)
        assert other is not None
        with other:
            pass
    again = claim(name, "node-b", no_warning)
    assert again is not None
    with again:
        pass


def test_of_many_at_once_one_gets_it(name: str) -> None:
    contexts = [copy_context() for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(lambda c: c.run(claim, name, "node", no_warning), contexts))
    held = [c for c in got if c is not None]
    assert len(held) == 1
    with held[0]:
        pass


def test_a_living_holder_renews(name: str, http: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "RENEWAL", 0.05)
    held = claim(name, "node-a", no_warning)
    assert held is not None
    with held:
        first = variable(http, name)
        while variable(http, name)["value"]["renewals"] < 2:
            pass
        assert variable(http, name)["updated"] > first["updated"]
    assert http.get(f"/variables/name/{name}").status_code == 404


def test_a_dead_holder_is_taken_over(name: str, http: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    body = {"name": name, "value": {"holder": "a node that was switched off"}}
    http.post("/variables/", json=body).raise_for_status()
    assert claim(name, "node-b", no_warning) is None
    monkeypatch.setattr(claims, "LIFETIME", -2.0)  # the Date of an answer has whole seconds
    held = claim(name, "node-b", no_warning)
    assert held is not None
    with held:
        assert variable(http, name)["value"]["holder"] == "node-b"


def test_a_lost_claim_is_said(name: str, http: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "RENEWAL", 0.05)
    said, lost = [], threading.Event()

    def warn(text: str) -> None:
        said.append(text)
        lost.set()

    held = claim(name, "node-a", warn)
    assert isinstance(held, Claim)
    with held:
        http.delete(f"/variables/name/{name}").raise_for_status()
        assert lost.wait(60)
        http.post("/variables/", json={"name": name, "value": "another's"}).raise_for_status()
    assert len(said) == 1 and "was lost" in said[0]
    assert variable(http, name)["value"] == "another's"


def test_no_server_is_an_error() -> None:
    with (
        temporary_settings({PREFECT_API_URL: f"http://127.0.0.1:{free_port()}/api"}),
        pytest.raises(httpx.HTTPError),
    ):
        claim("ccs_session_x", "node", no_warning)


def variable(http: httpx.Client, name: str) -> dict[str, Any]:
    answer = http.get(f"/variables/name/{name}")
    answer.raise_for_status()
    return dict(answer.json())
