"""What a job is: the one model that the command line, the UI's form, prefect.yaml and the flow share."""

import re
from enum import StrEnum
from typing import Annotated, Any, Literal, Self
from uuid import NAMESPACE_URL, uuid5

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

from ccs.flows.spec import graph, schemas, templates

MAX_SPEC_BYTES = 500_000
"""A flow run's parameters may hold 512 KB on the server; this leaves room for what Prefect adds."""

JOB_HELP = "The whole job: working directory, profile, tasks and policies."
ONLY_HELP = "Names or ids of the tasks to run; empty for all of them."
CONTINUES_HELP = "Id of an earlier run of the job, whose finished tasks keep their results and are not repeated."

NAME_RULE = "1 to 100 characters, no / % & < >, no leading - and no blanks at the ends"
_NAME = re.compile(r"[^\s/%&<>-](?:[^/%&<>\x00-\x1f\x7f]{0,98}[^\s/%&<>\x00-\x1f\x7f])?")


def _check_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name[:60]!r} is not a name: {NAME_RULE}")
    return name


def _check_text(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be empty")
    return text


def check_profile_name(name: str) -> str:
    """The name itself; ValueError when the server would refuse a profile of that name."""
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name):
        raise ValueError(f"{name[:60]!r} is not a profile's name: lower case letters, digits and single dashes")
    return name


Name = Annotated[str, AfterValidator(_check_name)]
ProfileName = Annotated[str, AfterValidator(check_profile_name)]
Text = Annotated[str, AfterValidator(_check_text)]


class Permissions(StrEnum):
    """What `claude` may do without asking; nobody is there to answer."""

    DEFAULT = "default"  # read-only tools run, everything else is denied
    ACCEPT_EDITS = "acceptEdits"  # edits inside the working directory too
    PLAN = "plan"  # no edits at all
    DONT_ASK = "dontAsk"  # only what allowed_tools names
    AUTO = "auto"  # a classifier decides
    BYPASS = "bypass"  # everything runs; refused for root outside a sandbox


class _Spec(BaseModel):
    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="after")
    def _no_nul(self) -> Self:
        for name, value in self:
            if any(isinstance(text, str) and "\0" in text for text in (value if isinstance(value, list) else [value])):
                raise ValueError(f"{name} holds a NUL character, which no command line and no PostgreSQL takes")
        return self


class Worktree(_Spec):
    """A git worktree of the job's own, in the folder trees/ of the repository."""

    enabled: bool = Field(default=False, description="Work in a worktree instead of the directory itself.")
    name: str = Field(
        default="",
        pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]{0,99})?$",
        description="Name of the worktree and of its branch; left out, it follows from the name of the job.",
    )
    base_branch: Text = Field(default="main", description="The branch a new worktree begins at.")


class WorkingDirectory(_Spec):
    """Where the tasks of a job run, on the node."""

    path: Text = Field(
        description="Absolute path on the node, or one that starts with ~ for the home of the node's user."
    )
    require_git: bool = Field(
        default=True, description="Refuse to run outside a git repository, where edits cannot be undone."
    )
    trust_project: bool = Field(
        default=False,
        description="Load the repository's own CLAUDE.md, .claude settings, commands and hooks, and .mcp.json. "
        "These run code and can redirect the API with your key: only for repositories you trust.",
    )
    worktree: Worktree = Field(default=Worktree(), description="Whether to work in a git worktree.")
    allow_dirty: bool = Field(
        default=False,
        description="Start although the directory has uncommitted changes; they are never part of a task's commit.",
    )

    @model_validator(mode="after")
    def _absolute(self) -> Self:
        if not self.path.startswith(("/", "~")):
            raise ValueError(f"path {self.path!r} must be absolute or start with ~")
        return self


class Retry(_Spec):
    """When to try again after trouble that may pass: the API fails, the connection dies, the process is killed."""

    max_attempts: int = Field(default=1, ge=1, le=100, description="Attempts in all; 1 is no retry.")
    delay_seconds: NonNegativeFloat = Field(default=60, description="Seconds before the second attempt.")
    backoff: float = Field(default=2, ge=1, le=10, description="The delay grows by this factor with every attempt.")
    jitter: float = Field(default=0.1, ge=0, le=1, description="Share of the delay that is left to chance.")


class Gate(_Spec):
    """A command that must succeed after the task, such as its tests."""

    command: Text = Field(description="A line for sh, run in the working directory; exit code 0 passes.")
    timeout: PositiveInt = Field(default=600, description="Seconds it may take.")


class Task(_Spec):
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


