"""A rehearsal: what is kept instead of being sent, without secrets, and where it ends."""

from typing import Any

import pytest

from ccs.blocks.redact import MASK
from ccs.cli.client.rehearsal import Rehearsal, RehearsalOverError, masked


@pytest.fixture
def begun() -> list[str]:
    return []


@pytest.fixture
def rehearsal(begun: list[str]) -> Rehearsal:
    return Rehearsal(lambda: begun.append("begun"))


def test_requests_are_kept_in_order_and_the_first_is_told(rehearsal: Rehearsal, begun: list[str]) -> None:
    assert begun == []
    rehearsal.keep("POST", "/deployments/", {"name": "nightly"})
    rehearsal.keep("DELETE", "/deployments/1")
    assert rehearsal.requests == [
        {"method": "POST", "path": "/deployments/", "body": {"name": "nightly"}},
        {"method": "DELETE", "path": "/deployments/1"},
    ]
    assert begun == ["begun"]


def test_the_answer_is_what_was_asked_with_an_id_that_says_what_it_is(rehearsal: Rehearsal) -> None:
    first = rehearsal.keep("POST", "/a", {"name": "nightly", "tags": ["x"]})
    assert (first["name"], first["tags"], first["id"]) == ("nightly", ["x"], "<id from request 1>")
    assert rehearsal.keep("POST", "/b", ["no", "object"])["id"] == "<id from request 2>"


def test_who_reads_what_was_not_made_is_at_the_end(rehearsal: Rehearsal) -> None:
    made = rehearsal.keep("POST", "/flow_runs/", {})
    with pytest.raises(RehearsalOverError):
        rehearsal.reading("GET", f"/flow_runs/{made['id']}", None)


def test_who_reads_the_same_again_and_again_waits_for_what_was_not_done(rehearsal: Rehearsal) -> None:
    for _ in range(10):
        rehearsal.reading("GET", "/flow_runs/1", None)  # nothing was kept so far
    rehearsal.keep("POST", "/flow_runs/1/set_state", {})
    rehearsal.reading("GET", "/flow_runs/1", None)
    rehearsal.reading("GET", "/flow_runs/2", None)
    rehearsal.reading("GET", "/flow_runs/1", None)
    with pytest.raises(RehearsalOverError):
        rehearsal.reading("GET", "/flow_runs/1", None)


def test_a_request_in_between_begins_anew(rehearsal: Rehearsal) -> None:
    for _ in range(5):
        rehearsal.keep("POST", "/x", {})
        rehearsal.reading("GET", "/y", None)
        rehearsal.reading("GET", "/y", None)


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        ({"data": {"secrets": {"A": "s3cret", "B": "x"}}}, {"data": {"secrets": {"A": MASK, "B": MASK}}}),
        (
            {"variables": {"API_KEY": {"source": "static", "value": "sk-ant-1234567890"}}},
            {"variables": {"API_KEY": {"source": "static", "value": MASK}}},
        ),
        (
            {"variables": {"API_KEY": {"source": "env", "value": "HERE"}}},
            {"variables": {"API_KEY": {"source": "env", "value": "HERE"}}},
        ),
        ({"tags": ["a", 1, None]}, {"tags": ["a", 1, None]}),
        ("text", "text"),
    ],
    ids=str,
)
def test_no_secret_is_shown(body: Any, shown: Any) -> None:
    assert masked(body) == shown
