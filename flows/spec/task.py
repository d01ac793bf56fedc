"""What a task is: one invocation of `claude`, what it may do, and what must hold afterwards."""

from enum import StrEnum
from typing import Any, Literal, Self

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from ccs.flows.spec import schemas, templates
from ccs.flows.spec.model import Name, ProfileName, SpecModel, Text
from ccs.flows.spec.names import NAME_RULE


class Permissions(StrEnum):
    """What `claude` may do without asking; nobody is there to answer."""

    DEFAULT = "default"  # read-only tools run, everything else is denied
    ACCEPT_EDITS = "acceptEdits"  # edits inside the working directory too
    PLAN = "plan"  # no edits at all
    DONT_ASK = "dontAsk"  # only what allowed_tools names
    AUTO = "auto"  # a classifier decides
    BYPASS = "bypass"  # everything runs; refused for root outside a sandbox


class Retry(SpecModel):
    """When to try again after trouble that may pass: the API fails, the connection dies, the process is killed."""

    max_attempts: int = Field(default=1, ge=1, le=100, description="Attempts in all; 1 is no retry.")
    delay_seconds: NonNegativeFloat = Field(default=60, description="Seconds before the second attempt.")
    backoff: float = Field(default=2, ge=1, le=10, description="The delay grows by this factor with every attempt.")
    jitter: float = Field(default=0.1, ge=0, le=1, description="Share of the delay that is left to chance.")


class Gate(SpecModel):
    """A command that must succeed after the task, such as its tests."""

    command: Text = Field(description="A line for sh, run in the working directory; exit code 0 passes.")
    timeout: PositiveInt = Field(default=600, description="Seconds it may take.")


class Task(SpecModel):
    """One Claude Code invocation."""

    id: str = Field(
        default="",
        pattern=r"^([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})?$",
        description="A UUID that outlives renames; left out, it follows from the names of job and task.",
    )
    name: Name = Field(description=f"Unique in the job: {NAME_RULE}.")
    enabled: bool = Field(default=True, description="A disabled task is skipped, and the run says so.")
    prompt: Text | None = Field(
        default=None, description="What claude is to do. One of prompt, prompt_file and command."
    )
    prompt_file: Text | None = Field(
        default=None,
        description="A file on the node that holds the prompt (at most 10 MB); relative to the working directory.",
    )
    command: Text | None = Field(default=None, description="A slash command with its arguments, such as /review src.")
    model: Text = Field(default="sonnet", description="sonnet, opus, haiku or the full name of a model.")
    profile: ProfileName | None = Field(default=None, description="Profile for this task instead of the job's.")
    permissions: Permissions = Field(
        default=Permissions.BYPASS,
        description="What claude may do without asking: default (read only), acceptEdits, plan, "
        "dontAsk (only allowed_tools), auto, bypass (everything; not as root outside a sandbox).",
    )
    on_denied: Literal["fail", "warn"] = Field(
        default="fail", description="What a denied tool call does to a task that otherwise succeeded: fail it, or warn."
    )
    allowed_tools: list[Text] = Field(
        default=[], description="Rules such as Bash(git *) or Edit that run without asking."
    )
    disallowed_tools: list[Text] = Field(default=[], description="Rules that never run, also under bypass.")
    append_system_prompt: str = Field(
        default="", max_length=100_000, description="Text added to claude's system prompt."
    )
    mcp_config: Text | None = Field(
        default=None,
        description="MCP servers: a file on the node, or the JSON itself. Others are used only with trust_project.",
    )
    session_mode: Literal["new", "reuse", "fork"] = Field(
        default="new",
        description="A new session, reuse of the task's last one (it grows), or a fork of that (it stays as it is).",
    )
    max_turns: PositiveInt | None = Field(default=None, description="Stop an attempt after so many replies.")
    budget_usd: PositiveFloat | None = Field(
        default=None,
        description="Estimated US dollars the task may cost in a run, all attempts together; one reply may overshoot.",
    )
    attempt_budget_usd: PositiveFloat | None = Field(
        default=None, description="Estimated US dollars one attempt may cost; one reply may overshoot."
    )
    timeout: PositiveInt = Field(
        default=7200,
        description="Seconds for all attempts, the pauses between them and the gates; not for a usage limit's wait.",
    )
    first_output_timeout: PositiveInt = Field(
        default=120, description="Seconds claude may take until its first output."
    )
    idle_timeout: PositiveInt = Field(
        default=900, description="Seconds without any output; a running tool is silent too, so not less than its time."
    )

    retry: Retry = Field(default=Retry(), description="Further attempts after trouble that may pass.")
    on_limit: Literal["wait", "fail"] = Field(
        default="wait", description="At a usage limit: wait for its reset and go on in the same session; or fail."
    )
    max_limit_wait: PositiveInt = Field(
        default=21600, description="Seconds to wait at most; the task fails when the usage limit is reset later."
    )
    depends_on: list[Name] = Field(default=[], description="Names of tasks that must succeed before this one.")
    only_if: Text | None = Field(
        default=None, description="A line for sh in the working directory; the task is skipped unless it exits with 0."
    )
    gates: list[Gate] = Field(default=[], description="Commands that must pass after the task, in this order.")
    fix_attempts: NonNegativeInt = Field(
        default=0, le=100, description="How often the output of a failed gate goes back to the session to be fixed."
    )
    expect_changes: bool = Field(default=False, description="The task fails when it changed no file.")
    expect_files: list[Text] = Field(
        default=[], description="Files that must exist afterwards, in the working directory; may be patterns with *."
    )
    commit_on_success: bool = Field(
        default=True,
        description="Commit what the task changed, or set it aside when it failed; when off, it stays in the files.",
    )
    output_schema: dict[str, Any] | None = Field(
        default=None,
        description="JSON schema of an object, the result; prompts of later tasks say {{ tasks.NAME.output.FIELD }}.",
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        given = [name for name in ("prompt", "prompt_file", "command") if getattr(self, name) is not None]
        if len(given) != 1:
            found = " and ".join(given) or "none"
            raise ValueError(f"give exactly one of prompt, prompt_file and command (found: {found})")
        if self.command is not None and not self.command.startswith("/"):
            raise ValueError(f"command {self.command[:40]!r} must start with /; a text is a prompt")
        return self

    @model_validator(mode="after")
    def _schema_of_an_object(self) -> Self:
        schema = self.output_schema
        if schema is None:
            return self
        if schema.get("type") != "object":
            raise ValueError('output_schema must be a JSON schema with "type": "object"')
        if wrong := schemas.problem(schema):
            raise ValueError(f"output_schema: {wrong}")
        return self

    @property
    def texts(self) -> list[str]:
        """The texts in which other tasks' results can be named."""
        return [text for text in (self.prompt, self.command, self.append_system_prompt) if text]

    @property
    def uses(self) -> set[str]:
        """The names of the tasks whose results are named in its texts."""
        return {name for text in self.texts for name in templates.tasks_named(text)}
