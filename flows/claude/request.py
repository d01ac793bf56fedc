"""What one attempt is asked to do, and what makes it impossible to start."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

PermissionMode = Literal["default", "acceptEdits", "plan", "dontAsk", "auto", "bypassPermissions"]

MAX_PROMPT_BYTES = 10_000_000
"""`claude` refuses more on its standard input."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """One `claude` process to run. Times are in seconds.

    `environment` is the whole environment; `session_id` must be a new UUID for every attempt, as `claude` refuses
    one that was used, even by a failed attempt. An `is_command` prompt starts with `/` and must be known to
    `claude` in that working directory; any other prompt is text, whatever it starts with.
    """

    prompt: str
    cwd: Path
    environment: Mapping[str, str]
    session_id: str
    transcript: Path
    is_command: bool = False
    model: str = "sonnet"
    permission_mode: PermissionMode = "bypassPermissions"
    allowed_tools: tuple[str, ...] = ()
    disallowed_tools: tuple[str, ...] = ()
    append_system_prompt: str = ""
    mcp_config: str | None = None
    max_turns: int | None = None
    budget_usd: float | None = None
    trust_project: bool = False
    timeout: float = 7200
    first_output_timeout: float = 120
    idle_timeout: float = 900
    on_denied: Literal["fail", "warn"] = "fail"


def prompt_bytes(request: Request) -> bytes:
    """The prompt as it goes to standard input: only a command may begin with a slash."""
    text = request.prompt
    if not request.is_command and text.startswith("/"):
        text = " " + text
    return text.encode("utf-8", "replace")


def command_name(request: Request) -> str:
    """The name of the slash command, without the slash and the arguments."""
    return (request.prompt.split(maxsplit=1) or [""])[0].removeprefix("/")


def obstacle(request: Request, uid: int | None = None) -> str | None:
    """Why the request cannot be started, in one sentence, or None. `uid` is the user's own unless given."""
    uid = os.geteuid() if uid is None else uid
    if not request.prompt.strip():
        return "the prompt is empty: say what claude is to do"
    size = len(prompt_bytes(request))
    if size > MAX_PROMPT_BYTES:
        return (
            f"the prompt has {size / 1e6:.1f} MB, and claude takes at most {MAX_PROMPT_BYTES // 1_000_000} MB: "
            "put the material into files and name them in the prompt"
        )
    if not request.cwd.exists():
        return f"the working directory {request.cwd} does not exist on this node"
    if not request.cwd.is_dir() or not os.access(request.cwd, os.X_OK):
        return f"the working directory {request.cwd} is not a directory this user may enter"
    if uid == 0 and request.permission_mode == "bypassPermissions" and request.environment.get("IS_SANDBOX") != "1":
        return (
            "claude refuses permissions: bypass as root: choose another value of permissions, or run the node as a "
            "normal user, or set IS_SANDBOX=1 in the profile if this machine really is a sandbox"
        )
    return None
