"""What is left of an attempt when it is over."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ccs.flows.claude.facts import Denial
from ccs.flows.claude.usage import Usage
from ccs.flows.spec.verdict import Verdict


@dataclass(frozen=True, kw_only=True)
class Report:
    """The verdict on an attempt, and the figures. Every text is redacted and steers no terminal.

    `usage` is what this process spent, also when it resumed a session; when that is partial, the reply that was under
    way may have cost `unseen_usd` more, which is a guess. `progress` counts the replies of the model: at 0 nothing was
    done, and there is nothing to go on from. `session_lost` says that there was no session to resume. `output` is the
    structured output, if one was asked for and came. `duration_seconds` is wall time; `resets_at` (seconds since 1970)
    says when a usage limit ends, if the API said so, and `limits_model` that it holds for one model only; `transcript`
    and `stderr` are the files that were written, None if there was nothing to write; `survivors_killed` counts
    processes that claude had left running; `warnings` are sentences.
    """

    verdict: Verdict
    session_id: str
    claude_version: str = ""
    api_key_source: str = ""
    models: tuple[str, ...] = ()
    num_turns: int = 0
    usage: Usage = field(default_factory=Usage)
    unseen_usd: float = 0.0
    duration_seconds: float = 0.0
    text: str = ""
    output: Any = None
    progress: int = 0
    session_lost: bool = False
    denials: tuple[Denial, ...] = ()
    transcript: Path | None = None
    stderr: Path | None = None
    returncode: int | None = None
    survivors_killed: int = 0
    lines: int = 0
    resets_at: int | None = None
    limits_model: bool = False
    warnings: tuple[str, ...] = ()
