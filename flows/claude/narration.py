"""The story of an attempt: one readable log line for an event."""

from ccs.flows.claude.events import (
    Answered,
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
    one_line,
)
from ccs.flows.node.moments import at

MAX_TEXT = 8000
"""Characters of a text that go into a log line."""


def narrate(event: Event) -> str | None:
    """The log line for an event, or None when it is not worth one."""
    line = _line(event)
    return line.replace("\0", "") if line and line.strip() else None


def _line(event: Event) -> str | None:
    match event:
        case Init():
            key = "" if event.api_key_source in ("", "none") else f", key from {event.api_key_source}"
            return (
                f"claude {event.version} began session {event.session_id}: model {event.model}, "
                f"permissions {event.permission_mode}{key}"
            )
        case Answered():
            return None
        case Said():
            return _indent(event.nested) + _cut(event.text)
        case ToolCall():
            return f"{_indent(event.nested)}→ {event.name}: {event.summary}".rstrip(": ")
        case ToolResult():
            return f"{_indent(event.nested)}✗ {event.summary or 'the tool failed'}" if event.is_error else None
        case Denied():
            return f"denied {event.tool}: {event.summary}"
        case ApiRetry():
            what = " ".join(str(part) for part in (event.status, event.error) if part) or "no answer"
            return f"API error ({what}): retry {event.attempt} of {event.max_retries} in {event.delay_seconds:.1f} s"
        case RateLimit():
            return _rate_limit(event)
        case Notice():
            return event.text
        case Noise():
            return f"claude's stderr: {one_line(event.line)}" if event.source == "stderr" else one_line(event.line)
        case Finished():
            turns = "1 turn" if event.num_turns == 1 else f"{event.num_turns} turns"
            how = "ended with an error" if event.is_error else "finished"
            return f"{how} after {turns}, {event.duration_seconds:.1f} s, ${event.cost_usd:.4f}"


def _rate_limit(event: RateLimit) -> str | None:
    if event.status in ("", "allowed"):
        return None
    window = event.window.replace("_", " ") or "usage"
    reset = f", which resets at {at(event.resets_at)}" if event.resets_at else ""
    return f"{'over' if event.status == 'rejected' else 'close to'} the {window} limit{reset}"


def _indent(nested: bool) -> str:
    return "  (sub-agent) " if nested else ""


def _cut(text: str) -> str:
    if len(text) <= MAX_TEXT:
        return text
    return f"{text[:MAX_TEXT]}… ({len(text):,} characters in all; the transcript has them)"
