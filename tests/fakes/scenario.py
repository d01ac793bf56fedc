"""The scenarios of the fake Messages API: what a prompt asks it to answer.

SCENARIOS
    A prompt chooses the replies it gets by carrying a marker anywhere in its text:

        do the thing [[fake: [STEP, STEP, ...]]]      or      [[fake: STEP]]

    The JSON after ``[[fake:`` is one step (object) or a list of steps.  The
    server looks at the newest user text that holds a marker (its first marker;
    tool results are not looked at), and each model request of that
    (session, marker) pair consumes one step, in order; so a retry of a failed
    request meets the next step.  When the steps run out, and for a prompt
    without a marker, the default step answers: {"text": "Hello from fake"}.
    The session is the X-Claude-Code-Session-Id header (or metadata.user_id).
    A new turn with the very same marker in the same session goes on where the
    counter stood: make it different, e.g. with "id", or POST /__fake/reset.
    With "across": NAME in the first step, the steps are counted over all
    sessions that have such a name: a second attempt meets what comes next.
    A sub-agent's prompt may hold a marker of its own (nest it: the outer JSON
    escapes it), and then has its own counter.
    For prompts that cannot be changed there are rules: a list of
    [REGEX, STEP or [STEP, ...]] pairs, searched in order in each user text
    without a marker, newest first; counted by session, rule and that text.
    Side requests of the CLI (calls that are not the main loop: no tools, other
    system prompt) get the default step and consume nothing: see is_side().
    Note for Claude Code: it answers a 400 of an unknown kind by up to five silent
    retries with fewer beta features, so write {"status": 400, "times": -1}.

STEP fields (all optional, they combine)
    times: N           this step serves N requests (-1: all the later ones)
    delay: S           sleep S seconds before the first byte of the reply
  content, sent in this order
    thinking: STR      a thinking block
    text: STR          a text block; "{{last}}" in it stands for the newest
                       tool result or user text of the request
    text_bytes: N      a text block of N ASCII bytes instead
    deltas: N          cut the text into N deltas (default: 1)
    delta_delay: S     sleep S seconds between the deltas
    tool: NAME, input: {...}         one tool_use block
    tools: [{"name":..., "input":...}, ...]   several, in the same message
    bad_tool_json: true              the last tool's input JSON is cut in half
    structured: {...}  short for tool StructuredOutput with that input
    stop_reason: STR   default: tool_use if there is a tool, else end_turn
    usage: {...}       merged in the final usage (input_tokens 100, output_tokens 20)
    headers: {...}     more response headers (e.g. anthropic-ratelimit-unified-*)
    model: STR         model named in the reply (default: the one asked for)
  failures
    status: N          reply with an API error of that HTTP status, with
        error_type: STR, message: STR    (defaults follow the status)
        body: STR                        a raw body instead of the JSON error
    sse_error: STR     200, message_start, then an SSE error event of that type
                       (e.g. overloaded_error), with message: STR
    reset: WHEN        TCP reset: "before" any byte, "headers" (after them) or
                       "mid" (after half of the content)
    eof: WHEN          the same with an orderly close
    hang: WHEN         go silent there, for hang_s seconds (default 86400)
    ping_s: S          while hanging after the headers, send an SSE ping every S
    unless_stream / only_stream: true    the failure fields apply only to
                       non-streaming / only to streaming requests
"""

import itertools
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

Json = dict[str, Any]
Step = dict[str, Any]
Rules = Sequence[Sequence[Any]]  # [REGEX, STEP or list of STEPs], as JSON has it

MARK = "[[fake:"
DEFAULT_STEP: Step = {"text": "Hello from fake"}
ERROR_TYPES = {
    400: ("invalid_request_error", "fake: invalid request"),
    401: ("authentication_error", "invalid x-api-key"),
    403: ("permission_error", "fake: not permitted"),
    404: ("not_found_error", "model: fake-not-found"),
    413: ("request_too_large", "fake: request too large"),
    429: ("rate_limit_error", "fake: rate limited"),
    500: ("api_error", "Internal server error"),
    503: ("api_error", "fake: service unavailable"),
    529: ("overloaded_error", "Overloaded"),
}
FAILURES = ("status", "sse_error", "reset", "eof", "hang")


def user_contents(messages: list[Json]) -> Iterator[str | list[Json]]:
    """What the user messages hold, newest first."""
    for message in reversed(messages):
        if message.get("role") == "user":
            yield message.get("content") or []


def user_texts(messages: list[Json]) -> Iterator[str]:
    """The texts of the user messages, newest first, without tool results."""
    for content in user_contents(messages):
        if isinstance(content, str):
            yield content
            continue
        for block in reversed(content):
            if block.get("type") == "text" and not block["text"].startswith("<system-reminder>"):
                yield block["text"]


def marker(*steps: Step) -> str:
    """The text that, put in a prompt, makes the server play these steps."""
    return f"{MARK} {json.dumps(list(steps))}]]"


