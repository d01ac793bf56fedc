"""The verdict: every way an attempt can end, and the one reason for it."""

import json
from pathlib import Path
from typing import Any

import pytest

from ccs.flows.claude.ending import Ending, Halt
from ccs.flows.claude.facts import Denial, Facts
from ccs.flows.claude.judgement import judge
from ccs.flows.claude.request import Request
from ccs.flows.claude.stream import Record
from ccs.flows.spec.verdict import Reason, Verdict
from tests.worlds.claude import INIT, RESULT, SAID, line

CALL = line("assistant", message={"id": "m2", "content": [{"type": "tool_use", "id": "t1", "name": "Bash"}]})
ANSWER = line("user", message={"content": [{"type": "tool_result", "tool_use_id": "t1"}]})
DENIED = {"tool_name": "Write", "tool_use_id": "t1", "tool_input": {"file_path": "/etc/x"}}
LIMIT = line(
    "rate_limit_event", rate_limit_info={"status": "rejected", "resetsAt": 1900000000, "rateLimitType": "five_hour"}
)


def failed(**fields: Any) -> dict[str, Any]:
    """What claude reports when a request failed: with the subtype success."""
    return {**RESULT, "is_error": True, "result": "API Error: something", **fields}


def error(**fields: Any) -> dict[str, Any]:
    """The line that comes before it."""
    return line("assistant", message={"model": "<synthetic>", "content": []}, is_api_error_message=True, **fields)


def facts_of(*records: object) -> Facts:
    facts = Facts()
    for value in records:
        record = Record.parse(json.dumps(value).encode())
        assert record is not None
        facts.observe(record)
    return facts


def verdict(
    *records: object, returncode: int | None = 0, halt: Halt | None = None, stderr: str = "", **fields: Any
) -> Verdict:
    given = {"prompt": "/go on", "cwd": Path("/app"), "environment": {}, "session_id": "s", "transcript": Path("t")}
    facts = facts_of(*records)
    return judge(facts, Ending(returncode, halt, facts.running_tool, stderr), Request(**{**given, **fields}))


@pytest.mark.parametrize(
    ("records", "returncode", "reason"),
    [
        ([INIT, SAID, RESULT], 0, Reason.OK),
        # failures that call themselves success
        ([INIT, failed()], 1, Reason.API_ERROR),
        ([INIT, failed()], 0, Reason.API_ERROR),
        ([INIT, failed(api_error_status=500)], 1, Reason.API_ERROR),
        ([INIT, failed(api_error_status=401)], 1, Reason.AUTH),
        ([INIT, failed(api_error_status=403)], 1, Reason.AUTH),
        ([INIT, error(error="authentication_failed"), failed()], 1, Reason.AUTH),
        ([INIT, failed(api_error_status=429)], 1, Reason.USAGE_LIMIT),
        ([INIT, failed(api_error="usage_limit_reached")], 1, Reason.USAGE_LIMIT),
        ([INIT, error(error="rate_limit"), failed()], 1, Reason.USAGE_LIMIT),
        ([INIT, LIMIT, failed()], 1, Reason.USAGE_LIMIT),
        ([INIT, LIMIT, SAID, failed(api_error_status=500)], 1, Reason.API_ERROR),
        ([INIT, SAID, LIMIT, error(error="server_error"), failed(api_error="connection_failed")], 1, Reason.API_ERROR),
        ([INIT, LIMIT, SAID, RESULT], 0, Reason.OK),
        ([INIT, error(error="billing_error"), failed(api_error_status=400)], 1, Reason.API_ERROR),
        ([INIT, error(error="rate_limit"), INIT, SAID, RESULT], 0, Reason.OK),
        # limits
        ([INIT, SAID, failed(subtype="error_max_turns")], 1, Reason.MAX_TURNS),
        ([INIT, SAID, failed(subtype="error_max_budget_usd")], 1, Reason.BUDGET),
        # interrupted
        ([INIT, failed(subtype="error_during_execution", terminal_reason="aborted_tools")], 0, Reason.KILLED),
        ([INIT, failed(subtype="error_during_execution", errors=["no such session"])], 1, Reason.API_ERROR),
        ([INIT, {**RESULT, "subtype": "error_of_tomorrow"}], 0, Reason.API_ERROR),
        # success in words only
        ([INIT, {**RESULT, "result": ""}], 0, Reason.EMPTY_RESULT),
        ([INIT, {**RESULT, "result": " \n\0"}], 0, Reason.EMPTY_RESULT),
        ([INIT, {**RESULT, "result": None}], 0, Reason.EMPTY_RESULT),
        ([INIT, {**RESULT, "num_turns": 0}], 0, Reason.EMPTY_RESULT),
        ([INIT, {**RESULT, "is_error": None, "subtype": None}], 0, Reason.API_ERROR),
        # a good result and a bad end
        ([INIT, SAID, RESULT], -9, Reason.KILLED),
        ([INIT, SAID, RESULT], 143, Reason.KILLED),
        ([INIT, SAID, RESULT], 1, Reason.KILLED),
        ([INIT, SAID, RESULT], None, Reason.KILLED),
        # no result
        ([], 0, Reason.NO_RESULT),
        ([], 1, Reason.NO_RESULT),
        ([INIT, SAID], 0, Reason.NO_RESULT),
        ([INIT, SAID], -9, Reason.KILLED),
        ([INIT, SAID], -15, Reason.KILLED),
        ([INIT, SAID], 137, Reason.KILLED),
        ([INIT, SAID], None, Reason.KILLED),
        # several results: the last one counts, and only if nothing began after it
        ([INIT, RESULT, INIT, SAID, failed()], 1, Reason.API_ERROR),
        ([INIT, failed(), INIT, SAID, RESULT], 0, Reason.OK),
        ([INIT, RESULT, INIT], 0, Reason.NO_RESULT),
        ([INIT, RESULT, SAID], 0, Reason.NO_RESULT),
        ([INIT, RESULT, SAID], -9, Reason.KILLED),
        ([INIT, SAID, RESULT, line("system", subtype="hook_response")], 0, Reason.OK),
        # texts prove nothing
        ([INIT, {**RESULT, "result": "API Error: 401 Not logged in. You've hit your usage limit"}], 0, Reason.OK),
        ([INIT, failed(result="You've hit your 5-hour limit", api_error_status=500)], 1, Reason.API_ERROR),
    ],
)
def test_the_stream_decides_first_and_the_exit_code_second(
    records: list[object], returncode: int | None, reason: Reason
) -> None:
    assert verdict(*records, returncode=returncode).reason is reason


