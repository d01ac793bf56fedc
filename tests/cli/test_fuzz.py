"""Answers and arguments that make no sense, many of them by the dice: a sentence and a documented exit code, always."""

import copy
import json
import random
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from ccs.cli.client import stopping, transport
from ccs.cli.commands import following
from tests.fakes.damage import ODD, damaged
from tests.fakes.records import ID, JOB, LOG, NODE, POOL, PROFILE, RUN, STATE, TABLE, TIME
from tests.fakes.server import Answer, bad, drops, gives
from tests.worlds.cli import Cli, Said

SHAPES: dict[str, Any] = {  # by the beginning of a path
    "POST /api/deployments/paginate": {"results": [JOB], "count": 1, "limit": 200, "pages": 1, "page": 1},
    "POST /api/deployments/": JOB,
    "GET /api/deployments/": JOB,
    "POST /api/flow_runs/paginate": {"results": [RUN], "count": 1, "limit": 200, "pages": 1, "page": 1},
    "POST /api/flow_runs/count": 1,
    "POST /api/flow_runs/filter": [RUN],
    "POST /api/flow_runs/": {"status": "ACCEPT", "state": STATE},
    "GET /api/flow_runs/": RUN,
    "POST /api/task_runs/": [RUN],
    "POST /api/artifacts/": [TABLE],
    "POST /api/logs/": [LOG],
    "POST /api/block_documents/filter": [PROFILE],
    "GET /api/block_documents/": PROFILE,
    "GET /api/block_types/slug/ccs-profile/block_documents": PROFILE,
    "GET /api/block_types/": {"id": ID, "slug": "ccs-profile"},
    "POST /api/block_": {"id": ID, "block_type_id": ID, "name": "x"},
    "POST /api/work_pools/filter": [POOL],
    "POST /api/work_pools/ccs/workers": [NODE],
    "GET /api/work_pools/": POOL,
    "POST /api/flows": {"id": ID},
    "GET /api/variables": None,
    "GET /api/admin/version": "3.8.8",
    "GET /api/health": True,
}
LINES = (
    *("jobs list --limit 1000", "jobs get nightly", "jobs tasks nightly", "jobs export nightly", "jobs stop nightly"),
    *("jobs update nightly --timeout 5m", "jobs run nightly", "jobs delete nightly --force", "jobs create --name x"),
    *(
        "jobs set-order nightly test fix",
        "tasks list",
        "tasks get nightly/fix",
        "tasks get 0a1b2c3d",
        "tasks disable fix",
    ),
    *("tasks create --job nightly --name n --prompt p", "tasks update fix --name new", "tasks run nightly/fix"),
    *("tasks delete fix --force", "runs list --job nightly --status failed", "runs get brave-cat", "runs get 0a1b2c3d"),
    *("runs logs brave-cat", "runs stop brave-cat", "runs restart brave-cat", "runs delete brave-cat --force"),
    *("runs restart brave-cat --from-failed", "profiles list", "profiles get work", "profiles get 0a1b2c3d"),
    *("profiles update work --env A=b", "profiles delete work --force", "profiles create new --env A=b"),
    *("profiles update work --name other", "nodes list", "status", "health", "state", "scheduler", "stats"),
    *(
        "explain nightly",
        "explain brave-cat",
        "open nightly",
        "debug all",
        "debug env work",
        "debug settings",
    ),
)
CODES = {0, 1, 2, 3}


@pytest.fixture(autouse=True)
def _in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "_PAUSES", (0.0,))
    monkeypatch.setattr(transport, "_CROWDED", (0.0,))
    monkeypatch.setattr(stopping, "PATIENCE", 0.0)
    monkeypatch.setattr(following, "QUIET", 0.0)


