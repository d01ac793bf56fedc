"""What the stream of an attempt has established so far."""

from dataclasses import dataclass, replace

from ccs.flows.claude.events import tool_summary
from ccs.flows.claude.stream import Record
from ccs.flows.claude.usage import Usage, announced, by_model, spent_until

_NOTHING = Record({})


@dataclass(frozen=True)
class Denial:
    """A tool call that was not permitted; the summary is one line."""

    tool: str
    summary: str


class Facts:
    """Collects records; the last result counts, and only if nothing began after it."""

    def __init__(self) -> None:
        self.init: Record = _NOTHING
        self.result: Record | None = None
        self.turn_open = False  # something began after the last result
        self.api_error: Record = _NOTHING  # the line by which claude reports a failed request
        self.rejection: Record = _NOTHING  # what a rejected rate limit said
        self.refused_logins = 0  # in a row, so far; claude tries again by itself
        self.unanswered = False  # the last news is that a request got no answer and is sent again
        self.denials: dict[str, Denial] = {}
        self.lines = 0
        self.last_noise = ""
        self.spent = Usage()  # until the last result
        self._models: dict[str, None] = {}
        self._replies: set[str] = set()
        self._announced: dict[str, Record] = {}  # by the replies since the last result
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
    def replies(self) -> int:
        """How many replies of the model there were; what claude says in its place does not count."""
        return len(self._replies)

    @property
    def models(self) -> tuple[str, ...]:
        """The models that took part, in the order they appeared."""
        return tuple(self._models)

    def observe(self, record: Record) -> None:
        """Take in one record; unknown ones change nothing."""
        self.unanswered = False
        match record.text("type"), record.text("subtype"):
            case "system", "init":
                if not self.init.fields:
                    self.init = record
                self.turn_open, self.api_error = True, _NOTHING
            case "system", "api_retry":
                status = record.integer("error_status")
                refused = status in (401, 403) or record.text("error") == "authentication_failed"
                self.refused_logins = self.refused_logins + 1 if refused else 0
                self.unanswered = not status
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
                self.spent = spent_until(record, self.spent)
                self._models |= dict.fromkeys(by_model(record).fields)
                self._announced.clear()
                self.refused_logins = 0
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
        if message.text("model") == "<synthetic>":
            return
        if message.text("model"):
            self._models[message.text("model")] = None
        self.refused_logins = 0
        self._replies.add(message.text("id"))
        self._announced[message.text("id")] = message.record("usage")
        for block in message.records("content"):
            if block.text("type") == "tool_use":
                self._calls[block.text("id")] = block.text("name")

    def usage(self, *, is_partial: bool) -> Usage:
        """What this process spent: as its results say, and at least what the replies after them announced."""
        return replace(self.spent + announced(self._announced.values()), is_partial=is_partial)
