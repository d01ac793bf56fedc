"""Jobs and tasks of claude-code-scheduler as jobs of ccs; what has no place here is reported, field by field."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from uuid import UUID, uuid4

from ccs.cli.client.drafts import Draft
from ccs.cli.client.records import Json, NewSchedule, Spec
from ccs.cli.errors import RequestError
from ccs.cli.legacy.names import DIRECTORY
from ccs.cli.legacy.schedules import schedule_of
from ccs.cli.legacy.takeover import Fields, TakeoverReport
from ccs.flows.schedules.schedule import Schedule

_PERMISSIONS = ("default", "bypass", "acceptEdits", "plan")
_RECORDS = ("id", "created_at", "updated_at", "status")
_NO_NOTICE = "ccs sends no notifications yet; Prefect's automations can"
_LEFT_RECORD = "a record of its past"


@dataclass(frozen=True)
class Takeover:
    """How things are taken over: what a profile is called here, whether tasks keep their ids, where findings go."""

    report: TakeoverReport
    profile: Callable[[str], str]
    keep_ids: bool = False


def job_of(data: Json, tasks: list[Json], how: Takeover) -> Draft:
    """One job with its tasks, in the order in which it ran them."""
    fields = Fields(data, f"job {str(data.get('name', 'Untitled Job'))!r}", how.report)
    name = _name(fields, "Untitled Job")
    spec: Spec = {"name": name, "description": fields.text("description")}
    fields.mapped("description")
    profile = _profile(fields, how)
    spec |= {"profile": profile} if profile else {}
    spec["working_directory"] = _directory(fields.part("working_directory", short="path"), str(data.get("id") or ""))
    ordered = _ordered(fields, tasks)
    fields.left(_LEFT_RECORD, *_RECORDS)
    fields.rest()
    spec["tasks"], schedules = [], []
    for task in ordered:
        mapped, planned = _task(task, spec, how)
        spec["tasks"].append(mapped)
        schedules += [(planned, str(mapped["name"]))] if planned else []
    return Draft(spec, _merged(schedules))


def orphans_of(tasks: list[Json], how: Takeover) -> Draft:
    """Tasks that belong to no job, in a job of their own."""
    data = {"name": "tasks without a job", "working_directory": {"path": DIRECTORY}}
    return job_of(data, tasks, how)


def _name(fields: Fields, default: str, taken: Iterable[str] = ()) -> str:
    """The name as a name of ccs, unlike those that are taken; short enough for a number behind it."""
    given = fields.text("name", default=default)
    clean = re.sub(r"[/%&<>\x00-\x1f\x7f]", "-", given).strip().lstrip("-").strip()[:90].strip() or default
    name, count, known = clean, 1, set(taken)
    while name in known:
        count += 1
        name = f"{clean} ({count})"
    if name == given:
        fields.mapped("name")
    else:
        fields.changed(
            "name",
            f"is {name!r} now: " + ("the name was taken" if count > 1 else "a name is short and has no / % & < >"),
        )
    return name


def _profile(fields: Fields, how: Takeover) -> str | None:
    given = fields.text("profile")
    if not given:
        fields.left("the login of the node's user is used", "profile")
        return None
    name = how.profile(given)
    if name == given:
        fields.mapped("profile")
    else:
        fields.changed("profile", f"{given} is the profile {name!r} here")
    return name


def _directory(fields: Fields, job_id: str) -> Json:
    given = fields.text("path", default=DIRECTORY)
    path = re.sub(r"^(\$HOME|\$\{HOME\})(?=/|$)", "~", given)
    path = path if path.startswith(("/", "~")) else f"~/{path}"
    reason = (
        "outside git it still runs (--require-git refuses that), also with uncommitted changes (--no-allow-dirty "
        "refuses that); files such as the repository's CLAUDE.md, settings and hooks are not loaded any more "
        "(--trust-project loads them)"
    )
    fields.changed("path", reason if path == given else f"is {path!r} now; {reason}")
    directory: Json = {"path": path, "require_git": False, "allow_dirty": True}
    if fields.flag("use_git_worktree", False):
        directory["worktree"] = {"enabled": True, **_worktree(fields, job_id)}
    else:
        fields.left("says nothing without a worktree", "worktree_name", "worktree_branch")
    fields.mapped("use_git_worktree")
    fields.rest()
    return directory


def _worktree(fields: Fields, job_id: str) -> Json:
    """Name and base branch as they were, so that a worktree which is there already is gone on with."""
    given = fields.text("worktree_name") or (f"job-{job_id[:8]}" if job_id else "")
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", given).lstrip("-._")[:100]
    if name == fields.text("worktree_name"):
        fields.mapped("worktree_name")
    else:
        fields.changed("worktree_name", f"is {name!r} now" if name else "follows from the name of the job now")
    branch = fields.text("worktree_branch").strip()
    if branch:
        fields.mapped("worktree_branch")
    else:
        fields.changed("worktree_branch", "was the branch that was checked out, is main now; see --worktree-branch")
    return {"name": name, "base_branch": branch or "main"}


def _ordered(fields: Fields, tasks: list[Json]) -> list[Json]:
    """The tasks as task_order has them; those that it does not name come last."""
    order = fields.texts("task_order")
    by_id = {str(t.get("id")): t for t in tasks}
    if len(by_id) < len(tasks) and len(tasks) > 1:
        raise RequestError(
            f"{fields.report.source}: {fields.thing}: two of its tasks have one id", "nothing was written"
        )
    fields.mapped("task_order")
    for gone in [i for i in order if i not in by_id]:
        fields.lost("task_order", f"names a task {gone} that is not there")
    later = [t for i, t in by_id.items() if i not in order]
    if later and order:
        names = ", ".join(repr(t.get("name")) for t in later)
        fields.changed("task_order", f"does not name {names}: now the last; `ccs tasks disable` keeps them out of runs")
    return [*(by_id[i] for i in dict.fromkeys(order) if i in by_id), *later]


def _task(data: Json, job: Spec, how: Takeover) -> tuple[Spec, Schedule | None]:
    fields = Fields(data, f"task '{job['name']}/{data.get('name', 'Untitled Task')}'", how.report)
    name = _name(fields, "Untitled Task", [t["name"] for t in job["tasks"]])
    task: Spec = {"id": _id(data, how), "name": name}
    task["enabled"] = fields.flag("enabled", True)
    task |= _source(fields)
    fields.mapped("enabled")
    task["model"] = _model(fields)
    task["permissions"] = _permissions(fields)
    task |= {name: _rules(fields, name) for name in ("allowed_tools", "disallowed_tools")}
    if job.get("profile"):
        fields.left("the profile of the job went before that of the task", "profile")
    elif profile := _profile(fields, how):
        task["profile"] = profile
    task |= _behaviour(fields)
    schedule = schedule_of(fields.part("schedule"))
    fields.left(_LEFT_RECORD, *_RECORDS, "job_id", "last_session_id", "last_run_status")
    fields.left("the directory of the job counted", "working_directory")
    fields.rest()
    return task, schedule


def _id(data: Json, how: Takeover) -> str:
    """The task's own id when it is to be kept, so that its old references still work."""
    try:
        kept = str(UUID(str(data.get("id"))))
    except ValueError:
        kept = ""
    return kept if how.keep_ids and kept else str(uuid4())