def usage_limit(resets_at: int, window: str = "five_hour", **fields: Any) -> Step:
    """The step that says that a usage limit holds until then (seconds since 1970), as a subscriber is told."""
    told = {"status": "rejected", "reset": str(resets_at), "representative-claim": window}
    return {"status": 429, "headers": {f"anthropic-ratelimit-unified-{k}": v for k, v in told.items()}, **fields}


def find_scenario(messages: list[Json], rules: Rules = ()) -> tuple[str | None, list[Step]]:
    """(key, list of steps) of the newest user text that has some, or (None, [])."""
    for text in user_texts(messages):
        at = text.find(MARK)
        if at >= 0:
            rest = text[at + len(MARK) :].lstrip()
            try:
                value, end = json.JSONDecoder().raw_decode(rest)
            except ValueError as error:
                return rest[:200], [{"status": 400, "times": -1, "message": f"fake: bad marker: {error}"}]
            return rest[:end], as_list(value)
        for pattern, steps in rules:
            if re.search(pattern, text):
                return f"rule {pattern}: {text}", as_list(steps)
    return None, []


def as_list(value: Step | list[Step]) -> list[Step]:
    return value if isinstance(value, list) else [value]


def last_text(messages: list[Json]) -> str:
    """The text of the newest tool result or user text."""
    for content in user_contents(messages):
        if isinstance(content, str):
            return content
        for block in reversed(content):
            if block.get("type") == "text":
                return str(block["text"])
            if block.get("type") == "tool_result":
                inner = block.get("content")
                return inner if isinstance(inner, str) else " ".join(part.get("text", "") for part in inner or [])
    return ""


def expand(steps: list[Step]) -> Iterator[Step]:
    """Yield the steps one request at a time, honouring ``times``."""
    for step in steps:
        times = step.get("times", 1)
        yield from itertools.repeat(step) if times < 0 else itertools.repeat(step, times)


def is_side(body: Json, user_agent: str) -> bool:
    """True for a request of the CLI that is not its main loop (or a sub-agent's).

    Every main loop request names the agent in its system prompt, also under
    --system-prompt and --bare; side calls (titles, summaries...) do not.
    """
    if body.get("tools") or not user_agent.startswith("claude-cli"):
        return False
    system = body.get("system") or ""
    if not isinstance(system, str):
        system = " ".join(b.get("text", "") for b in system if isinstance(b, dict))
    return "You are Claude Code" not in system and "You are a Claude agent" not in system


def content_of(step: Step, messages: list[Json]) -> tuple[list[Json], str]:
    """The content blocks and the stop reason of a step."""
    blocks: list[Json] = []
    if "thinking" in step:
        blocks.append({"type": "thinking", "thinking": step["thinking"], "signature": "ZmFrZQ=="})
    if "text_bytes" in step:
        line = "0123456789abcdef" * 4
        count = step["text_bytes"]
        blocks.append({"type": "text", "text": (line * (count // len(line) + 1))[:count]})
    elif "text" in step:
        text = step["text"]
        if "{{last}}" in text:
            text = text.replace("{{last}}", last_text(messages))
        blocks.append({"type": "text", "text": text})
    tools = list(step.get("tools", []))
    if "tool" in step:
        tools.append({"name": step["tool"], "input": step.get("input", {})})
    if "structured" in step:
        tools.append({"name": "StructuredOutput", "input": step["structured"]})
    for tool in tools:
        blocks.append(
            {
                "type": "tool_use",
                "id": new_id("toolu"),
                "name": tool["name"],
                "input": tool.get("input", {}),
            }
        )
    if not blocks:
        blocks.append(dict(DEFAULT_STEP, type="text"))
    return blocks, str(step.get("stop_reason") or ("tool_use" if tools else "end_turn"))


def cut_text(text: str, count: int) -> list[str]:
    size = max(1, -(-len(text) // max(1, count)))
    return [text[i : i + size] for i in range(0, len(text), size)] or [""]


def deltas_of(step: Step, block: Json, last: bool) -> tuple[Json, list[Json]]:
    """A content block as it begins in a stream, and the deltas that fill it."""
    if block["type"] == "text":
        pieces = cut_text(block["text"], step.get("deltas", 1))
        return {"type": "text", "text": ""}, [{"type": "text_delta", "text": piece} for piece in pieces]
    if block["type"] == "thinking":
        thought = {"type": "thinking_delta", "thinking": block["thinking"]}
        signature = {"type": "signature_delta", "signature": block["signature"]}
        return {"type": "thinking", "thinking": "", "signature": ""}, [thought, signature]
    text = json.dumps(block["input"])
    if last and step.get("bad_tool_json"):
        text = text[: len(text) // 2]
    return {**block, "input": {}}, [{"type": "input_json_delta", "partial_json": text}]


class Plan:
    """The steps a session has still to meet, and how many it has met."""

    def __init__(self, steps: list[Step]) -> None:
        self.steps, self.served = expand(steps), 0


_ids = itertools.count(1)


def new_id(kind: str) -> str:
    """An id as the API makes them, unique in this process."""
    return f"{kind}_fake{next(_ids):08d}"
