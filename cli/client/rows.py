"""What commands show of jobs, runs, profiles and nodes: the keys of their JSON, in their order.

Programs read these, from a pipe as well as over HTTP: keys stay, and new ones come beside them. Times are ISO 8601.
"""

from typing import Literal, TypedDict

from ccs.cli.client.records import ProfileVariable, Spec
from ccs.flows.record.row import TaskRow

# jobs


class TimesRow(TypedDict, total=False):
    """When a job comes due: one of cron, interval and rrule is there."""

    cron: str
    interval: float  # seconds
    rrule: str
    timezone: str | None
    only: list[str]
    """Names of tasks, where it runs some only."""


class ScheduleRow(TimesRow):
    """A schedule of a job."""

    id: str
    active: bool
    in_words: str


class DueRow(ScheduleRow):
    """A schedule in the list of all: of which job, and when it comes due next."""

    job: str
    status: Literal["active", "inactive", "job paused"]
    next: str | None  # in the zone of the schedule
    next_utc: str | None


class PolicyRow(TypedDict, total=False):
    """Fields of a job that say nothing when they are not set."""

    only_if: str
    max_parallel: int
    budget_usd: float
    budget_usd_per_day: float
    budget_usd_per_month: float
    commit_author: str
    transcripts: str


class JobHead(PolicyRow):
    """A job, but for its tasks."""

    id: str
    name: str
    description: str
    tags: list[str]
    paused: bool
    profile: str | None
    working_directory: Spec | None
    """As in the spec: `WorkingDirectory` has its fields."""
    on_failure: str | None
    timeout: int | None
    schedules: list[ScheduleRow]
    pool: str | None
    created: str
    updated: str


class JobRow(JobHead):
    """A job in a list."""

    tasks: int


class DueTime(TypedDict):
    """When a job comes due, in the zone of its schedule and in UTC."""

    local: str
    utc: str


class JobPage(JobHead):
    """A whole job: with its tasks, as `views.task` gives them, and when it runs next."""

    tasks: list[Spec]
    next: list[DueTime]


# runs


class RunRow(TypedDict):
    """A run in a list."""

    id: str
    name: str
    job: str | None
    only: list[str]  # tasks; empty for all
    continues: str | None  # the id of the run whose results it keeps
    status: str
    reason: str
    expected: str | None
    started: str | None
    ended: str | None
    goes_on: str | None  # when, if it waits in the middle
    duration_seconds: float | None
    cost_usd: float | None  # estimated
    turns: int | None
    pool: str | None
    url: str


class TaskResult(TaskRow):
    """What a task did in a run, and the command that goes on with its session by hand; empty when nothing can."""

    resume: str


class RunPage(RunRow):
    """A whole run: with what each of its tasks did, and where."""

    status_type: str  # Prefect's: COMPLETED, FAILED …
    directory: str | None
    worktree: str | None
    tasks: list[TaskResult]


# profiles and nodes


class ProfileRow(TypedDict):
    """A profile; never a secret."""

    id: str
    name: str
    description: str
    variables: dict[str, ProfileVariable]
    secrets: list[str]  # names
    budget_usd_per_day: float | None
    budget_usd_per_month: float | None
    updated: str


class NodeRow(TypedDict):
    """A node."""

    id: str
    name: str
    pool: str
    status: Literal["online", "offline"]
    last_heartbeat: str | None