def _source(fields: Fields) -> Json:
    text = fields.text("prompt", "command")
    kind = fields.text("prompt_type", "command_type", default="prompt")
    key = "prompt" if fields.has("prompt") else "command"
    fields.left("says nothing beside prompt", *(["command", "command_type"] if key == "prompt" else ["prompt"]))
    fields.mapped("prompt_type", *(["command_type"] if key == "command" else []))
    if not text.strip():
        text = fields.text("name", default="Untitled Task")
        fields.changed(key, "was empty, so the name of the task is the prompt, as it was")
        return {"prompt": text}
    if text.startswith("/"):
        if kind == "slash_command":
            fields.mapped(key)
        else:
            fields.changed(key, "begins with /, so it is a slash command, as it was")
        return {"command": text}
    if kind == "slash_command":
        fields.changed(key, "is a slash command, but lacked the / at its beginning")
        return {"command": f"/{text}"}
    fields.mapped(key)
    return {"prompt": text}


def _permissions(fields: Fields) -> str:
    if fields.is_list("permissions"):  # what its own command line wrote
        modes = fields.texts("permissions")
        mode = modes[0] if len(modes) == 1 and modes[0] in _PERMISSIONS else "default"
        fields.changed("permissions", f"was the list {modes}, is {mode} now")
        return mode
    mode = fields.text("permissions", default="bypass" if not fields.is_null("permissions") else "null")
    if mode in _PERMISSIONS:
        fields.mapped("permissions")
        return mode
    fields.changed("permissions", f"{mode!r} is no mode of claude; default (read only) is, as it was")
    return "default"


