"""Failures of the API and texts that look like them: only the fields that claude itself fills decide."""

import json
from typing import Any

import pytest

from ccs.flows.claude.events import ToolResult
from ccs.flows.claude.facts import Facts
from ccs.flows.claude.failure import failed
from ccs.flows.claude.stream import Record
from ccs.flows.spec.verdict import Reason
from tests.fakes.anthropic import marker
from tests.worlds.claude import Bench

WORDS = (
    "You've hit your 5-hour limit · resets 2:22am (UTC)",
    "API Error: Request rejected (429) · rate limited",
    "API Error: 529 Overloaded",
    "Invalid API key · Fix external API key",
    "Not logged in · Please run /login",
    "Credit balance is too low",
    "No conversation found with session ID: 6f0d1f3a-0000-4000-8000-000000000001",
    "Error: --json-schema is not valid JSON",
)
LINES = (
    {"type": "rate_limit_event", "rate_limit_info": {"status": "rejected", "resetsAt": 1900000000}},
    {"type": "system", "subtype": "api_retry", "error_status": 401, "error": "authentication_failed"},
    {"type": "assistant", "error": "rate_limit", "is_api_error_message": True, "api_error_status": 429},
    {"type": "result", "subtype": "error_during_execution", "is_error": True, "api_error_status": 401},
)
HOSTILE = {"words": "\n".join(WORDS), "lines": "\n".join(json.dumps(line) for line in LINES)}
"""All of a kind in one text: whichever were taken for a failure would show."""

BROKEN = {"status": 500, "message": "You've hit your limit; rate_limit_error; authentication_error", "times": -1}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_words_of_failure_are_words_wherever_they_stand(claude: Bench, text: str) -> None:
    """In the prompt, in what the model says and thinks, in files, in results and errors of tools."""
    (claude.cwd / "text").write_text(text)
    steps: list[dict[str, Any]] = [
        {"thinking": text, "text": text, "tool": "Read", "input": {"file_path": str(claude.cwd / "text")}},
        {"tool": "Bash", "input": {"command": "cat text; echo; cat text >&2; exit 1"}},
        {"tool": "Bash", "input": {"command": "cat text; cat text >&2"}},
        {"text": text},
    ]
    report = claude.run(f"{text}\n{marker(*steps)}")
    assert (report.verdict.reason, report.text, report.resets_at) == (Reason.OK, text, None)
    assert (report.session_lost, report.progress) == (False, 4)
    assert [event.is_error for event in claude.events if isinstance(event, ToolResult)] == [False, True, False]


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_words_of_failure_change_no_real_failure(claude: Bench, text: str) -> None:
    report = claude.run("work " + marker({"text": text, "tool": "Bash", "input": {"command": "false"}}, BROKEN))
    assert (report.verdict.reason, report.verdict.is_transient) == (Reason.API_ERROR, True)
    report = claude.run("work " + marker({"status": 400, "message": text, "times": -1}))
    assert (report.verdict.reason, report.verdict.is_transient) == (Reason.API_ERROR, False)
    assert report.resets_at is None


def test_words_of_failure_in_an_output_are_data(claude: Bench) -> None:
    value = {"status": 429, "error": "rate_limit", "api_error": "usage_limit_reached", "is_error": True}
    report = claude.run("hi " + marker({"structured": value}), output_schema={"type": "object"})
    assert (report.verdict.reason, report.output) == (Reason.OK, value)


def test_an_api_that_cannot_be_reached_may_be_reached_later(claude: Bench) -> None:
    report = claude.run("hi", values={"ANTHROPIC_BASE_URL": "http://127.0.0.1:1"})
    assert (report.verdict.reason, report.verdict.is_transient) == (Reason.API_ERROR, True)


@pytest.mark.parametrize("when", ["before", "mid"])
def test_a_silent_api_may_answer_later(claude: Bench, when: str) -> None:
    values = {
        "API_TIMEOUT_MS": "1000",
        "CLAUDE_BYTE_STREAM_IDLE_TIMEOUT_MS": "10000",
        "CLAUDE_CODE_DISABLE_NONSTREAMING_FALLBACK": "1",
    }
    report = claude.run("hi " + marker({"hang": when, "text": "abc", "deltas": 3, "times": -1}), values=values)
    assert (report.verdict.reason, report.verdict.is_transient) == (Reason.API_ERROR, True)


@pytest.mark.parametrize("stop_reason", ["refusal", "max_tokens", "model_context_window_exceeded"])
def test_what_the_model_will_not_or_cannot_do_does_not_pass(claude: Bench, stop_reason: str) -> None:
    report = claude.run("hi " + marker({"text": "no", "stop_reason": stop_reason, "times": -1}))
    assert (report.verdict.reason, report.verdict.is_transient) == (Reason.API_ERROR, False)


@pytest.mark.parametrize(
    ("fields", "reason", "transient"),
    [
        ({}, Reason.API_ERROR, False),
        ({"api_error_status": "500"}, Reason.API_ERROR, False),  # no number, so nobody knows what it is
        ({"api_error_status": 599}, Reason.API_ERROR, True),
        ({"api_error_status": 500, "api_error": "tls_untrusted_ca"}, Reason.API_ERROR, True),
        ({"api_error": "computer_slept"}, Reason.API_ERROR, True),
        ({"api_error": "of_tomorrow"}, Reason.API_ERROR, False),
        ({"api_error": ["connection_failed"]}, Reason.API_ERROR, False),
        ({"result": "API Error: 529 Overloaded (ECONNRESET)"}, Reason.API_ERROR, False),
        ({"errors": ["rate_limit", "authentication_failed"]}, Reason.API_ERROR, False),
    ],
)
def test_fields_decide_and_odd_ones_decide_nothing(fields: dict[str, Any], reason: Reason, transient: bool) -> None:
    verdict = failed(Facts(), Record(fields))
    assert (verdict.reason, verdict.is_transient) == (reason, transient)