def shaped(change: Callable[[Any], Any]) -> Answer:
    """A Prefect server of one job, run and profile, whose every answer is changed before it is given."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        asked = f"{request.command} {request.path}"
        found = next((shape for start, shape in SHAPES.items() if asked.startswith(start)), None)
        if asked.startswith("GET /api/variables"):
            gives(404, {"detail": "Variable not found"})(request)
        elif asked.startswith("POST /api/variables"):
            gives(201, {"id": ID, "name": "lock", "created": TIME})(request)
        else:
            content = change(copy.deepcopy(found))
            (content if callable(content) else gives(200, content))(request)

    return answer


def sound(said: Said, codes: set[int], what: object) -> None:
    """A documented exit code, and never a traceback or an error that nobody expected."""
    assert said.code in codes, (what, said)
    assert "Traceback" not in said.err, (what, said)
    assert "ccs: unexpected" not in said.err, (what, said)
    assert said.code == 0 or said.err, (what, said)


def test_a_server_that_is_not_damaged_pleases_most_commands() -> None:
    with bad(shaped(lambda shape: shape)) as (_, ccs):
        for line in ("jobs list", "jobs get nightly", "tasks list", "runs list", "runs get brave-cat", "profiles list"):
            ccs.ok(*line.split())


@pytest.mark.parametrize("line", LINES)
def test_answers_with_damaged_values_are_shown_or_are_one_sentence(line: str) -> None:
    dice = random.Random(line)
    odd = [*ODD, "9" * 40, 1e300, -1e300, "\ud800", [[[[]]]], {"cron": "x"}, ID, TIME, "\x1b[2J"]
    with bad(shaped(lambda shape: damaged(shape, dice, odd))) as (_, ccs):
        for turn in range(10):
            sound(ccs(*line.split()), CODES, (line, turn))


WRONG: dict[str, Callable[[Any], Any]] = {
    "html": lambda _: gives(200, b"<!doctype html><p>hello", "text/html"),
    "truncated": lambda shape: gives(200, json.dumps(shape).encode()[:-3]),
    "broken off": lambda shape: gives(200, json.dumps(shape).encode(), length=10**6),
    "nothing": lambda _: gives(200),
    "no content": lambda _: gives(204),
    "deep": lambda _: gives(200, b"[" * 100_000),
    "huge number": lambda _: gives(200, b"9" * 10_000),
    "not utf-8": lambda _: gives(200, b'{"name": "\xff\xfe"}'),
    "list": lambda shape: [shape],
    "text": lambda _: "text",
    "number": lambda _: -1.5,
    "null": lambda _: gives(200, b"null"),
    "empty object": lambda _: {},
    "elsewhere": lambda _: gives(302),
    "teapot": lambda _: gives(418, {"detail": {"a": ["b"]}}),
    "dropped": lambda _: drops,
}


@pytest.mark.parametrize("kind", WRONG)
def test_answers_of_the_wrong_kind_are_one_sentence(kind: str) -> None:
    with bad(shaped(WRONG[kind])) as (_, ccs):
        for line in LINES:
            said = ccs(*line.split())
            sound(said, CODES, line)
            if kind in ("html", "truncated", "deep", "not utf-8"):
                assert said.code == 2 or line == "debug settings", (line, said)
            if kind in ("dropped", "broken off") and line != "debug settings":
                assert said.code == 3, (line, said)


@pytest.mark.parametrize(
    ("status", "code"), [(401, 1), (403, 1), (404, 1), (409, 1), (422, 1), (429, 2), (500, 2), (503, 2)]
)
def test_a_status_has_one_exit_code_whatever_the_command(status: int, code: int) -> None:
    """But where the command itself knows what it means that nothing is there."""
    with bad(gives(status, {"detail": "because"})) as (_, ccs):
        for line in LINES:
            said = ccs(*line.split())
            sound(said, CODES, line)
            if line != "debug settings":
                assert said.code == code, (line, said)


def test_a_huge_answer_is_taken() -> None:
    jobs = [{**JOB, "name": f"job {n}", "description": "x" * 20_000} for n in range(500)]
    with bad(gives(200, {"results": jobs, "count": 500})) as (_, ccs):
        assert len(ccs.ok("jobs", "list", "--limit", "500").json["jobs"]) == 500


def test_a_count_that_is_wrong_does_not_make_it_ask_forever() -> None:
    with bad(gives(200, {"results": [JOB], "count": 10**9})) as (server, ccs):
        sound(ccs("jobs", "list", "--limit", "100000"), CODES, "count")
    assert len(server.asked) == 1


PLAIN = """
jobs tasks runs profiles nodes debug run explain open state stats scheduler completion import-legacy
list get create update delete run stop enable set-order export import logs restart env log
--name --prompt --job --limit -L --status --since --output json table yaml ids --unset --retry --budget
--cron --every --timezone --timeout --gate --depends-on --profile --zai --tag --dry-run -v -vv --force
--output-schema --permissions --use-worktree --worktree-name --max-parallel --task --from-failed -h
nightly nightly/fix brave-cat work 0a1b2c3d -1 0 1e999 nan 99999999999999999999 90m * - -- = @ {} [] .
"""
ODD_WORDS = ("", " ", "\0x", "é\u202e", "\ud800", "x" * 5000, "../../etc", "'; rm -rf /", "$(x)", "%s%n", "\x1b[2J")
WORDS = (*PLAIN.split(), *ODD_WORDS)


@pytest.mark.parametrize("seed", range(8))
def test_any_words_are_a_command_or_one_sentence(seed: int, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    dice = random.Random(seed)
    starts = [line.split()[:2] for line in LINES]
    with bad(shaped(lambda shape: shape)) as (_, server):
        ccs = Cli({**server.env, "CCS_HOME": str(tmp_path), "HOME": str(tmp_path)})
        for _ in range(150):
            words = dice.choices(WORDS, k=dice.randint(0, 6))
            line = words if dice.random() < 0.3 else [*dice.choice(starts), *words]
            if {"-w", "-f", "--wait", "--follow", "watch"} & set(line) or line[:1] == ["run"]:
                continue  # they go on until something happens
            said = ccs(*line, stdin="text\n")
            assert said.code in CODES, (line, said)
            assert "ccs: unexpected" not in said.err, (line, said)
            assert "Traceback" not in said.err or any(word.startswith("-v") for word in line), (line, said)
