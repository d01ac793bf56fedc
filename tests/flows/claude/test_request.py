"""Going on with sessions: what the real claude makes of a request to resume or to fork."""

import json
import shutil
import uuid
from pathlib import Path
from typing import Any

import pytest

from ccs.flows.claude.events import ToolCall
from ccs.flows.claude.report import Report
from ccs.flows.spec.verdict import Reason
from tests.fakes.anthropic import FakeApi, marker
from tests.worlds.claude import Bench


def say(text: str) -> str:
    """A prompt that is answered by a text of its own."""
    return f"say {text} {marker({'text': text})}"


def resume(bench: Bench, prompt: str, session: str, place: str = "", **fields: Any) -> Report:
    return bench.run(prompt, resume=place or session, session_id=session, **fields)


def fork(bench: Bench, prompt: str, session: str, **fields: Any) -> Report:
    return bench.run(prompt, resume=session, fork=True, **fields)


def files(home: Path) -> dict[str, Path]:
    """The files of the sessions below a home, by the id of the session."""
    return {path.stem: path for path in home.glob(".claude/projects/*/*.jsonl")}


def last_request(api: FakeApi) -> dict[str, Any]:
    assert api.dump is not None
    body: dict[str, Any] = json.loads(max(api.dump.iterdir()).read_text())["body"]
    return body


def conversation(api: FakeApi) -> str:
    """What the model was told in the last request."""
    return json.dumps(last_request(api)["messages"])


def home_of_its_own(bench: Bench) -> Path:
    home = bench.folder / "elsewhere"
    home.mkdir()
    return home


def test_a_resumed_session_grows_and_knows_what_was_said(claude: Bench, fake_api: FakeApi) -> None:
    first = claude.run(say("alpha"))
    second = resume(claude, say("beta"), first.session_id)
    assert (second.verdict.reason, second.text, second.session_id) == (Reason.OK, "beta", first.session_id)
    assert "say alpha" in conversation(fake_api)
    assert list(files(claude.home)) == [first.session_id]


def test_a_fork_has_an_id_of_its_own_and_leaves_the_session_as_it_is(claude: Bench, fake_api: FakeApi) -> None:
    first = claude.run(say("alpha"))
    before = files(claude.home)[first.session_id].read_bytes()
    second = fork(claude, say("beta"), first.session_id)
    assert (second.verdict.reason, second.text) == (Reason.OK, "beta")
    assert "say alpha" in conversation(fake_api)
    assert set(files(claude.home)) == {first.session_id, second.session_id}
    assert files(claude.home)[first.session_id].read_bytes() == before


@pytest.mark.parametrize("renews", [False, True])
@pytest.mark.parametrize("forks", [False, True])
def test_a_session_keeps_the_system_prompt_it_began_with_unless_it_is_renewed_but_not_its_model(
    claude: Bench, fake_api: FakeApi, forks: bool, renews: bool
) -> None:
    first = claude.run(say("alpha"), append_system_prompt="Be FIRST.", model="haiku")
    own = str(uuid.uuid4()) if forks else first.session_id
    again: dict[str, Any] = {
        "resume": first.session_id,
        "fork": forks,
        "session_id": own,
        "append_system_prompt": "Be SECOND.",
        "renews_system_prompt": renews,
    }
    report = claude.run(say("beta"), **again)
    assert report.models == ("claude-sonnet-5-5",)
    system = json.dumps(last_request(fake_api)["system"])
    assert ("Be FIRST." in system, "Be SECOND." in system) == (not renews, renews)


def test_a_session_is_found_by_its_id_from_any_directory(claude: Bench, fake_api: FakeApi) -> None:
    first = claude.run(say("alpha"))
    other = claude.folder / "other"
    other.mkdir()
    assert resume(claude, say("beta"), first.session_id, cwd=other).verdict.ok
    assert "say alpha" in conversation(fake_api)
    assert list(files(claude.home)) == [first.session_id]  # it stays where it began


