"""Finding what the user named: by name, id, or the unique beginning of an id."""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import NoReturn, TypeVar

from ccs.cli.client.api import Api
from ccs.cli.client.records import BlockDocument, Deployment, FlowRun, Named, Spec
from ccs.cli.errors import NotFoundError, RequestError

ALL = 10_000
"""More of a kind than this are not searched for the beginning of an id."""

N = TypeVar("N", bound=Named)

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_ID_START = re.compile(r"[0-9a-f][0-9a-f-]{3,35}")


def job(api: Api, name: str) -> Deployment:
    """The deployment of the job with this name or id; RequestError when there is none, or more than one."""
    asked = name.removeprefix("job/")
    if _UUID.fullmatch(asked.lower()) and (found := api.find_job(asked.lower())):
        return found
    rows, _ = api.jobs(1, name=asked)
    if rows:
        return rows[0]
    every, _ = api.jobs(ALL)
    return _by_start("job", asked, every) or _absent(
        "job", asked, (j["name"] for j in every), "list them with: ccs jobs list"
    )


def job_of(api: Api, run: FlowRun) -> Deployment | None:
    """The deployment of a run; None when it is gone, as that of a one-off run is."""
    identity = run["deployment_id"]
    return api.find_job(identity) if identity else None


def task(api: Api, name: str, job_name: str | None = None) -> tuple[Deployment, Spec]:
    """The deployment and the task that JOB/TASK, a task's name, its id or the beginning of its id stand for."""
    asked = name
    if job_name is None and "/" in name:
        job_name, _, asked = name.removeprefix("job/").partition("/")
    if job_name:
        found = job(api, job_name)
        return found, task_in(found, tasks_of(found), asked)
    pairs = [(j, t) for j in api.jobs(ALL)[0] for t in tasks_of(j)]
    return _pick(asked, pairs, [str(t["name"]) for _, t in pairs], asked)


def task_in(deployment: Deployment, tasks: list[Spec], asked: str) -> Spec:
    """The task of one job with this name, id or beginning of an id."""
    named = [f"{deployment['name']}/{t['name']}" for t in tasks]
    return _pick(asked, [(deployment, t) for t in tasks], named, f"{deployment['name']}/{asked}")[1]


def _pick(asked: str, pairs: list[tuple[Deployment, Spec]], known: list[str], shown: str) -> tuple[Deployment, Spec]:
    for matches in (_has("id", asked), _has("name", asked), lambda t: _starts(str(t.get("id", "")), asked)):
        hits = [pair for pair in pairs if matches(pair[1])]
        if len(hits) == 1:
            return hits[0]
        if hits:
            raise _ambiguous("task", asked, [f"{j['name']}/{t['name']}" for j, t in hits])
    raise NotFoundError("task", shown, known, "list them with: ccs tasks list")


def _has(key: str, value: str) -> Callable[[Spec], bool]:
    return lambda task: task.get(key) == value


def run(api: Api, name: str) -> FlowRun:
    """The flow run with this name, id or beginning of an id."""
    if _UUID.fullmatch(name.lower()) and (found := api.find_run(name.lower())):
        return found
    rows, _ = api.runs({"name": {"any_": [name]}}, 20)
    if len(rows) == 1:
        return rows[0]
    if rows:
        raise _ambiguous("run", name, [r["id"] for r in rows])
    latest, _ = api.runs({}, 1000)
    known, hint = (r["name"] for r in latest), "list them with: ccs runs list"
    return _by_start("run", name, latest) or _absent("run", name, known, hint)


def profile(api: Api, name: str, hint: str = "list them with: ccs profiles list") -> BlockDocument:
    """The profile with this name, id or beginning of an id; NotFoundError with the hint when there is none."""
    found = api.profile(name)
    if found:
        return found
    every = api.profiles()
    return _by_start("profile", name, every) or _absent("profile", name, (p["name"] for p in every), hint)


def spec_of(thing: Deployment | FlowRun) -> Spec:
    """The job's spec in the parameters of a deployment or run; empty where there is none."""
    spec = thing["parameters"].get("job")
    return spec if isinstance(spec, dict) else {}


def profiles_of(thing: Deployment | FlowRun) -> set[str]:
    """The names of the profiles that a job, or the job of a run, names for itself or a task."""
    return {str(p["profile"]) for p in (spec_of(thing), *tasks_of(thing)) if p.get("profile")}


def tasks_of(thing: Deployment | FlowRun) -> list[Spec]:
    """The tasks of a job, or of the job of a run; none where there is no spec."""
    return tasks_in(spec_of(thing))


def tasks_in(spec: Spec) -> list[Spec]:
    """The tasks in a job's spec, each with its id."""
    tasks = spec.get("tasks")
    return [_with_id(spec, t) for t in tasks if isinstance(t, dict)] if isinstance(tasks, list) else []


def _with_id(spec: Spec, task: Spec) -> Spec:
    """The task with the id that follows from its names when the spec, written by hand, gives none."""
    if task.get("id"):
        return task
    from uuid import NAMESPACE_URL, uuid5

    return {**task, "id": str(uuid5(NAMESPACE_URL, f"ccs:{spec.get('name')}/{task.get('name')}"))}


def _starts(identity: str, asked: str) -> bool:
    return bool(_ID_START.fullmatch(asked.lower())) and identity.startswith(asked.lower())


def _by_start(what: str, asked: str, rows: Sequence[N]) -> N | None:
    hits = [row for row in rows if _starts(row["id"], asked)]
    if len(hits) > 1:
        raise _ambiguous(what, asked, [f"{h['id']} ({h['name']})" for h in hits])
    return hits[0] if hits else None


def _absent(what: str, asked: str, known: Iterable[str], hint: str) -> NoReturn:
    raise NotFoundError(what, asked, known, hint)


def _ambiguous(what: str, asked: str, found: Sequence[str]) -> RequestError:
    return RequestError(
        f"{asked!r} stands for {len(found)} {what}s: {', '.join(found[:5])}{' …' if len(found) > 5 else ''}",
        f"name one of them by {'JOB/TASK or ' if what == 'task' else ''}its whole id",
    )
