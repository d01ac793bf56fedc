"""The options of `ccs tasks create` and `ccs tasks update` that set fields of a task."""

import json
import re

from ccs.cli.commands.options import duration, names, source_text
from ccs.cli.errors import RequestError
from ccs.cli.terminal.fields import Field
from ccs.flows.node.files import expanded

PERMISSIONS = ("default", "acceptEdits", "plan", "dontAsk", "auto", "bypass")
_CLAUDE = "What claude may do"
_LIMITS = "Limits"
_TROUBLE = "Order and trouble"
_CHECKS = "What has to hold afterwards"


def _rules(texts: list[str]) -> list[str]:
    """Rules from options that may each hold several, separated by commas outside of brackets."""
    return [rule.strip() for text in texts for rule in re.findall(r"(?:[^,(]|\([^)]*\)?)+", text) if rule.strip()]


def _gates(commands: list[str]) -> list[dict[str, str]]:
    return [{"command": command} for command in commands]


def _schema(text: str) -> object:
    """A JSON schema, itself or in a file of this machine."""
    if not text.lstrip().startswith("{"):
        try:
            with expanded(text).open("rb") as file:
                text = file.read(1_000_000).decode("utf-8-sig")
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or error
            raise RequestError(
                f"--output-schema {text[:200]!r} cannot be read: {why}", "give a file or JSON"
            ) from error
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RequestError(f"--output-schema is not JSON: {error}", "give a file or JSON") from error


FIELDS = (
    Field(
        "prompt", "--prompt", "What claude is to do; - reads it from stdin.", "TEXT",
        read=lambda text: source_text(text, "--prompt"),
    ),
    Field("prompt_file", "--prompt-file", "File on the node that holds the prompt.", "PATH"),
    Field("command", "--command", "A slash command, such as '/review src'.", "TEXT"),
    Field(
        "model", "--model", "sonnet (default), opus, haiku or a full name.", "NAME", values=("sonnet", "opus", "haiku")
    ),
    Field("profile", "--profile", "Profile with claude's environment (the job's).", "NAME", values=names("profiles")),
    Field("profile", "--zai", "The same as --profile zai.", kind=bool, read=lambda _: "zai"),
    Field("profile", "--bedrock", "The same as --profile bedrock.", kind=bool, read=lambda _: "bedrock"),
    Field("enabled", "--enabled/--disabled", "A disabled task is skipped.", kind=bool),
    Field(
        "session_mode", "--session-mode", "A new session (default), the task's last one, or a fork of it.",
        "new|reuse|fork", values=("new", "reuse", "fork"),
    ),
    Field("append_system_prompt", "--append-system-prompt", "Text added to claude's system prompt.", "TEXT"),
    Field(
        "output_schema", "--output-schema", "JSON schema of the result, which is an object then.", "FILE|JSON",
        read=_schema,
    ),
    Field(
        "permissions", "--permissions", "default, acceptEdits, plan, dontAsk, auto or bypass (default).", "MODE",
        values=PERMISSIONS, panel=_CLAUDE,
    ),
    Field(
        "allowed_tools", "--allowed-tools", "Tools that run without asking; repeatable.", "RULES", list[str], _rules,
        panel=_CLAUDE,
    ),
    Field(
        "disallowed_tools", "--disallowed-tools", "Tools that never run; repeatable.",
        "RULES", list[str], _rules, panel=_CLAUDE
    ),
    Field(
        "on_denied", "--on-denied", "What a denied tool call does to the task (fail).",
        "fail|warn", values=("fail", "warn"),
        panel=_CLAUDE,
    ),
    Field("mcp_config", "--mcp-config", "MCP servers of the task.", "FILE|JSON", panel=_CLAUDE),
    Field(
        "depends_on", "--depends-on", "A task that must succeed before it; repeatable.",
        "TASK", list[str], panel=_TROUBLE,
    ),
    Field(
        "only_if", "--only-if", "A line for sh; the task is skipped unless it exits with 0.", "COMMAND", panel=_TROUBLE,
    ),
    Field(
        "retry.max_attempts", "--retry", "Attempts in all, when the API or the machine fails (1).", "N", int,
        panel=_TROUBLE,
    ),
    Field(
        "retry.delay_seconds", "--retry-delay", "Wait before the second attempt; doubles with each (1m).", "TIME",
        read=duration, panel=_TROUBLE,
    ),
    Field(
        "on_limit", "--on-limit", "At a usage limit, wait for its end or fail (wait).", "wait|fail",
        values=("wait", "fail"), panel=_TROUBLE,
    ),
    Field(
        "max_limit_wait", "--max-limit-wait", "Fail when the limit ends later than that (6h).",
        "TIME", read=duration, panel=_TROUBLE,
    ),
    Field(
        "gates", "--gate", "A line for sh that must exit with 0; repeatable.", "COMMAND", list[str], _gates,
        panel=_CHECKS,
    ),
    Field(
        "fix_attempts", "--fix-attempts", "How often claude gets a failed gate's output to mend it (0).", "N", int,
        panel=_CHECKS,
    ),
    Field(
        "expect_changes", "--expect-changes/--no-expect-changes", "The task fails when it changed no file.", kind=bool,
        panel=_CHECKS,
    ),
    Field(
        "expect_files", "--expect-file", "A file that must exist afterwards; * matches; repeatable.", "PATH", list[str],
        panel=_CHECKS,
    ),
    Field(
        "commit_on_success", "--commit-on-success/--no-commit-on-success",
        "Commit what it changed, or set it aside when it fails (the default).",
        kind=bool, panel=_CHECKS,
    ),
    Field("max_turns", "--max-turns", "Stop an attempt after so many replies.", "N", int, panel=_LIMITS),
    Field("budget_usd", "--budget", "Stop the task when it has cost so much in a run.", "USD", float, panel=_LIMITS),
    Field("attempt_budget_usd", "--attempt-budget", "Stop an attempt that cost so much.", "USD", float, panel=_LIMITS),
    Field(
        "timeout", "--timeout", "How long the task may take in all, such as 90m (2h).",
        "TIME", read=duration, panel=_LIMITS,
    ),
    Field(
        "first_output_timeout", "--first-output-timeout", "How long claude may take until its first output (2m).",
        "TIME", read=duration,
        panel=_LIMITS,
    ),
    Field(
        "idle_timeout", "--idle-timeout", "How long claude may be without any output (15m).",
        "TIME", read=duration, panel=_LIMITS,
    ),
)  # fmt: skip
