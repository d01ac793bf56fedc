"""Changing a job's spec: read, change, check and write, under a lock."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from ccs.cli.client import lock, lookup
from ccs.cli.client.api import Api
from ccs.cli.client.lookup import task_in, tasks_in, tasks_of
from ccs.cli.client.profile_templates import creation
from ccs.cli.client.records import Deployment, DeploymentSchedule, Json, NewDeployment, NewSchedule, Parameters, Spec
from ccs.cli.client.validation import mistakes
from ccs.cli.errors import NotFoundError, RequestError

if TYPE_CHECKING:
    from ccs.flows.spec.job import Job


def edit(api: Api, deployment: Deployment, change: Callable[[Spec], object]) -> Spec:
    """Apply `change` to the spec of a job and store it; the new spec.

    The spec that `change` gets was read under the lock. Raises RequestError when the result is no valid job.
    """
    with lock.held(api, deployment["id"], f"job {deployment['name']!r}") as held:
        fresh = api.job(deployment["id"])
        stored = changed(fresh, change)
        held.check()
        store(api, fresh, stored)
    return stored


def changed(deployment: Deployment, change: Callable[[Spec], object]) -> Spec:
    """The spec of a job after a change, checked and with its defaults; RequestError when it is no valid job."""
    spec = spec_of(deployment)
    change(spec)
    return dump(checked(spec))


def store(api: Api, deployment: Deployment, spec: Spec) -> None:
    """Write the spec of a job, whose lock is held; schedules that name its tasks follow."""
    from ccs.flows.spec.parameters import parameter_schema

    changes: Json = {"parameters": {**deployment["parameters"], "job": spec}, **_shared(deployment, spec)}
    if deployment["parameter_openapi_schema"] != (schema := parameter_schema()):
        changes["parameter_openapi_schema"] = schema  # an older ccs made it, without the fields of today
    for schedule, names in _outdated(deployment, spec):
        path = f"/deployments/{deployment['id']}/schedules/{schedule['id']}"
        if names:
            api.patch(path, {"parameters": {**schedule["parameters"], "only": names}})
        else:
            api.delete(path)
            api.note("a schedule that was only for tasks which are gone was deleted")
    api.update_job(deployment, changes)


def _outdated(deployment: Deployment, spec: Spec) -> Iterator[tuple[DeploymentSchedule, list[str]]]:
    """The schedules that name tasks which have another name in the new spec, or are gone; and what they name then."""
    now = {str(task["id"]): str(task["name"]) for task in spec["tasks"]}
    was = {str(task["name"]): str(task["id"]) for task in tasks_of(deployment)}
    gone = {word for name, identity in was.items() if identity not in now for word in (name, identity)}
    for schedule in deployment["schedules"]:
        only = schedule["parameters"].get("only") or []
        names = [now.get(was.get(word, ""), word) for word in only if word not in gone]
        if names != only:
            yield schedule, names


def spec_of(deployment: Deployment) -> Spec:
    """A copy of the spec in a deployment; RequestError when somebody made one without."""
    import copy

    spec = deployment["parameters"].get("job")
    if not isinstance(spec, dict):
        raise RequestError(
            f"deployment job/{deployment['name']} holds no job spec",
            "delete it, or deploy it again with its parameters",
        )
    return copy.deepcopy(spec)


def checked(spec: Spec) -> "Job":
    """The spec as a job; RequestError, a sentence for each mistake, when it is none or too large."""
    from pydantic import ValidationError

    from ccs.flows.spec.job import Job
    from ccs.flows.spec.parameters import check_size

    try:
        job = Job.model_validate(spec)
        check_size(job)
    except ValidationError as error:
        raise RequestError("; ".join(mistakes(error, spec))) from error
    except ValueError as error:
        raise RequestError(str(error)) from error
    return job


def dump(job: "Job") -> Spec:
    """The spec as it is stored: with its defaults, without what is not set."""
    return job.model_dump(mode="json", exclude_none=True)


def _shared(deployment: Deployment, spec: Spec) -> Json:
    """What a deployment says beside the spec, where it differs."""
    there = {"description": deployment["description"] or "", "tags": deployment["tags"]}
    wanted = {"description": spec.get("description", ""), "tags": spec.get("tags", [])}
    return {key: value for key, value in wanted.items() if there[key] != value}


def create(api: Api, spec: Spec, pool: str, schedules: list[NewSchedule]) -> Deployment:
    """Create the deployment of a new job; RequestError when the name is taken or something it names is missing."""
    spec = dump(checked(spec))
    require_profiles(api, spec)
    job = checked(spec)
    if api.pool(pool) is None:
        raise NotFoundError("work pool", pool, (p["name"] for p in api.pools()), "make it with: ccs up -d")
    with name_held(api, job.name):
        if api.jobs(1, name=job.name)[0]:
            raise RequestError(f"there is a job {job.name!r} already", f"change it with: ccs jobs update {job.name!r}")
        return api.create_job(deployment_of(job, pool, schedules))


def name_held(api: Api, name: str) -> AbstractContextManager[lock.Lock]:
    """Hold the lock on a job's name, which has no id before the job is there."""
    from uuid import NAMESPACE_URL, uuid5

    return lock.held(api, str(uuid5(NAMESPACE_URL, f"ccs:{name}")), f"job {name!r}")


