"""`ccs jobs`: create, change and run jobs."""

import sys
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ccs.cli import words
from ccs.cli.app import Noun, Session
from ccs.cli.client import assignment, lookup, views
from ccs.cli.client.api import FIRST_JOBS
from ccs.cli.client.records import Deployment, Json, Spec
from ccs.cli.client.rows import DueTime, JobPage, JobRow, ScheduleRow
from ccs.cli.commands.job_options import FIELDS, absolute
from ccs.cli.commands.options import Force, JobRef, Limit, Pool, Unset, Wait, confirm, more
from ccs.cli.commands.schedule_options import WHEN, Cron, Every, Zone, build
from ccs.cli.errors import RequestError
from ccs.cli.terminal import fields, output
from ccs.cli.terminal.output import Columns, say, show_list, show_one, table

if TYPE_CHECKING:
    from ccs.cli.legacy.takeover import FieldRow

app = Noun("Jobs: create, change, run.")

KEEPS_ITS_NAME = "a job keeps its name: Prefect does not rename deployments, and a new one would begin without runs"
COPY_IT = "copy it: ccs jobs export JOB | ccs jobs import - --name NEW; then ccs jobs delete JOB"

_TASKS: Columns[Spec] = {
    "TASK": "name",
    "ENABLED": "enabled",
    "MODEL": "model",
    "PERMISSIONS": "permissions",
    "WHAT": lambda t: t.get("prompt") or t.get("command") or t.get("prompt_file"),
    "ID": lambda t: words.short(t["id"]),
}
_JOBS: Columns[JobRow] = {
    "NAME": "name",
    "TASKS": "tasks",
    "SCHEDULE": lambda j: "paused" if j["paused"] else "; ".join(map(_in_words, j["schedules"])),
    "PROFILE": "profile",
    "DIRECTORY": lambda j: (j["working_directory"] or {}).get("path"),
    "ID": lambda j: words.short(j["id"]),
}


class ImportedJob(JobPage):
    """A job that was made from a file, and what became of each field there."""

    report: "list[FieldRow]"


@app.verb("list", "ccs jobs list | jq -r '.jobs[].id'")
def list_(limit: Limit = FIRST_JOBS) -> None:
    """All jobs, by name."""
    found, total = Session.api().jobs(limit)
    show_list([views.job(d) for d in found], _JOBS, "jobs", "no jobs yet; make one with: ccs jobs create --name NAME")
    more(len(found), total)


@app.verb("get", "ccs jobs get nightly")
def get(job: JobRef) -> None:
    """A job with its tasks, and when it runs next."""
    show_one(views.whole_job(lookup.job(Session.api(), job)), _text)


@app.verb("tasks", "ccs jobs tasks nightly | jq -r '.[].id'")
def tasks(job: JobRef) -> None:
    """The tasks of a job, in the order they run."""
    hint = f"no tasks yet; make one with: ccs tasks create --job {job} --name NAME --prompt TEXT"
    show_list(views.tasks(lookup.job(Session.api(), job)), _TASKS, empty=hint)


@app.verb("create", 'ccs jobs create --name nightly -C ~/app --cron "0 9 * * 1-5" --timezone Europe/Amsterdam')
@fields.taking(*FIELDS)
def create(
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="Name of the job.")],
    cron: Cron = None,
    every: Every = None,
    timezone: Zone = None,
    pool: Pool = None,
    **options: Any,
) -> None:
    """Create a job; its tasks come after, with `ccs tasks create`."""
    from ccs.cli.client import editing

    api, schedules = Session.api(), build(cron, every, timezone)
    spec = {"name": name, "working_directory": {"path": absolute(".")}}
    changes = fields.read(FIELDS, options)
    assignment.put(spec, changes)
    made = editing.create(api, spec, pool or Session.settings().pool, schedules)
    _warn(changes, made)
    say(f"created job {name!r}; add a task with: ccs tasks create --job {name!r} --name NAME --prompt TEXT")
    show_one(views.whole_job(made), _text)


@app.verb("update", "ccs jobs update nightly --every 90m --budget-per-day 20 --unset description")
@fields.taking(*FIELDS)
def update(
    job: JobRef,
    unset: Unset = None,
    cron: Cron = None,
    every: Every = None,
    timezone: Zone = None,
    no_schedule: Annotated[
        bool, typer.Option("--no-schedule", help="Take away its schedules.", rich_help_panel=WHEN)
    ] = False,
    paused: Annotated[
        bool | None, typer.Option("--pause/--resume", help="Stop or start its schedules.", rich_help_panel=WHEN)
    ] = None,
    name: Annotated[str | None, typer.Option("--name", hidden=True)] = None,
    **options: Any,
) -> None:
    """Change a job; what is not named stays. An option that may be repeated sets the whole list."""
    from ccs.cli.client import editing

    if name is not None:
        raise RequestError(KEEPS_ITS_NAME, COPY_IT)
    api, schedules = Session.api(), build(cron, every, timezone)
    changes = fields.read(FIELDS, options)
    if not (changes or schedules or no_schedule or unset or paused is not None):
        raise RequestError("nothing to change was named", "see: ccs jobs update --help")
    found = lookup.job(api, job)
    if changes or unset:
        taken = fields.unset_of(FIELDS, "Job", unset or [])
        editing.require_profiles(api, changes)
        editing.edit(api, found, lambda spec: fields.assign(spec, changes, taken))
    if schedules or no_schedule:
        editing.reschedule(api, found, schedules)
    if paused is not None:
        from ccs.cli.diagnosis import budgets

        budgets.forget_pause(api, found)
        api.update_job(found, {"paused": paused})
    after = api.job(found["id"])
    _warn(changes, after)
    show_one(views.whole_job(after), _text)