class Job(_Spec):
    """A named container of tasks with the policies of its runs."""

    name: Name = Field(description=f"Name of the job: {NAME_RULE}.")
    description: str = Field(default="", description="What the job is for.")
    tags: list[Text] = Field(default=[], description="Tags of the job's runs, to filter by.")
    working_directory: WorkingDirectory = Field(description="Where the tasks run.")
    profile: ProfileName | None = Field(
        default=None,
        description="Profile with claude's environment; without one, the login of the node's user is used.",
    )
    tasks: list[Task] = Field(default=[], description="The tasks, in the order they run.")
    on_failure: Literal["stop", "continue"] = Field(
        default="stop", description="Whether the tasks after a failed one still run. The run has failed either way."
    )
    max_parallel: int = Field(default=1, ge=1, le=100, description="How many tasks may run at the same time.")
    timeout: PositiveInt | None = Field(
        default=None, description="Seconds a run may take, waits for usage limits aside."
    )
    only_if: Text | None = Field(
        default=None, description="A line for sh in the working directory; a run is skipped unless it exits with 0."
    )
    budget_usd: PositiveFloat | None = Field(default=None, description="Estimated US dollars a run may cost.")
    budget_usd_per_day: PositiveFloat | None = Field(
        default=None, description="Estimated US dollars the job may cost a day (UTC); then it is paused."
    )
    budget_usd_per_month: PositiveFloat | None = Field(
        default=None, description="Estimated US dollars the job may cost a month (UTC); then it is paused."
    )
    commit_author: str = Field(
        default="",
        pattern=r"^([^<>\n]+ <[^<>\s]+>)?$",
        description="Author of the commits, as in `Name <mail@example.com>`; left out, git's own on the node.",
    )
    transcripts: str = Field(
        default="",
        pattern=r"^((/|~|s3://).+)?$",
        description="A folder or s3://bucket/prefix that all nodes reach: transcripts and sessions are kept there too.",
    )

    @model_validator(mode="after")
    def _unique_tasks(self) -> Self:
        for task in self.tasks:
            if not task.id:
                task.id = str(uuid5(NAMESPACE_URL, f"ccs:{self.name}/{task.name}"))
        for what in ("name", "id"):
            seen: set[str] = set()
            for task in self.tasks:
                value: str = getattr(task, what)
                if value in seen:
                    raise ValueError(f"two tasks have the {what} {value!r}")
                seen.add(value)
        return self

    @model_validator(mode="after")
    def _sound_graph(self) -> Self:
        by_name = {task.name: task for task in self.tasks}
        for task in self.tasks:
            for wanted in task.depends_on:
                if wanted not in by_name:
                    raise ValueError(f"task {task.name!r} depends on {wanted!r}, which is no task of the job")
            for text in task.texts:
                templates.check(text, {name: t.output_schema for name, t in by_name.items()}, task.name)
        if cycle := graph.cycle(self.dependencies):
            raise ValueError(f"the tasks wait for each other: {' -> '.join(cycle)}")
        return self

    @property
    def dependencies(self) -> dict[str, set[str]]:
        """For each task's name the names of those that come before it: named, or used in its prompt."""
        return {task.name: {*task.depends_on, *task.uses} for task in self.tasks}


def slug(name: str) -> str:
    """The name as a file name and as the key of an artifact: lower case letters, digits and dashes."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "unnamed"


def run_table_key(job: str) -> str:
    """The key of the table artifact that every run of the job leaves: one row a task."""
    return f"ccs-{slug(job)}"


def limit_variable(profile: str | None, node: str) -> str:
    """The server's variable that is there while a usage limit holds: that of a profile, or else of a node's login."""
    if profile is not None:
        return f"ccs_limit_{profile}"
    # Profiles have no underscores. A name that cannot be part of one is told from its likes by a digest.
    plain = re.fullmatch(r"[a-z0-9-]{1,100}", node)
    return f"ccs_limit_node_{node if plain else f'{slug(node)[:100]}-{uuid5(NAMESPACE_URL, node).hex[:8]}'}"


def check_size(job: Job) -> None:
    """Raise ValueError, saying what to do, when the spec is larger than the server takes."""
    size = len(job.model_dump_json().encode())
    if size > MAX_SPEC_BYTES:
        raise ValueError(
            f"the spec of job {job.name!r} would be {size / 1000:,.0f} KB, more than the {MAX_SPEC_BYTES // 1000} KB "
            "that fit: put the long prompt in a file on the node and name it with prompt_file"
        )


def parameter_schema() -> dict[str, Any]:
    """The JSON schema of the flow's parameters, as Prefect derives it from the flow's signature.

    It is what the server validates parameters with and what the UI builds its form from; the command line
    needs it without importing Prefect.
    """
    job = Job.model_json_schema(ref_template="#/definitions/{model}")
    definitions = job.pop("$defs")
    return {
        "title": "Parameters",
        "type": "object",
        "properties": {
            "job": {"$ref": "#/definitions/Job", "description": JOB_HELP, "position": 0, "title": "job"},
            "only": {
                "default": [],
                "description": ONLY_HELP,
                "items": {"type": "string"},
                "position": 1,
                "title": "only",
                "type": "array",
            },
            "continues": {
                "default": "",
                "description": CONTINUES_HELP,
                "position": 2,
                "title": "continues",
                "type": "string",
            },
        },
        "required": ["job"],
        "definitions": {**definitions, "Job": job},
    }
