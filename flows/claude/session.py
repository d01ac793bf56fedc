"""The file that `claude` keeps of a session: where it is, and what it notes there that the session has cost."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ccs.flows.claude.request import Request
from ccs.flows.claude.stream import Record
from ccs.flows.claude.usage import Usage, sum_of


def projects(environment: Mapping[str, str]) -> Path:
    """The folder below which `claude` keeps the files of sessions, with this environment."""
    return Path(environment.get("CLAUDE_CONFIG_DIR") or Path(environment.get("HOME", "/")) / ".claude") / "projects"


def session_file(session_id: str, environment: Mapping[str, str]) -> Path | None:
    """The file that `claude` has of a session, if it has one."""
    found = projects(environment).glob(f"*/{session_id}.jsonl")
    return max(found, key=lambda file: file.stat().st_mtime_ns, default=None)


@dataclass(frozen=True)
class SessionCost:
    """What a session had cost before a process went on with it, and how long its file was."""

    before: Usage = field(default_factory=Usage)
    size: int = 0

    @classmethod
    def opened(cls, request: Request) -> "SessionCost":
        """The account of a session before the request is run; nothing for a new one."""
        if not request.resume:
            return cls()
        try:
            is_path = "/" in request.resume
            file = Path(request.resume) if is_path else session_file(request.resume, request.environment)
            if file is None:
                return cls()
            return cls(_noted(file, 0) or Usage(), 0 if request.fork else file.stat().st_size)
        except OSError:
            return cls()

    def spent(self, request: Request) -> Usage | None:
        """What the process has spent on replies that were complete; None when it did not come to note it.

        `claude` does so whenever it ends by itself or by a signal it can handle, with the sums of the whole session,
        of which a fork takes over those of the other.
        """
        try:
            file = session_file(request.session_id, request.environment)
            now = _noted(file, self.size) if file else None
        except OSError:
            return None
        return now - self.before if now else None


def _noted(file: Path, start: int) -> Usage | None:
    """The sums that were noted last in a file, after its first `start` bytes."""
    last: Record | None = None
    with file.open("rb") as lines:
        lines.seek(start)
        for line in lines:
            if b'"cost-state"' in line and (found := Record.parse(line)) and found.text("type") == "cost-state":
                last = found
    return sum_of(last.record("modelUsage")) if last else None
