"""From lines to events, from events to log lines."""

import json
from typing import Any

import pytest

from ccs.flows.claude.events import (
    ApiRetry,
    Denied,
    Event,
    Finished,
    Init,
    Noise,
    Notice,
    RateLimit,
    Said,
    ToolCall,
    ToolResult,
    events_of,
    one_line,
)
from ccs.flows.claude.narration import MAX_TEXT, narrate
from ccs.flows.claude.stream import Record


@pytest.mark.parametrize("line", [b"", b"garbage", b"[1]", b"null", b'"x"', b'{"a"', b"[" * 200_000, b"\xff\xfe"])
def test_what_is_no_object_is_no_record(line: bytes) -> None:
    assert Record.parse(line) is None


@pytest.mark.parametrize("value", ["x", True, None, [], {}, float("nan"), float("inf"), 10**400])
def test_a_field_of_another_type_is_as_missing(value: object) -> None:
    record = Record({"n": value})
    assert record.number("n") is None
    assert record.integer("n") == 0
    assert record.text("n") == ("x" if value == "x" else "")
    assert list(record.records("n")) == []
    assert record.record("n").fields == {}
    assert record.flag("n") is (value is True)


def test_cleaning_spares_the_words_of_the_protocol() -> None:
    record = Record({"subtype": "success", "error": "no success", "result": "success", "list": [{"x": "success"}]})
    cleaned = record.cleaned(lambda text: text.replace("success", "***"))
    assert cleaned is not None
    assert cleaned.fields == {"subtype": "success", "error": "no ***", "result": "***", "list": [{"x": "***"}]}


def message(kind: str, *blocks: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"type": kind, "message": {"content": list(blocks)}, **fields}


@pytest.mark.parametrize(
    ("record", "events"),
    [
        (
            {"type": "system", "subtype": "init", "session_id": "s", "model": "m", "slash_commands": ["a", 3]},
            [Init("s", "", "m", "", "", ("a",))],
        ),
        ({"type": "system", "subtype": "init"}, [Init("", "", "", "", "", None)]),
        (message("assistant", {"type": "text", "text": "hi"}), [Said("hi")]),
        (message("assistant", {"type": "text", "text": "hi"}, parent_tool_use_id="t"), [Said("hi", nested=True)]),
        (
            message("assistant", {"type": "tool_use", "name": "Bash", "input": {"command": "ls\n -l"}}),
            [ToolCall("Bash", "ls -l")],
        ),
        (message("assistant", {"type": "tool_use", "name": "X", "input": {"n": 1}}), [ToolCall("X", '{"n": 1}')]),
        (message("user", {"type": "tool_result", "content": "a\nb", "is_error": True}), [ToolResult(True, "a b")]),
        (
            message("user", {"type": "tool_result", "content": [{"type": "text", "text": "part"}]}),
            [ToolResult(False, "part")],
        ),
        (message("user", {"type": "text", "text": "the prompt"}), []),
        ({"type": "assistant", "message": "no object"}, []),
        (
            {"type": "system", "subtype": "api_retry", "attempt": 1, "max_retries": 9, "retry_delay_ms": 500},
            [ApiRetry(1, 9, 0.5, None, "")],
        ),
        (
            {"type": "system", "subtype": "permission_denied", "tool_name": "Write", "message": "no"},
            [Denied("Write", "no")],
        ),
        (
            {"type": "rate_limit_event", "rate_limit_info": {"status": "rejected", "resetsAt": 7}},
            [RateLimit("rejected", "", 7)],
        ),
        ({"type": "result", "is_error": False, "num_turns": 2, "duration_ms": 1500}, [Finished(False, 2, 0.0, 1.5)]),
        ({"type": "something_new"}, []),
        ({"type": "system", "subtype": "something_new"}, []),
        ({"type": 5}, []),
        ({}, []),
    ],
)
def test_records_become_events(record: dict[str, Any], events: list[Event]) -> None:
    parsed = Record.parse(json.dumps(record).encode())
    assert parsed is not None
    assert list(events_of(parsed)) == events


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (Init("s", "2.1", "m", "plan", "none", ()), "claude 2.1 began session s: model m, permissions plan"),
        (Said("two\nlines\0"), "two\nlines"),
        (Said("  \n"), None),
        (Said("x", nested=True), "  (sub-agent) x"),
        (ToolCall("Bash", "ls"), "→ Bash: ls"),
        (ToolCall("ListAgents", ""), "→ ListAgents"),
        (ToolResult(False, "fine"), None),
        (ToolResult(True, "no such file"), "✗ no such file"),
        (ToolResult(True, ""), "✗ the tool failed"),
        (Denied("Write", "not granted"), "denied Write: not granted"),
        (ApiRetry(2, 10, 1.25, 529, "overloaded"), "API error (529 overloaded): retry 2 of 10 in 1.2 s"),
        (ApiRetry(1, 3, 0, None, ""), "API error (no answer): retry 1 of 3 in 0.0 s"),
        (RateLimit("allowed", "five_hour", 1), None),
        (
            RateLimit("rejected", "five_hour", 1900000000),
            "over the five hour limit, which resets at 2030-03-17 17:46 UTC",
        ),
        (RateLimit("allowed_warning", "", 10**30), f"close to the usage limit, which resets at second {10**30}"),
        (Noise("what?"), "what?"),
        (Noise("oh", "stderr"), "claude's stderr: oh"),
        (Notice("the conversation was compacted"), "the conversation was compacted"),
        (Finished(False, 1, 0.25, 3.04), "finished after 1 turn, 3.0 s, $0.2500"),
        (Finished(True, 4, 0, 1), "ended with an error after 4 turns, 1.0 s, $0.0000"),
    ],
)
def test_events_are_told_in_one_line(event: Event, line: str | None) -> None:
    assert narrate(event) == line


def test_a_very_long_text_is_cut_and_says_where_all_of_it_is() -> None:
    told = narrate(Said("x" * 100_000))
    assert told is not None
    assert len(told) < MAX_TEXT + 100
    assert told.endswith("(100,000 characters in all; the transcript has them)")


@pytest.mark.parametrize(
    ("text", "line"), [("a\n\tb", "a b"), ("", ""), ("x" * 300, "x" * 9 + "…"), ("ab " * 50, "ab ab ab …")]
)
def test_one_line_is_one_short_line(text: str, line: str) -> None:
    assert one_line(text, 10) == line
