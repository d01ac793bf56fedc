"""A server that fails: the documented exit codes, one clear sentence, and retries only where they are safe."""

import os
import socket
import subprocess

import pytest

from ccs.cli.client import transport
from tests.fakes.records import JOB
from tests.fakes.server import Answer, bad, drops, gives
from tests.worlds.cli import CCS, Cli

EMPTY = gives(200, {"results": [], "count": 0})


@pytest.mark.parametrize(
    ("answer", "code", "says"),
    [
        (gives(401, {"detail": "Unauthorized"}), 1, "refused the login (401: Unauthorized)"),
        (gives(403), 1, "refused the login (403)"),
        (gives(404, {"detail": "Not Found"}), 1, "there is nothing at"),
        (gives(409, {"detail": "Job is odd"}), 1, "Job is odd"),
        (gives(422, {"exception_detail": [{"loc": ["body", "limit"], "msg": "too big"}]}), 1, "limit: too big"),
        (gives(429), 2, "failed"),
        (gives(500, {"exception_message": "Internal Server Error"}), 2, "Internal Server Error"),
        (gives(500, b"<html>", "text/html"), 2, "failed: Internal Server Error (500)"),
        (gives(503), 2, "Service Unavailable"),
        (gives(200, b"<html>hello</html>", "text/html"), 2, "something else than JSON"),
        (drops, 3, "the connection broke off"),
    ],
)
def test_each_failure_has_its_exit_code_and_one_sentence(answer: Answer, code: int, says: str) -> None:
    with bad(answer) as (_, ccs):
        said = ccs("jobs", "list")
    assert said.code == code
    assert says in said.err
    assert said.out == ""
    assert "Traceback" not in said.err
    assert len(said.err.strip().splitlines()) <= 2


@pytest.mark.parametrize("trouble", [gives(503), gives(429), drops])
def test_a_question_is_asked_again_while_the_server_is_busy(trouble: Answer) -> None:
    with bad(trouble, trouble, EMPTY) as (server, ccs):
        assert ccs.ok("jobs", "list").json == {"jobs": []}
    assert len(server.asked) == 3


@pytest.mark.parametrize("trouble", [gives(500), gives(400, {"detail": "no"})])
def test_a_question_that_failed_for_good_is_asked_once(trouble: Answer) -> None:
    with bad(trouble) as (server, ccs):
        ccs("jobs", "list")
    assert len(server.asked) == 1


def test_what_would_be_done_twice_is_not_sent_twice() -> None:
    kind, schema = {"id": "1"}, {"id": "2", "block_type_id": "1"}
    missing = gives(404, {"detail": "no"})
    with bad(missing, gives(200, kind), gives(201, schema), drops) as (server, ccs):
        assert ccs("profiles", "create", "new", "--env", "A=b").code == 3
    assert server.asked.count("POST /api/block_documents/") == 1


@pytest.mark.parametrize(
    ("busy", "times"),
    [
        (gives(503, {"exception_message": "Service Unavailable"}), 2),
        (gives(429), 2),
        (gives(503, {"detail": "no upstream"}), 1),
        (gives(502), 1),
    ],
)
def test_what_a_busy_server_did_not_do_is_sent_again(busy: Answer, times: int) -> None:
    """A database that was locked did nothing; of what a proxy says nobody knows."""
    missing, kind, schema = gives(404, {"detail": "no"}), {"id": "1"}, {"id": "2", "block_type_id": "1"}
    made: dict[str, object] = {"id": "3", "name": "new", "data": {}, "updated": None}
    with bad(missing, gives(200, kind), gives(201, schema), busy, gives(201, made)) as (server, ccs):
        assert ccs("profiles", "create", "new", "--env", "A=b").code == (0 if times == 2 else 2)
    assert server.asked.count("POST /api/block_documents/") == times


def test_in_a_crowd_it_is_tried_for_longer_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "_CROWDED", (0.0,) * 6)
    locked = gives(503, {"exception_message": "Service Unavailable"})
    with bad(*[locked] * 6, EMPTY) as (server, ccs):
        assert "database is busy" in ccs.ok("jobs", "list").err
    assert len(server.asked) == 7
    with bad(locked) as (server, ccs):
        assert ccs("jobs", "list").code == 2
    assert len(server.asked) == 7


def test_a_list_takes_at_most_two_requests() -> None:
    for noun in ("jobs", "tasks", "runs", "profiles"):
        with bad(EMPTY if noun != "profiles" else gives(200, [])) as (server, ccs):
            ccs.ok(noun, "list")
            assert len(server.asked) <= 2


def test_credentials_go_with_every_request() -> None:
    with bad(EMPTY) as (server, ccs):
        ccs.ok("jobs", "list", PREFECT_API_AUTH_STRING="me:pass")
        ccs.ok("jobs", "list", PREFECT_API_KEY="key")
    assert [h["Authorization"] for h in server.headers] == ["Basic bWU6cGFzcw==", "Bearer key"]


def test_without_a_server_the_next_step_is_named() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        said = Cli({"PREFECT_API_URL": f"http://127.0.0.1:{probe.getsockname()[1]}/api"})("health")
    assert said.code == 3
    assert "ccs up -d" in said.err


def test_health_is_one_request() -> None:
    with bad(gives(200, True)) as (server, ccs):
        assert ccs.ok("health").json["healthy"] is True
    assert server.asked == ["GET /api/health"]


def test_answers_of_an_unexpected_shape_give_a_sentence() -> None:
    with bad(gives(200, {"other": 1})) as (_, ccs):
        said = ccs("jobs", "list")
    assert said.code == 2
    assert "Traceback" not in said.err
    with bad(gives(200, {"other": 1})) as (_, ccs):
        assert "Traceback" in ccs("jobs", "list", "-vv").err


def test_a_reader_that_has_enough_is_no_error() -> None:
    many = [{**JOB, "id": str(i), "name": f"job {i}", "parameter_openapi_schema": None} for i in range(2000)]
    with bad(gives(200, {"results": many, "count": 2000})) as (_, ccs):
        child = subprocess.run(
            ["bash", "-o", "pipefail", "-c", f"{CCS} jobs list --limit 2000 | head -1"],
            env={**os.environ, **ccs.env},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert (child.returncode, child.stdout, child.stderr) == (0, "{\n", "")


@pytest.mark.parametrize("body", [{}, [], "text", 7, None, {"results": 7}, {"results": [{}], "count": 1}])
@pytest.mark.parametrize(
    "command", ["jobs list", "tasks list", "runs list", "profiles list", "jobs get nightly", "status"]
)
def test_json_that_is_not_prefects_is_the_servers_fault_in_one_sentence(body: object, command: str) -> None:
    with bad(gives(200, body)) as (_, ccs):
        done = ccs(*command.split())
        assert done.code in (0, 1, 2), done.err
        assert "Traceback" not in done.err
        assert "unexpected" not in done.err
