"""`ccs tasks`: the Claude Code sessions of a job."""

from collections.abc import Callable
from typing import Annotated, Any

import typer

from ccs.cli import words
from ccs.cli.app import Noun, Session
from ccs.cli.client import assignment, lookup, views
from ccs.cli.client.records import Deployment, Json, Spec
from ccs.cli.commands.options import Force, JobName, Limit, TaskRef, Unset, Wait, confirm, more, names
from ccs.cli.commands.task_options import FIELDS
from ccs.cli.errors import RequestError
from ccs.cli.terminal import fields, output
from ccs.cli.terminal.output import Columns, say, show_list, show_one

_FIRST_TASKS = 500
_FIRST_JOBS = 60
"""The jobs whose tasks are listed first: a page of them is as much as anybody reads."""

app = Noun("Tasks of a job: one Claude Code session each.")

_TASKS: Columns[Spec] = {
    "JOB": "job",
    "TASK": "name",
    "ENABLED": "enabled",
    "MODEL": "model",
    "PERMISSIONS": "permissions",
    "WHAT": lambda t: t.get("prompt") or t.get("command") or t.get("prompt_file"),
    "ID": lambda t: words.short(t["id"]),
}


@app.verb("list", "ccs tasks list --job nightly")
def list_(job: JobName = None, limit: Limit = _FIRST_TASKS) -> None:
    """The tasks of all jobs, or of one."""
    api = Session.api()
    jobs, total = (
        ([lookup.job(api, job)], 1) if job else api.jobs(max(_FIRST_JOBS, limit if limit != _FIRST_TASKS else 0))
    )
    rows = [row for deployment in jobs for row in views.tasks(deployment)]
    show_list(rows[:limit], _TASKS, "tasks", "no tasks yet; make one with: ccs tasks create --job JOB --name NAME")
    more(min(limit, len(rows)), len(rows))
    if total > len(jobs):
        say(f"of the first {len(jobs)} of {total} jobs; name one with --job, or give a larger --limit")


@app.verb("get", "ccs tasks get nightly/fix")
def get(task: TaskRef) -> None:
    """A task with everything that is set."""
    show_one(views.task(*lookup.task(Session.api(), task)), _text)


@app.verb("create", 'ccs tasks create --job nightly --name fix --prompt "Mend the tests" --gate "make test"')
@fields.taking(*FIELDS)
def create(
    job: Annotated[
        str, typer.Option("--job", metavar="JOB", help="The job it belongs to.", autocompletion=names("jobs"))
    ],
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="Name of the task, unique in its job.")],
    **options: Any,
) -> None:
    """Add a task at the end of a job."""
    from uuid import uuid4

    task = assignment.put({"id": str(uuid4()), "name": name}, fields.read(FIELDS, options))
    deployment = lookup.job(Session.api(), job)
    _store(deployment, lambda spec: spec.setdefault("tasks", []).append(task), task)
    say(f"created task {deployment['name']}/{name}; run it with: ccs jobs run {deployment['name']!r} --wait")
    _show(deployment["id"], str(task["id"]))


@app.verb("update", "ccs tasks update nightly/fix --model opus --gate 'make test' --fix-attempts 2 --unset max-turns")
@fields.taking(*FIELDS)
def update(
    task: TaskRef,
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="A new name; what depends on it follows.")
    ] = None,
    job: Annotated[
        str | None,
        typer.Option("--job", metavar="JOB", help="Move it to this job, as its last.", autocompletion=names("jobs")),
    ] = None,
    unset: Unset = None,
    **options: Any,
) -> None:
    """Change a task; what is not named stays. An option that may be repeated sets the whole list."""
    changes = fields.read(FIELDS, options) | ({"name": name} if name else {})
    if not (changes or unset or job):
        raise RequestError("nothing to change was named", "see: ccs tasks update --help")
    _change(task, changes, unset or [], job)


@app.verb("run", "ccs tasks run nightly/fix --wait")
def run(task: TaskRef, wait: Wait = False) -> None:
    """Run one task of a job now."""
    from ccs.cli.commands import starting

    api = Session.api()
    deployment, found = lookup.task(api, task)
    starting.start(api, deployment, {"only": [str(found["name"])]}, wait)


