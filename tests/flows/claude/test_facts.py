"""What the records of a stream establish, one after another."""

from typing import Any

import pytest

from ccs.flows.claude.facts import Denial, Facts
from ccs.flows.claude.stream import Record
from tests.worlds.claude import INIT, RESULT, SAID, line


def facts(*records: dict[str, Any]) -> Facts:
    found = Facts()
    for record in records:
        found.observe(Record(record))
    return found


def said(identity: str, *content: dict[str, Any], **message: Any) -> dict[str, Any]:
    return line("assistant", message={"id": identity, "model": "m", "content": list(content), **message})


def called(identity: str, name: str = "Bash") -> dict[str, Any]:
    return {"type": "tool_use", "id": identity, "name": name, "input": {}}


def answered(identity: str) -> dict[str, Any]:
    return line("user", message={"content": [{"type": "tool_result", "tool_use_id": identity}]})


def retry(**fields: Any) -> dict[str, Any]:
    return line("system", subtype="api_retry", **fields)


def test_nothing_is_established_by_nothing_or_by_what_nobody_knows() -> None:
    for found in (facts(), facts({}, {"type": "of tomorrow"}, {"type": ["result"]}, line("system", subtype="x"))):
        assert (found.finished, found.replies, found.models, found.running_tool) == (False, 0, (), None)
        assert found.usage(is_partial=True).is_partial


def test_the_first_beginning_tells_about_the_session() -> None:
    found = facts(INIT, {**INIT, "session_id": "another"})
    assert found.init.text("session_id") == "s"


@pytest.mark.parametrize(
    ("records", "finished"),
    [
        ((INIT,), False),
        ((INIT, SAID), False),
        ((INIT, SAID, RESULT), True),
        ((INIT, RESULT, INIT), False),  # a turn more has begun
        ((INIT, RESULT, SAID), False),
        ((INIT, RESULT, SAID, RESULT), True),
        ((INIT, RESULT, line("system", subtype="notice")), True),
    ],
)
def test_the_last_result_counts_and_only_if_nothing_began_after_it(
    records: tuple[dict[str, Any], ...], finished: bool
) -> None:
    assert facts(*records).finished is finished


def test_a_reply_in_pieces_is_one_and_every_model_is_named_once() -> None:
    found = facts(said("m1"), said("m1"), said("m2", model="n"), said("m3"))
    assert (found.replies, found.models) == (3, ("m", "n"))


def test_what_claude_says_in_place_of_the_model_is_no_reply() -> None:
    found = facts(said("m1", model="<synthetic>"), line("assistant", error="rate_limit", message={"id": "m2"}))
    assert (found.replies, found.models) == (0, ())


def test_a_tool_runs_until_it_has_answered() -> None:
    records = [said("m1", called("t1", "Read"), called("t2", "Bash"))]
    assert facts(*records).running_tool == "Bash"
    assert facts(*records, answered("t2")).running_tool == "Read"
    assert facts(*records, answered("t2"), answered("t1")).running_tool is None
    assert facts(*records, answered("unknown")).running_tool == "Bash"
    assert facts(*records, RESULT).running_tool is None


@pytest.mark.parametrize("sign", [{"error_status": 401}, {"error_status": 403}, {"error": "authentication_failed"}])
def test_refused_logins_are_counted_in_a_row(sign: dict[str, Any]) -> None:
    assert facts(retry(**sign), retry(**sign)).refused_logins == 2
    assert facts(retry(**sign), retry(error_status=529)).refused_logins == 0
    assert facts(retry(**sign), said("m1")).refused_logins == 0
    assert facts(retry(**sign), RESULT).refused_logins == 0


def test_a_request_without_any_answer_is_news_until_the_next() -> None:
    assert facts(retry()).unanswered
    assert not facts(retry(error_status=500)).unanswered
    assert not facts(retry(), SAID).unanswered


def test_a_failure_and_a_rejection_are_over_when_the_model_speaks() -> None:
    limit = line("rate_limit_event", rate_limit_info={"status": "rejected", "resetsAt": 7})
    failure = line("assistant", is_api_error_message=True, api_error_status=429, message={"id": "m1"})
    found = facts(limit, failure)
    assert (found.rejection.integer("resetsAt"), found.api_error.integer("api_error_status")) == (7, 429)
    found = facts(limit, failure, SAID)
    assert (found.rejection.fields, found.api_error.fields) == ({}, {})
    assert facts(line("rate_limit_event", rate_limit_info={"status": "allowed"})).rejection.fields == {}


def test_a_denial_is_one_however_often_it_is_told() -> None:
    told = line("system", subtype="permission_denied", tool_use_id="t1", tool_name="Bash", message="not allowed")
    listed = {"tool_use_id": "t1", "tool_name": "Bash", "tool_input": {"command": "rm -rf /"}}
    assert facts(told, told).denials == {"t1": Denial("Bash", "not allowed")}
    found = facts(told, {**RESULT, "permission_denials": [listed, {"tool_name": "Write", "tool_input": {}}]})
    assert [denial.tool for denial in found.denials.values()] == ["Bash", "Write"]
    assert "rm -rf /" in found.denials["t1"].summary


def test_what_was_announced_counts_until_a_result_says_it() -> None:
    usage = {"input_tokens": 10, "output_tokens": 5}
    before = facts(said("m1", usage=usage), said("m2", usage=usage)).usage(is_partial=True)
    assert (before.input_tokens, before.output_tokens, before.is_partial) == (20, 10, True)
    models = {"m": {"inputTokens": 100, "outputTokens": 7, "costUSD": 0.5}}
    after = facts(said("m1", usage=usage), {**RESULT, "modelUsage": models}).usage(is_partial=False)
    assert (after.input_tokens, after.output_tokens, after.cost_usd) == (100, 7, 0.5)
    later = facts({**RESULT, "modelUsage": models}, said("m2", usage=usage)).usage(is_partial=True)
    assert (later.input_tokens, later.cost_usd >= 0.5) == (110, True)
