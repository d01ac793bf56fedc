"""The files that claude keeps of sessions: found, and what they say that a session has cost."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from ccs.flows.claude.request import Request
from ccs.flows.claude.session import SessionCost, projects, session_file

ID = "0a1b2c3d-0000-4000-8000-000000000000"
OTHER = "ffffffff-0000-4000-8000-000000000000"


def note(cost: float, tokens: int) -> bytes:
    usage = {"m": {"costUSD": cost, "inputTokens": tokens, "outputTokens": 1}}
    return json.dumps({"type": "cost-state", "modelUsage": usage}).encode() + b"\n"


def kept(home: Path, session: str = ID, project: str = "-app", content: bytes = b"") -> Path:
    file = home / ".claude" / "projects" / project / f"{session}.jsonl"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return file


def request(home: Path, session: str = ID, **fields: Any) -> Request:
    given: dict[str, Any] = {"prompt": "go", "cwd": Path("/app"), "transcript": Path("t"), **fields}
    return Request(environment={"HOME": str(home)}, session_id=session, **given)


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({"HOME": "/home/a"}, "/home/a/.claude/projects"),
        ({"HOME": "/home/a", "CLAUDE_CONFIG_DIR": "/etc/claude"}, "/etc/claude/projects"),
        ({"HOME": "/home/a", "CLAUDE_CONFIG_DIR": ""}, "/home/a/.claude/projects"),
        ({}, "/.claude/projects"),
    ],
)
def test_where_sessions_are(environment: dict[str, str], folder: str) -> None:
    assert projects(environment) == Path(folder)


def test_a_session_is_found_whatever_its_directory_was_and_the_newest_counts(tmp_path: Path) -> None:
    assert session_file(ID, {"HOME": str(tmp_path)}) is None
    older, newer = kept(tmp_path, project="-app"), kept(tmp_path, project="-srv")
    kept(tmp_path, OTHER)
    os.utime(older, (1, 1))
    assert session_file(ID, {"HOME": str(tmp_path)}) == newer


def test_a_new_session_has_cost_nothing_before(tmp_path: Path) -> None:
    assert SessionCost.opened(request(tmp_path)) == SessionCost()
    assert SessionCost.opened(request(tmp_path, resume=OTHER)) == SessionCost()  # which is not here


def test_of_a_session_that_goes_on_only_what_comes_counts(tmp_path: Path) -> None:
    file = kept(tmp_path, content=note(0.25, 10) + b'{"type":"user"}\n' + note(0.5, 20))
    cost = SessionCost.opened(request(tmp_path, resume=ID))
    assert (cost.before.cost_usd, cost.size) == (0.5, file.stat().st_size)
    assert cost.spent(request(tmp_path, resume=ID)) is None  # nothing was noted since
    with file.open("ab") as more:
        more.write(note(0.75, 30))
    spent = cost.spent(request(tmp_path, resume=ID))
    assert spent is not None
    assert (spent.cost_usd, spent.input_tokens) == (0.25, 10)


def test_a_fork_takes_over_what_the_other_had_cost(tmp_path: Path) -> None:
    kept(tmp_path, OTHER, content=note(0.5, 20))
    forking = request(tmp_path, resume=OTHER, fork=True)
    cost = SessionCost.opened(forking)
    assert (cost.before.cost_usd, cost.size) == (0.5, 0)
    kept(tmp_path, content=note(0.5, 20) + note(0.6, 25))
    spent = cost.spent(forking)
    assert spent is not None
    assert spent.cost_usd == pytest.approx(0.1)


def test_a_session_may_be_named_by_the_path_of_its_file(tmp_path: Path) -> None:
    file = tmp_path / f"{ID}.jsonl"
    file.write_bytes(note(0.5, 20))
    assert SessionCost.opened(request(tmp_path, resume=str(file))).before.cost_usd == 0.5
    gone = SessionCost.opened(request(tmp_path, resume=str(tmp_path / "gone.jsonl")))
    assert gone == SessionCost()


@pytest.mark.parametrize("content", [b"", b'"cost-state"\n', b'{"type": "user", "x": "cost-state"}\n', b"\xff\n"])
def test_what_says_no_sums_says_nothing(tmp_path: Path, content: bytes) -> None:
    kept(tmp_path, content=content)
    assert SessionCost.opened(request(tmp_path, resume=ID)).before == SessionCost().before
    assert SessionCost().spent(request(tmp_path)) is None
