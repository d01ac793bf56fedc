"""What one attempt is asked to do, and what makes it impossible to start."""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

PermissionMode = Literal["default", "acceptEdits", "plan", "dontAsk", "auto", "bypassPermissions"]

MAX_PROMPT_BYTES = 10_000_000
"""`claude` refuses more on its standard input."""

MAX_SCHEMA_BYTES = 128 * 1024 - 64
"""Linux takes no longer argument; the flag needs some of it."""

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


@dataclass(frozen=True, kw_only=True)
class Request:
    """One `claude` process to run. Times are in seconds.

    `environment` is the whole environment; `session_id` must be a new UUID for every attempt, as `claude` refuses
    one that was used, even by a failed attempt; only an attempt that resumes a session, and does not `fork` it, has
    the id of that session.

    `resume` is the id of a session to go on from, which `claude` looks for below its HOME, whatever the working
    directory was; or the path of the session's file, anywhere. A resumed session grows in the file it was found in; a
    fork begins a file of its own below HOME, in the folder of the working directory, and leaves the other as it is.
    The file must be named after the session, or else `claude` would write a second one beside it. Both keep the
    system prompt the session began with, but not its model; with `renews_system_prompt`, an `append_system_prompt`
    that is another one now is heeded. `claude` does not keep two processes from going on with one session at the same
    time, which tears it in two.

    An `is_command` prompt starts with `/` and must be known to
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
    resume: str = ""
    fork: bool = False
    renews_system_prompt: bool = False
    output_schema: Mapping[str, Any] | None = None
    timeout: float = 7200
    first_output_timeout: float = 120
    idle_timeout: float = 900
    on_denied: Literal["fail", "warn"] = "fail"

    @property
    def session_to_resume(self) -> str:
        """The id of the session to go on from, or an empty string."""
        return Path(self.resume).name.removesuffix(".jsonl")


def prompt_bytes(request: Request) -> bytes:
    """The prompt as it goes to standard input: only a command may begin with a slash."""
    text = request.prompt
    if not request.is_command and text.startswith("/"):
        text = " " + text
    return text.encode("utf-8", "replace")


def schema_text(schema: Mapping[str, Any]) -> str:
    """A JSON schema as it goes to the command line."""
    return json.dumps(schema, separators=(",", ":"))


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
    if request.output_schema is not None:
        size = len(schema_text(request.output_schema))
        if size > MAX_SCHEMA_BYTES:
            return f"output_schema has {size / 1024:.0f} KB, but must stay below 128 KB: shorten its descriptions"
    if request.resume and not _UUID.fullmatch(request.session_to_resume):
        return f"{request.resume} is neither the id of a session nor a file named after one: nothing can be resumed"
    if request.resume and not request.fork and request.session_id != request.session_to_resume:
        return f"session {request.session_to_resume} keeps its id when it is resumed: {request.session_id} is not it"
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
