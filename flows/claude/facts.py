"""What the stream of an attempt has established so far."""

from dataclasses import dataclass

from ccs.flows.claude.events import tool_summary
from ccs.flows.claude.stream import Record

_NOTHING = Record({})


@dataclass(frozen=True)
class Denial:
    """A tool call that was not permitted; the summary is one line."""

    tool: str
    summary: str


@dataclass(frozen=True)
class Usage:
    """Cost, as claude estimates it, and tokens: "at least" these when partial, as claude ended before it summed up."""

    cost_usd: float = 0.0
    is_partial: bool = False
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_creation_tokens: int = 0


class Facts:
    """Collects records; the last result counts, and only if nothing began after it."""

    def __init__(self) -> None:
        self.init: Record = _NOTHING
        self.result: Record | None = None
        self.turn_open = False  # something began after the last result
        self.api_error: Record = _NOTHING  # the line by which claude reports a failed request
        self.rejection: Record = _NOTHING  # what a rejected rate limit said
        self.denials: dict[str, Denial] = {}
        self.lines = 0
        self.last_noise = ""
        self._models: dict[str, None] = {}
        self._usage: dict[str, Record] = {}
        self._calls: dict[str, str] = {}

    @property
    def finished(self) -> bool:
        """Whether there is a result, and nothing began after it."""
        return self.result is not None and not self.turn_open

    @property
    def running_tool(self) -> str | None:
        """The name of a tool that was called and has not answered yet."""
        return next(reversed(self._calls.values()), None)

    @property
    def models(self) -> tuple[str, ...]:
        """The models that took part, in the order they appeared."""
        usage = self.result.record("modelUsage").fields if self.result else {}
        return tuple(dict.fromkeys([*self._models, *usage]))

    def observe(self, record: Record) -> None:
        """Take in one record; unknown ones change nothing."""
        match record.text("type"), record.text("subtype"):
            case "system", "init":
                if not self.init.fields:
                    self.init = record
                self.turn_open, self.api_error = True, _NOTHING
            case "system", "permission_denied":
                key = record.text("tool_use_id") or f"line {self.lines}"
                self.denials.setdefault(key, Denial(record.text("tool_name"), record.text("message")))
            case "assistant", _:
                self._assistant(record)
            case "user", _:
                for block in record.record("message").records("content"):
                    self._calls.pop(block.text("tool_use_id"), None)
            case "rate_limit_event", _:
                info = record.record("rate_limit_info")
                if info.text("status") == "rejected":
                    self.rejection = info
            case "result", _:
                self.result, self.turn_open = record, False
                self._calls.clear()
                for denial in record.records("permission_denials"):
                    key = denial.text("tool_use_id") or f"line {self.lines} {len(self.denials)}"
                    self.denials[key] = Denial(denial.text("tool_name"), tool_summary(denial.record("tool_input")))

    def _assistant(self, record: Record) -> None:
        self.turn_open = True
        if record.flag("is_api_error_message") or record.text("error"):
            self.api_error = record
            return
        self.api_error = self.rejection = _NOTHING  # claude recovered
        message = record.record("message")
        if message.text("model") not in ("", "<synthetic>"):
            self._models[message.text("model")] = None
        self._usage[message.text("id")] = message.record("usage")
        for block in message.records("content"):
            if block.text("type") == "tool_use":
                self._calls[block.text("id")] = block.text("name")

    def usage(self, *, is_partial: bool) -> Usage:
        """Cost and tokens: those of the last result, or else at least what the replies announced."""
        if self.result is None:
            seen = list(self._usage.values())
            return Usage(
                0.0,
                is_partial,
                sum(usage.integer("input_tokens") for usage in seen),
                sum(usage.integer("output_tokens") for usage in seen),
                sum(usage.integer("cache_read_input_tokens") for usage in seen),
                sum(usage.integer("cache_creation_input_tokens") for usage in seen),
            )
        by_model = self.result.record("modelUsage")
        models = [by_model.record(name) for name in by_model.fields]
        return Usage(
            self.result.number("total_cost_usd") or 0.0,
            is_partial,
            sum(model.integer("inputTokens") for model in models),
            sum(model.integer("outputTokens") for model in models),
            sum(model.integer("cacheReadInputTokens") for model in models),
            sum(model.integer("cacheCreationInputTokens") for model in models),
        )
