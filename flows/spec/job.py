"""What a job is: the one model that the command line, the UI's form, prefect.yaml and the flow share."""

from typing import Literal, Self
from uuid import NAMESPACE_URL, uuid5

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from ccs.flows.spec import graph, templates
from ccs.flows.spec.model import Name, ProfileName, SpecModel, Text
from ccs.flows.spec.names import NAME_RULE
from ccs.flows.spec.task import Task


class Worktree(SpecModel):
    """A git worktree of the job's own, in the folder trees/ of the repository."""

    enabled: bool = Field(default=False, description="Work in a worktree instead of the directory itself.")
    name: str = Field(
        default="",
        pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]{0,99})?$",
        description="Name of the worktree and of its branch; left out, it follows from the name of the job.",
    )
    base_branch: Text = Field(default="main", description="The branch a new worktree begins at.")


class WorkingDirectory(SpecModel):
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
    run_changed_hooks: bool = Field(default=False, description="Run git hooks although a task changed them.")

    @model_validator(mode="after")
    def _absolute(self) -> Self:
        if not self.path.startswith(("/", "~")):
            raise ValueError(f"path {self.path!r} must be absolute or start with ~")
        return self


class Job(SpecModel):
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
    def _identified_tasks(self) -> Self:
        for task in self.tasks:
            if not task.id:
                task.id = str(uuid5(NAMESPACE_URL, f"ccs:{self.name}/{task.name}"))
        return self

    @model_validator(mode="after")
    def _unique_tasks(self) -> Self:
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