def _model(fields: Fields) -> str:
    model = fields.text("model", default="sonnet").strip()
    if model:
        fields.mapped("model")
    else:
        fields.changed("model", "was empty, is sonnet now")
    return model or "sonnet"


def _rules(fields: Fields, name: str) -> list[str]:
    given = fields.texts(name)
    rules = [rule for rule in given if rule.strip()]
    if rules == given:
        fields.mapped(name)
    else:
        fields.changed(name, "held empty rules, which are left out")
    return rules


def _behaviour(fields: Fields) -> Json:
    """Session, commit and retries, each as far as it means the same here."""
    mode = fields.text("session_mode", default="new")
    if mode == "new":
        fields.mapped("session_mode")
    elif mode in ("reuse", "fork"):
        fields.changed("session_mode", "goes on with the task's own last session, not with the last in its directory")
    else:
        fields.changed("session_mode", f"{mode!r} is no mode of ccs; every run begins a new session, as it did")
        mode = "new"
    commits = fields.flag("commit_on_success", True)
    if commits:
        fields.changed(
            "commit_on_success", "commits what the task changed, and not whatever else lies in the directory"
        )
    else:
        fields.mapped("commit_on_success")
    notifications = fields.part("notifications")
    for name in ("on_start", "on_end", "on_failure"):
        notifications.as_here(name, not notifications.flag(name, False), _NO_NOTICE)
    notifications.rest()
    return {"session_mode": mode, "commit_on_success": commits, **_retry(fields.part("retry"))}


def _retry(fields: Fields) -> Json:
    """There it counted the retries, waited as long each time, and tried again after any failure."""
    names = ("max_attempts", "delay_seconds", "backoff_multiplier")
    if not fields.flag("enabled", False):
        fields.mapped("enabled")
        fields.left("there is no retry", *names)
        fields.rest()
        return {}
    retries, delay = fields.number("max_attempts", 3), fields.number("delay_seconds", 60)
    factor = min(10.0, max(1.0, fields.real("backoff_multiplier", 2.0)))
    fields.changed("enabled", "only trouble that may pass is tried again: the API fails, claude is killed")
    attempts = min(100, max(1, retries + 1))
    fields.changed("max_attempts", f"was {retries} retries, is {attempts} attempts in all")
    if delay < 0:
        fields.changed("delay_seconds", "was less than nothing, is 0 now")
    else:
        fields.mapped("delay_seconds")
    fields.changed("backoff_multiplier", f"is {factor:g}, and counts now: claude-code-scheduler always waited as long")
    fields.rest()
    return {"retry": {"max_attempts": attempts, "delay_seconds": max(0, delay), "backoff": factor}}


def _merged(schedules: list[tuple[Schedule, str]]) -> list[NewSchedule]:
    """Schedules as Prefect takes them; tasks that are due at the same times share one run, in the job's order."""
    found: list[tuple[Schedule, list[str]]] = []
    for schedule, task in schedules:
        same = {k: v for k, v in schedule.items() if k != "anchor_date"}
        for other, names in found:
            if {k: v for k, v in other.items() if k != "anchor_date"} == same:
                names.append(task)
                break
        else:
            found.append((schedule, [task]))
    return [{"schedule": s, "active": True, "parameters": {"only": names}} for s, names in found]