@app.verb("edit", "ccs jobs edit nightly      in $VISUAL, $EDITOR or vi")
def edit(job: JobRef) -> None:
    """Change a whole job in your editor, as YAML.

    It is checked, and the difference shown, before it is stored.
    """
    from ccs.cli.client import editing
    from ccs.cli.commands import editor

    api = Session.api()
    found = lookup.job(api, job)
    before = editing.spec_of(found)

    def store(after: Spec) -> None:
        editing.require_profiles(api, after)
        editing.edit(api, found, lambda spec: editing.replace(spec, before, after))

    if not editor.change(before, store):
        say("nothing was changed")
        return
    show_one(views.whole_job(api.job(found["id"])), _text)


@app.verb("delete", "ccs jobs delete nightly")
def delete(job: JobRef, force: Force = False) -> None:
    """Delete a job with its tasks, schedules and runs."""
    api = Session.api()
    found = lookup.job(api, job)
    runs, total = api.runs({"deployment_id": {"any_": [found["id"]]}}, lookup.ALL)
    if alive := [r["name"] for r in runs if views.is_under_way(r)]:
        raise RequestError(
            f"job {found['name']!r} is under way: {', '.join(alive)}", f"end it with: ccs jobs stop {job}"
        )
    parts = ", ".join(
        (
            words.many(len(lookup.tasks_of(found)), "task"),
            words.many(len(found["schedules"]), "schedule"),
            words.many(total, "run"),
        )
    )
    confirm(f"delete job {found['name']!r} with {parts}?", force)
    api.delete_job(found["id"])
    api.delete_runs([r["id"] for r in runs])
    say(f"deleted job {found['name']!r} with {parts}")


@app.verb("run", "ccs jobs run nightly --wait")
def run(
    job: JobRef,
    wait: Wait = False,
    task: Annotated[
        list[str] | None, typer.Option("--task", metavar="TASK", help="Run only this task; repeatable.")
    ] = None,
) -> None:
    """Run a job now."""
    from ccs.cli.commands import starting

    api = Session.api()
    found = lookup.job(api, job)
    only = _chosen(found, task or [])
    starting.start(api, found, {"only": only} if only else {}, wait)


@app.verb("stop", "ccs jobs stop nightly")
def stop(job: JobRef) -> None:
    """End every run of a job that is under way or waiting to start."""
    from ccs.cli.client import stopping

    api = Session.api()
    found = lookup.job(api, job)
    where = {"deployment_id": {"any_": [found["id"]]}, "state": {"type": {"any_": list(stopping.STOPPABLE)}}}
    runs = [r for r in api.runs(where, lookup.ALL)[0] if not views.is_planned(r, api.server_time)]
    if not runs:
        say(f"no run of job {found['name']!r} is under way")
    stopped = [stopping.stop(api, r) for r in runs]
    shown = [views.run(r, None, Session.settings().ui_url) for r in stopped]
    show_list(shown, {"RUN": "name", "STATUS": "status"}, "runs")


@app.verb("set-order", "ccs jobs set-order nightly triage fix report")
def set_order(
    job: JobRef,
    task: Annotated[list[str], typer.Argument(metavar="TASK...", help="All its tasks, by name or id, in order.")],
) -> None:
    """Put the tasks of a job into another order."""
    from ccs.cli.client import editing

    api = Session.api()
    found = lookup.job(api, job)
    editing.edit(api, found, lambda spec: editing.order(found, spec, task))
    show_one(views.whole_job(api.job(found["id"])), _text)


@app.verb("export", "ccs jobs export nightly -o nightly.json")
def export(
    job: JobRef,
    out: Annotated[
        str | None, typer.Option("--out", "-o", metavar="FILE", help="Write it there; otherwise to stdout.")
    ] = None,
) -> None:
    """Write a job, with its tasks and schedules, as JSON."""
    from ccs.cli.client import exports

    found = lookup.job(Session.api(), job)
    data = exports.exported(found)
    if out in (None, "-"):
        show_one(data, exports.text)
        return
    path = exports.save(data, str(out))
    say(f"exported job {found['name']!r} with {words.many(len(data['job'].get('tasks', [])), 'task')} to {path}")
    show_one({"id": found["id"], "name": found["name"], "file": str(path)}, lambda row: str(row["file"]))