@app.verb("enable", "ccs tasks enable nightly/fix")
def enable(task: TaskRef) -> None:
    """Have a task run again."""
    _change(task, {"enabled": True})


@app.verb("disable", "ccs jobs tasks nightly | jq -r '.[].id' | xargs -I {} ccs tasks disable {}")
def disable(task: TaskRef) -> None:
    """Have the runs of its job skip a task."""
    _change(task, {"enabled": False})


@app.verb("delete", "ccs tasks delete nightly/fix")
def delete(task: TaskRef, force: Force = False) -> None:
    """Take a task out of its job."""
    deployment, found = lookup.task(Session.api(), task)
    confirm(f"delete task {deployment['name']}/{found['name']}?", force)
    _store(deployment, lambda spec: spec["tasks"].remove(_in(spec, found)), {})
    say(f"deleted task {deployment['name']}/{found['name']}")


def _change(name: str, changes: Json, unset: list[str] | None = None, to: str | None = None) -> None:
    from ccs.cli.client import editing, moving

    api = Session.api()
    taken = fields.unset_of(FIELDS, "Task", unset or [])
    deployment, found = lookup.task(api, name)
    sources = {"prompt", "prompt_file", "command"}
    if sources & changes.keys():
        taken += [s for s in sources - changes.keys() if s in found and s not in taken]

    def change(spec: Spec) -> Spec:
        task = _in(spec, found)
        if "name" in changes:
            editing.rename_task(spec, str(task["name"]), changes["name"])
        fields.assign(task, changes, taken)
        return task

    def take(spec: Spec) -> Spec:
        task = change(spec)
        spec["tasks"].remove(task)
        return task

    target = lookup.job(api, to) if to else deployment
    if target["id"] == deployment["id"]:
        _store(deployment, change, changes)
    else:
        editing.require_profiles(api, changes)
        moving.move(api, deployment, target, take)
    _show(target["id"], str(found["id"]))


def _store(deployment: Deployment, change: Callable[[Spec], object], task: Spec) -> None:
    from ccs.cli.client import editing

    editing.require_profiles(Session.api(), {"tasks": [task]})
    editing.edit(Session.api(), deployment, change)


def _show(job: str, task: str) -> None:
    deployment = Session.api().job(job)
    show_one(views.task(deployment, lookup.task_in(deployment, lookup.tasks_of(deployment), task)), _text)


def _in(spec: Spec, task: Spec) -> Spec:
    """The task in a spec that was read anew; RequestError when it is gone."""
    candidate: Spec
    for candidate in spec.get("tasks", []):
        if candidate.get("id") == task["id"] or (not candidate.get("id") and candidate["name"] == task["name"]):
            return candidate
    raise RequestError(f"task {task['name']!r} was deleted in the meantime", "list them with: ccs tasks list")


def _text(task: Spec) -> str:
    order = ["job", "name", "id", "enabled", *(k for k in task if k not in ("job", "name", "id", "enabled"))]
    headings = {"name": "Task", "budget_usd": "Budget", "attempt_budget_usd": "Attempt budget"}
    return output.fields(
        {headings.get(k, k.replace("_", " ").capitalize()): _in_words(k, task[k]) for k in order if k in task}
    )


def _in_words(field: str, value: Any) -> object:
    """The value of a field for reading; nothing for what is not asked for."""
    match field:
        case "timeout" | "first_output_timeout" | "idle_timeout" | "max_limit_wait":
            return words.span(value)
        case "budget_usd" | "attempt_budget_usd":
            return words.dollars(value)
        case "gates":
            return [gate.get("command") for gate in value]
        case "retry":
            more = f", after {words.span(value.get('delay_seconds'))}, each later by {value.get('backoff'):g} times"
            return f"{value['max_attempts']} attempts{more}" if value.get("max_attempts", 1) > 1 else ""
        case "output_schema":
            import json

            return json.dumps(value, ensure_ascii=False)
    return value