@pytest.mark.parametrize(
    ("records", "halt", "reason"),
    [
        ([INIT], "cancelled", Reason.CANCELLED),
        ([INIT, RESULT], "cancelled", Reason.CANCELLED),
        ([], "first_output", Reason.TIMEOUT_FIRST_OUTPUT),
        ([INIT], "idle", Reason.TIMEOUT_IDLE),
        ([INIT, SAID], "own_timeout", Reason.TIMEOUT),
        ([INIT, SAID], "timeout", Reason.TIMEOUT),
        ([INIT, RESULT, INIT], "own_timeout", Reason.TIMEOUT),
        # the work was done when we stopped a process that did not want to leave
        ([INIT, RESULT], "lingering", Reason.OK),
        # a result that comes after we stopped it proves nothing
        ([INIT, RESULT], "own_timeout", Reason.TIMEOUT),
        ([INIT, RESULT], "timeout", Reason.TIMEOUT),
        ([INIT, failed(api_error_status=500)], "lingering", Reason.API_ERROR),
    ],
)
def test_what_we_stopped_is_told_by_why_we_stopped_it(records: list[object], halt: Halt, reason: Reason) -> None:
    assert verdict(*records, returncode=143, halt=halt).reason is reason


def test_a_denial_fails_the_attempt_unless_it_is_only_to_be_noted() -> None:
    result = {**RESULT, "permission_denials": [DENIED, DENIED]}
    denied = verdict(INIT, SAID, result)
    assert denied.reason is Reason.PERMISSION_DENIED
    assert "Write (/etc/x)" in denied.detail
    assert verdict(INIT, SAID, result, on_denied="warn").ok


def test_denials_are_counted_once() -> None:
    told = line("system", subtype="permission_denied", tool_name="Write", tool_use_id="t1", message="no")
    facts = facts_of(INIT, told, {**RESULT, "permission_denials": [DENIED]})
    assert list(facts.denials.values()) == [Denial("Write", "/etc/x")]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"records": [LIMIT, failed(result="You've hit your limit")]}, "resets at 2030-03-17 17:46 UTC"),
        ({"records": [failed(api_error_status=401)]}, "put a valid key or token into the task's profile"),
        ({"records": [failed(subtype="error_max_turns")], "max_turns": 3}, "the limit of 3 turns"),
        ({"records": [failed(subtype="error_max_budget_usd")], "budget_usd": 0.25}, "$0.25 was spent ($0.5000)"),
        ({"records": [], "returncode": 1, "stderr": "error: unknown option"}, "its last words: error: unknown option"),
        ({"records": [INIT, CALL], "halt": "idle"}, "while the tool Bash ran: raise idle_timeout"),
        ({"records": [INIT, CALL, ANSWER], "halt": "idle"}, "no output for 900 s: the API is silent"),
        (
            {"records": [INIT, CALL], "halt": "own_timeout", "timeout": 60},
            "not finished after 60 s while the tool Bash",
        ),
        (
            {"records": [INIT], "is_command": True, "prompt": "/rev x"},
            "no command /rev in /app; similar ones are /review",
        ),
        (
            {"records": [INIT], "is_command": True, "prompt": "/zzz"},
            "repository's own commands need trust_project",
        ),
        ({"records": [INIT], "returncode": -11}, "was killed by signal 11"),
    ],
)
def test_the_detail_says_what_happened_and_what_to_do(given: dict[str, Any], words: str) -> None:
    detail = verdict(*given.pop("records"), **given).detail
    assert words in detail
    assert "\n" not in detail