@app.verb("import", "ccs jobs import nightly.json --name nightly-2")
def import_(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="An export of ccs or claude-code-scheduler; - for stdin.")
    ],
    force: Annotated[bool, typer.Option("--force", "-f", help="Replace a job of the same name.")] = False,
    name: Annotated[str | None, typer.Option("--name", metavar="NAME", help="Another name for the job.")] = None,
    profile: Annotated[
        list[str] | None, typer.Option("--profile", metavar="OLD=NAME", help="Use another profile; repeatable.")
    ] = None,
    pool: Pool = None,
) -> None:
    """Make a job from an export, all of it or nothing. Its tasks get new ids."""
    from ccs.cli.client import drafts
    from ccs.cli.client.exports import MAX_FILE, load, parsed
    from ccs.cli.commands import takeover
    from ccs.cli.legacy import exports
    from ccs.cli.legacy.takeover import TakeoverReport

    api, report, target = Session.api(), TakeoverReport(file), pool or Session.settings().pool
    data = parsed(sys.stdin.buffer.read(MAX_FILE + 1), "standard input") if file == "-" else load(file)
    draft = exports.read(data, report, _renamed(profile or [])).checked(name)
    drafts.require(api, file, target, draft.profiles())
    made = drafts.store(api, draft, target, force, move=pool is not None)
    takeover.tell(report)
    say(f"imported job {draft.name!r} with {words.many(len(draft.spec['tasks']), 'task')}")
    imported: ImportedJob = {**views.whole_job(made), "report": report.rows()}
    show_one(imported, _text)


def _text(job: JobPage) -> str:
    directory = job["working_directory"] or {}
    budgets = {
        "run": job.get("budget_usd"),
        "day": job.get("budget_usd_per_day"),
        "month": job.get("budget_usd_per_month"),
    }
    head: dict[str, object] = {
        "Job": f"{job['name']}  ({job['id']})",
        "Description": job["description"],
        "Directory": _directory(directory),
        "Worktree": _worktree(directory.get("worktree") or {}),
        "Profile": job["profile"],
        "Tags": ", ".join(job["tags"]),
        "Pool": job["pool"],
        "Only if": job.get("only_if"),
        "On failure": job["on_failure"],
        "Parallel": job.get("max_parallel") if job.get("max_parallel", 1) != 1 else None,
        "Timeout": words.span(job["timeout"]),
        "Budget": ", ".join(f"{words.dollars(usd)} a {span}" for span, usd in budgets.items() if usd),
        "Commits by": job.get("commit_author"),
        "Transcripts": job.get("transcripts"),
        "Schedule": [_in_words(s) for s in job["schedules"]] or "none",
        "Paused": "yes, its schedules do nothing" if job["paused"] else "",
        "Next": [_moment(n) for n in job["next"]],
    }
    listing = table(job["tasks"], _TASKS) if job["tasks"] else "no tasks yet"
    return f"{output.fields(head)}\n\n{listing}"


def _directory(directory: Spec) -> str:
    flags = {"trust_project": "trusted", "require_git": "git", "allow_dirty": "may be dirty"}
    marks = ", ".join(word for key, word in flags.items() if directory.get(key))
    return f"{directory.get('path')}" + (f"  ({marks})" if marks else "")


def _worktree(worktree: Spec) -> str:
    if not worktree.get("enabled"):
        return ""
    return f"{worktree.get('name') or 'named after the job'}, from {worktree.get('base_branch')}"


def _in_words(schedule: ScheduleRow) -> str:
    return schedule["in_words"] + ("" if schedule["active"] else " (inactive)")


def _moment(due: DueTime) -> str:
    local, utc = datetime.fromisoformat(due["local"]), datetime.fromisoformat(due["utc"])
    same = local.utcoffset() == utc.utcoffset()
    return f"{local:%a %Y-%m-%d %H:%M:%S %z}" + ("" if same else f"  ({utc:%a %H:%M:%S} UTC)")


def _warn(changes: Json, deployment: Deployment) -> None:
    """Say so when options name a worktree and the job does not use one."""
    worktree = lookup.spec_of(deployment)["working_directory"].get("worktree") or {}
    place = "working_directory.worktree"
    if not worktree.get("enabled") and {f"{place}.name", f"{place}.base_branch"} & changes.keys():
        say("warning: the job does not work in the worktree that was named; have it do so with --use-worktree")


def _chosen(deployment: Deployment, names: list[str]) -> list[str]:
    """The names of the tasks that --task stands for; NotFoundError for one that the job lacks."""
    known = lookup.tasks_of(deployment)
    return [str(lookup.task_in(deployment, known, name)["name"]) for name in names]


def _renamed(options: list[str]) -> dict[str, str]:
    """The profiles that --profile OLD=NAME renames."""
    pairs = [option.partition("=") for option in options]
    if bad := next((old for old, equals, new in pairs if not (old and equals and new)), None):
        raise RequestError(f"--profile {bad!r} is not of the form OLD=NAME", "such as --profile old-profile=zai")
    return {old: new for old, _, new in pairs}
