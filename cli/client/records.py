"""The records of a Prefect server: of each the keys that ccs reads, and what they may hold.

A key is there, and not null, unless its type says otherwise. Nothing is checked when an answer comes in: what is no
such record fails where it is read, and cli/main.py makes that a sentence. Ids are UUIDs, times are ISO 8601.
"""

from typing import Any, NotRequired, TypedDict

from ccs.flows.schedules.schedule import Schedule

Json = dict[str, Any]
"""JSON of no known form: a filter, a schema, a file of somebody else's."""

Spec = dict[str, Any]
"""The spec of a job or of a task, as a person or whatever version of ccs wrote it; `Job` and `Task` check it."""


class Named(TypedDict):
    """What a user names: by its name, its id or the beginning of its id."""

    id: str
    name: str


class Parameters(TypedDict, total=False):
    """The parameters of a deployment, of a schedule or of a run; a schedule's go over its deployment's."""

    job: object
    """A spec, or what somebody put there by hand: `lookup.spec_of` tells."""
    only: list[str]
    """Names or ids of tasks; empty for all."""
    continues: str
    """The id of an earlier run; empty for none."""


# deployments


class NewSchedule(TypedDict):
    """A schedule of a deployment, as the server is told to make it."""

    schedule: Schedule
    active: NotRequired[bool]
    parameters: NotRequired[Parameters]


class DeploymentSchedule(TypedDict):
    """A schedule of a deployment."""

    id: str
    schedule: Schedule
    active: bool
    parameters: Parameters


class ConcurrencyLimit(TypedDict):
    """How many runs of a deployment may be under way; several deployments may share one."""

    name: str
    limit: int
    active: bool
    active_slots: int


class ConcurrencyOptions(TypedDict):
    """What becomes of a run beyond the limit."""

    collision_strategy: str  # ENQUEUE or CANCEL_NEW


class NewDeployment(TypedDict):
    """What the server is told to make a deployment of."""

    name: str
    description: str
    tags: list[str]
    entrypoint: str
    path: None
    pull_steps: list[Json]
    work_pool_name: str
    parameters: Parameters
    parameter_openapi_schema: Json
    enforce_parameter_schema: bool
    schedules: list[NewSchedule]
    paused: NotRequired[bool]


class Deployment(TypedDict):
    """A job."""

    id: str
    name: str
    description: str | None
    tags: list[str]
    paused: bool
    schedules: list[DeploymentSchedule]
    parameters: Parameters
    parameter_openapi_schema: Json | None
    work_pool_name: str | None  # null when its pool was deleted
    work_queue_name: str | None
    global_concurrency_limit: ConcurrencyLimit | None
    concurrency_options: ConcurrencyOptions | None
    created: str
    updated: str


# runs


class StateDetails(TypedDict):
    """What comes with a state."""

    scheduled_time: str | None  # of a SCHEDULED one


class State(TypedDict):
    """A state that a run is or was in."""

    type: str  # SCHEDULED, PENDING, RUNNING, COMPLETED, FAILED, CRASHED, CANCELLED, CANCELLING or PAUSED
    name: str  # the type in words, or finer, such as AwaitingRetry
    message: str | None
    timestamp: str
    state_details: StateDetails


class FlowRun(TypedDict):
    """A run of a job."""

    id: str
    name: str
    deployment_id: str | None  # also of one that was deleted
    parameters: Parameters
    labels: dict[str, str | int | float | bool]
    state: State
    state_type: str
    state_name: str
    expected_start_time: str | None
    start_time: str | None
    end_time: str | None
    total_run_time: float  # seconds, to the end of its last state
    estimated_run_time: float  # seconds, to now
    run_count: int
    auto_scheduled: bool  # made by a schedule
    work_pool_name: str | None
    work_queue_name: str | None
    created: str


class Artifact(TypedDict):
    """What a run left to be shown."""

    key: str | None
    data: object  # of a table the rows as JSON, in a text
    description: str | None
    flow_run_id: str | None
    created: str
    updated: str


class LogLine(TypedDict):
    """A line of a run's log."""

    id: str
    name: str  # of the logger
    level: int  # as in `logging`
    message: str
    timestamp: str


# profiles


class ProfileVariable(TypedDict):
    """A variable of a profile, as `ccs.blocks.env.Variable` has it."""

    source: str
    value: NotRequired[str]  # ccs always writes one


class Budgets(TypedDict, total=False):
    """What all jobs of a profile may cost; null for no budget."""

    budget_usd_per_day: float | None
    budget_usd_per_month: float | None


class ProfileData(Budgets, total=False):
    """What a profile holds."""

    description: str
    variables: dict[str, ProfileVariable]
    secrets: dict[str, str] | str  # masked; where there are none, Prefect masks even that


class BlockDocument(TypedDict):
    """A profile."""

    id: str
    name: str
    data: ProfileData
    block_schema_id: str
    block_type_id: str
    updated: str


class BlockSchema(TypedDict):
    """The form of a block type's documents."""

    id: str
    block_type_id: str


# pools and nodes


class WorkPool(TypedDict):
    """A work pool."""

    name: str
    is_paused: bool
    concurrency_limit: int | None


class WorkQueue(TypedDict):
    """A queue of a work pool."""

    name: str
    is_paused: bool


class Worker(TypedDict):
    """A node."""

    id: str
    name: str
    status: str  # ONLINE or OFFLINE
    last_heartbeat_time: str | None
    heartbeat_interval_seconds: int | None


# automations


class Trigger(TypedDict):
    """What an automation waits for; here an event that stays away."""

    within: float  # seconds


class Automation(TypedDict):
    """Something that the server does on an event."""

    id: str
    name: str
    enabled: bool
    trigger: Trigger