def test_a_session_goes_on_from_a_file_elsewhere_and_grows_in_that_file(claude: Bench, fake_api: FakeApi) -> None:
    first = claude.run(say("alpha"))
    home = home_of_its_own(claude)
    kept = home / "kept" / f"{first.session_id}.jsonl"
    kept.parent.mkdir()
    shutil.move(files(claude.home)[first.session_id], kept)
    size = kept.stat().st_size
    assert resume(claude, say("beta"), first.session_id, str(kept), values={"HOME": str(home)}).verdict.ok
    assert "say alpha" in conversation(fake_api)
    assert kept.stat().st_size > size
    assert files(home) == {}


def test_a_fork_of_a_file_elsewhere_lands_in_the_own_home(claude: Bench, fake_api: FakeApi) -> None:
    first = claude.run(say("alpha"))
    kept = files(claude.home)[first.session_id]
    before = kept.read_bytes()
    home = home_of_its_own(claude)
    second = fork(claude, say("beta"), str(kept), values={"HOME": str(home)})
    assert second.verdict.ok
    assert "say alpha" in conversation(fake_api)
    assert list(files(home)) == [second.session_id]
    assert kept.read_bytes() == before


@pytest.mark.parametrize("how", ["unknown", "deleted", "no such file", "empty file", "no session", "other home"])
@pytest.mark.parametrize("forks", [False, True])
def test_a_lost_session_is_told_from_every_other_failure(
    claude: Bench, how: str, forks: bool, fake_api: FakeApi
) -> None:
    session, home, place = str(uuid.uuid4()), claude.home, ""
    kept = claude.folder / f"{session}.jsonl"
    match how:
        case "deleted":
            session = claude.run(say("alpha")).session_id
            files(claude.home)[session].unlink()
        case "other home":
            session, home = claude.run(say("alpha")).session_id, home_of_its_own(claude)
        case "no such file":
            place = str(kept)
        case "empty file" | "no session":
            kept.write_text("" if how == "empty file" else 'nothing\n{"a": 1}\n')
            place = str(kept)
    before = len(fake_api.requests)
    own = str(uuid.uuid4()) if forks else session
    report = claude.run(say("beta"), resume=place or session, fork=forks, session_id=own, values={"HOME": str(home)})
    assert (report.verdict.reason, report.session_lost, report.verdict.is_transient) == (Reason.SPAWN, True, False)
    assert f"session {session} cannot be resumed" in report.verdict.detail
    assert (report.progress, report.usage.cost_usd, len(fake_api.requests)) == (0, 0, before)


def test_a_failure_while_resuming_is_no_lost_session(claude: Bench) -> None:
    first = claude.run(say("alpha"))
    report = resume(claude, "go on " + marker({"status": 500, "times": -1}), first.session_id)
    assert (report.verdict.reason, report.session_lost, report.progress) == (Reason.API_ERROR, False, 0)
    assert resume(claude, say("beta"), first.session_id).verdict.ok


def test_a_file_that_was_cut_off_still_holds_a_session(claude: Bench, fake_api: FakeApi) -> None:
    first = claude.run(say("alpha"))
    path = files(claude.home)[first.session_id]
    with path.open("ab") as file:
        file.write(b'{"type":"user","mess')
    assert resume(claude, say("beta"), first.session_id).verdict.ok
    assert "say alpha" in conversation(fake_api)


def test_a_killed_session_goes_on_after_the_last_thing_it_did(claude: Bench, fake_api: FakeApi) -> None:
    work = {"tool": "Bash", "input": {"command": "echo $((6*7))"}}
    first = claude.run_until("work " + marker(work, {"hang": "before"}), len(fake_api.requests) + 2, fake_api.requests)
    assert (first.verdict.reason, first.progress) == (Reason.TIMEOUT, 1)
    claude.events.clear()
    second = fork(claude, say("beta"), first.session_id)
    assert (second.verdict.reason, second.text, second.progress) == (Reason.OK, "beta", 1)
    assert '"42"' in conversation(fake_api)
    assert not [event for event in claude.events if isinstance(event, ToolCall)]  # the past is not told again