def test_what_claude_complains_of_before_it_begins_does_not_pass() -> None:
    assert not verdict(returncode=1, stderr="error: unknown option").is_transient
    assert verdict(INIT, returncode=1, stderr="error: something").is_transient


def test_without_a_result_usage_is_what_the_replies_announced() -> None:
    said = line("assistant", message={"id": "m1", "usage": {"input_tokens": 100, "output_tokens": 1}})
    other = line("assistant", message={"id": "m2", "usage": {"input_tokens": 50, "cache_read_input_tokens": 7}})
    usage = facts_of(INIT, said, said, other).usage(is_partial=True)
    assert (usage.input_tokens, usage.output_tokens, usage.cache_read_tokens, usage.is_partial) == (150, 1, 7, True)


@pytest.mark.parametrize(
    ("prompt", "reason"), [("/review x", Reason.OK), ("/rev x", Reason.SPAWN), ("/mcp__server__ask", Reason.OK)]
)
def test_a_command_that_claude_does_not_know_is_no_success_though_the_model_answered(
    prompt: str, reason: Reason
) -> None:
    assert verdict(INIT, SAID, RESULT, prompt=prompt, is_command=True).reason is reason


def test_without_a_list_of_commands_every_command_may_be_known() -> None:
    init = {name: value for name, value in INIT.items() if name != "slash_commands"}
    assert verdict(init, SAID, RESULT, prompt="/rev", is_command=True).ok


TRANSIENT = [
    ([INIT, failed(api_error_status=500)], 1),
    ([INIT, failed(api_error_status=529)], 1),
    ([INIT, failed(api_error_status=408)], 1),
    ([INIT, failed(api_error_status=429)], 1),  # too many requests, but no limit on usage
    (
        [
            INIT,
            line("rate_limit_event", rate_limit_info={"status": "rejected", "resetsAt": 9}),
            failed(api_error_status=429),
        ],
        1,
    ),
    ([INIT, error(error="server_error", api_error="connection_failed"), failed(api_error="connection_failed")], 1),
    ([INIT, error(error="unknown", api_error="stream_idle_timeout"), failed(api_error="stream_idle_timeout")], 1),
    ([INIT, error(error="server_error"), failed()], 1),  # a request timed out
    ([INIT, SAID], -9),
    ([INIT, SAID, RESULT], 137),
    ([INIT, failed(subtype="error_during_execution", terminal_reason="aborted_streaming")], 0),
    ([INIT, SAID], 0),
    ([], 1),
]
LASTING = [
    ([INIT, SAID, RESULT], 0),
    ([INIT, failed(api_error_status=400)], 1),
    ([INIT, error(error="billing_error"), failed(api_error_status=400)], 1),
    ([INIT, failed(api_error_status=400, terminal_reason="prompt_too_long")], 1),
    ([INIT, error(error="model_not_found"), failed(api_error_status=404)], 1),
    ([INIT, failed(api_error_status=413)], 1),
    ([INIT, error(error="invalid_request"), failed(stop_reason="refusal")], 1),
    ([INIT, error(error="max_output_tokens"), failed(api_error="max_output_tokens")], 1),
    ([INIT, error(error="server_error"), failed(api_error="tls_untrusted_ca")], 1),
    ([INIT, error(error="unknown"), failed()], 1),
    ([INIT, failed(api_error_status=401)], 1),
    ([INIT, failed(api_error_status=429, api_error="usage_limit_reached")], 1),
    ([INIT, LIMIT, failed(api_error_status=429)], 1),
    ([INIT, failed(subtype="error_max_turns")], 1),
    ([INIT, failed(subtype="error_max_budget_usd")], 1),
    ([INIT, failed(subtype="error_max_structured_output_retries")], 1),
    ([INIT, failed(subtype="error_of_tomorrow")], 1),
    ([INIT, {**RESULT, "result": ""}], 0),
    ([INIT, {**RESULT, "permission_denials": [DENIED]}], 0),
    ([INIT, failed(result="API Error: 529 Overloaded, try again", api_error_status=400)], 1),
]


@pytest.mark.parametrize(
    ("records", "returncode", "transient"), [(*case, True) for case in TRANSIENT] + [(*case, False) for case in LASTING]
)
def test_what_may_pass_is_transient(records: list[object], returncode: int, transient: bool) -> None:
    assert verdict(*records, returncode=returncode).is_transient is transient


@pytest.mark.parametrize(
    ("halt", "transient"),
    [
        ("idle", True),
        ("first_output", True),
        ("cancelled", False),
        ("timeout", False),
        ("own_timeout", False),
    ],
)
def test_what_we_stopped_is_transient_only_if_it_was_silent(halt: Halt, transient: bool) -> None:
    assert verdict(INIT, returncode=143, halt=halt).is_transient is transient