def deployment_of(job: "Job", pool: str, schedules: list[NewSchedule]) -> NewDeployment:
    """What Prefect is told to create a job: entrypoint, parameters and their schema, pool, schedules."""
    from ccs.flows.spec.parameters import parameter_schema

    return {
        "name": job.name,
        "description": job.description,
        "tags": job.tags,
        "entrypoint": "ccs.flows.job:job",
        "path": None,
        "pull_steps": [],
        "work_pool_name": pool,
        "parameters": {"job": dump(job), "only": []},
        "parameter_openapi_schema": parameter_schema(),
        "enforce_parameter_schema": True,
        "schedules": schedules,
    }


def require_profiles(api: Api, spec: Spec) -> None:
    """Put names in place of ids where the job or a task names a profile; NotFoundError when one is not there."""
    names: dict[str, str] = {}
    for thing in (spec, *spec.get("tasks", [])):
        if given := thing.get("profile"):
            if given not in names:
                found = lookup.profile(api, given, f"make it with: {creation(given)}")
                names[given] = found["name"]
            thing["profile"] = names[given]


def rename_task(spec: Spec, old: str, new: str) -> None:
    """Have the tasks that depend on one name it by its new name."""
    for task in spec.get("tasks", []):
        if old in task.get("depends_on", []):
            task["depends_on"] = [new if name == old else name for name in task["depends_on"]]


def replace(spec: Spec, before: Spec, after: Spec) -> None:
    """Put a whole new spec in place of the one it was made from; RequestError when that is not there any more."""
    if spec != before:
        raise RequestError("the job was changed by somebody else in the meantime; nothing was changed", "try again")
    spec.clear()
    spec.update(after)


def order(deployment: Deployment, spec: Spec, names: list[str]) -> None:
    """Put the tasks of a spec into the order of these names or ids; RequestError unless each is named once."""
    tasks = tasks_in(spec)
    wanted = [task_in(deployment, tasks, name) for name in names]
    if twice := next((t for i, t in enumerate(wanted) if t in wanted[:i]), None):
        raise RequestError(f"task {twice['name']!r} is named twice", "name each task of the job once")
    if left := [str(t["name"]) for t in tasks if t not in wanted]:
        raise RequestError(f"the order lacks {', '.join(map(repr, left))}", "name each task of the job once")
    spec["tasks"] = wanted


def reschedule(api: Api, deployment: Deployment, schedules: list[NewSchedule]) -> None:
    """Put new schedules in place of the old one, which keeps its parameters (the tasks it names)."""
    with lock.held(api, deployment["id"], f"job {deployment['name']!r}"):
        old = api.job(deployment["id"])["schedules"]
        kept: Parameters = old[0]["parameters"] if len(old) == 1 else {}
        if len(old) > 1 and any(s["parameters"] for s in old) and schedules:
            raise RequestError(
                f"job {deployment['name']!r} has {len(old)} schedules, some for a part of its tasks",
                "take them away with --no-schedule first, or change them in the UI",
            )
        api.replace_schedules(deployment["id"], old, [{**s, "parameters": kept} for s in schedules])
