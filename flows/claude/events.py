"""What happens in an attempt, as small events for people who watch."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from ccs.flows.claude.stream import Record
from ccs.flows.claude.usage import Usage, spent_until

SUMMARY = 200
"""Characters of a tool call or tool result that an event carries."""

_TELLING = (
    "command",
    "file_path",
    "notebook_path",
    "pattern",
    "url",
    "query",
    "description",
    "skill",
    "prompt",
    "path",
)


@dataclass(frozen=True)
class Init:
    """The session has begun; nothing was sent to the model yet. `commands` is None if claude does not list them."""

    session_id: str
    version: str
    model: str
    permission_mode: str
    api_key_source: str
    commands: tuple[str, ...] | None


@dataclass(frozen=True)
class Answered:
    """The API has answered properly for the first time in this attempt; comes before what it said."""

    model: str


@dataclass(frozen=True)
class Said:
    """A text of the model."""

    text: str
    nested: bool = False


@dataclass(frozen=True)
class ToolCall:
    """The model calls a tool; the summary is one line."""

    name: str
    summary: str
    nested: bool = False


@dataclass(frozen=True)
class ToolResult:
    """A tool has answered; the summary is one line."""

    is_error: bool
    summary: str
    nested: bool = False


@dataclass(frozen=True)
class Denied:
    """A tool call was not permitted."""

    tool: str
    summary: str


@dataclass(frozen=True)
class ApiRetry:
    """A request failed, and claude tries again by itself."""

    attempt: int
    max_retries: int
    delay_seconds: float
    status: int | None
    error: str


@dataclass(frozen=True)
class RateLimit:
    """What the API says about the account's limits; `resets_at` is in seconds since 1970."""

    status: str
    window: str
    resets_at: int | None


@dataclass(frozen=True)
class Notice:
    """Something else worth a line."""

    text: str


@dataclass(frozen=True)
class Noise:
    """A line that is no JSON object, or one of the standard error output."""

    line: str
    source: Literal["stdout", "stderr"] = "stdout"


@dataclass(frozen=True)
class Finished:
    """A turn has ended with a result; the figures are of that turn."""

    is_error: bool
    num_turns: int
    cost_usd: float
    duration_seconds: float


Event = Init | Answered | Said | ToolCall | ToolResult | Denied | ApiRetry | RateLimit | Notice | Noise | Finished


def events_of(record: Record) -> Iterator[Event]:
    """The events in a record; of an unknown type, none."""
    match record.text("type"):
        case "system":
            yield from _system(record)
        case "assistant" | "user":
            yield from _message(record)
        case "rate_limit_event":
            info = record.record("rate_limit_info")
            yield RateLimit(info.text("status"), info.text("rateLimitType"), info.integer("resetsAt") or None)
        case "result":
            yield Finished(
                record.flag("is_error"),
                record.integer("num_turns"),
                spent_until(record, Usage()).cost_usd,
                (record.number("duration_ms") or 0.0) / 1000,
            )


def _system(record: Record) -> Iterator[Event]:
    match record.text("subtype"):
        case "init":
            yield Init(
                session_id=record.text("session_id"),
                version=record.text("claude_code_version"),
                model=record.text("model"),
                permission_mode=record.text("permissionMode"),
                api_key_source=record.text("apiKeySource"),
                commands=record.texts("slash_commands") if "slash_commands" in record.fields else None,
            )
        case "api_retry":
            yield ApiRetry(
                record.integer("attempt"),
                record.integer("max_retries"),
                (record.number("retry_delay_ms") or 0.0) / 1000,
                record.integer("error_status") or None,
                record.text("error"),
            )
        case "permission_denied":
            yield Denied(record.text("tool_name"), one_line(record.text("message")))
        case "model_fallback":
            yield Notice(f"model {record.text('original_model')} failed, going on with {record.text('fallback_model')}")
        case "compact_boundary":
            yield Notice("the conversation was compacted")


def _message(record: Record) -> Iterator[Event]:
    nested = bool(record.text("parent_tool_use_id"))
    for block in record.record("message").records("content"):
        match block.text("type"):
            case "text" if record.text("type") == "assistant":
                yield Said(block.text("text"), nested)
            case "tool_use":
                yield ToolCall(block.text("name"), tool_summary(block.record("input")), nested)
            case "tool_result":
                yield ToolResult(block.flag("is_error"), one_line(_result_text(block)), nested)


def tool_summary(arguments: Record) -> str:
    """The argument that tells most about a tool call, in one line."""
    for name in _TELLING:
        if arguments.text(name):
            return one_line(arguments.text(name))
    try:
        return one_line(json.dumps(arguments.fields, ensure_ascii=False)) if arguments.fields else ""
    except RecursionError:
        return "…"


def one_line(text: str, limit: int = SUMMARY) -> str:
    """The text without line breaks, cut to `limit` characters."""
    words = " ".join(text[: 4 * limit].split())
    return words if len(words) <= limit and len(text) <= 4 * limit else words[: limit - 1] + "…"


def _result_text(block: Record) -> str:
    return block.text("content") or " ".join(part.text("text") for part in block.records("content"))
