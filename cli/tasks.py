"""`ccs tasks`: the Claude Code sessions of a job."""

from typing import Annotated, Any, cast

import typer

from ccs.cli import lookup, views
from ccs.cli.api import FIRST_JOBS, Json
from ccs.cli.app import Noun, Session
from ccs.cli.errors import RequestError
from ccs.cli.options import (
    Bedrock,
    Force,
    Limit,
    TaskRef,
    Wait,
    Zai,
    confirm,
    duration,
    given,
    more,
    profile_of,
    source_text,
)
from ccs.cli.output import Columns, fields, say, short, show_list, show_one

_FIRST_TASKS = 500

app = Noun("Tasks of a job: one Claude Code session each.")


def _text_option(flag: str, metavar: str, help: str) -> Any:
    return typer.Option(flag, metavar=metavar, help=help)


InJob = Annotated[str | None, _text_option("--job", "JOB", "The job it belongs to.")]
Prompt = Annotated[str | None, _text_option("--prompt", "TEXT", "What claude is to do; - reads it from stdin.")]
PromptFile = Annotated[str | None, _text_option("--prompt-file", "PATH", "File on the node that holds the prompt.")]
Command = Annotated[str | None, _text_option("--command", "TEXT", "A slash command, such as '/review src'.")]
Model = Annotated[str | None, _text_option("--model", "NAME", "sonnet (default), opus, haiku or a full name.")]
Profile = Annotated[str | None, _text_option("--profile", "NAME", "Profile for this task instead of the job's.")]
Permissions = Annotated[
    str | None, _text_option("--permissions", "MODE", "default, acceptEdits, plan, dontAsk, auto or bypass (default).")
]
OnDenied = Annotated[str | None, _text_option("--on-denied", "fail|warn", "What a denied tool call means.")]
Allowed = Annotated[list[str] | None, _text_option("--allowed-tools", "RULES", "Run without asking; repeatable.")]
Disallowed = Annotated[list[str] | None, _text_option("--disallowed-tools", "RULES", "Never run; repeatable.")]
System = Annotated[str | None, _text_option("--append-system-prompt", "TEXT", "Added to the system prompt.")]
Mcp = Annotated[str | None, _text_option("--mcp-config", "FILE|JSON", "MCP servers; no others are used.")]
Turns = Annotated[int | None, typer.Option("--max-turns", metavar="N", help="Stop after so many replies.")]
Budget = Annotated[float | None, typer.Option("--budget", metavar="USD", help="Stop when it has cost so much.")]
Timeout = Annotated[str | None, _text_option("--timeout", "TIME", "For the whole task, such as 90m (default 2h).")]
First = Annotated[str | None, _text_option("--first-output-timeout", "TIME", "Until its first output (default 2m).")]
Idle = Annotated[str | None, _text_option("--idle-timeout", "TIME", "Without any output (default 15m).")]
SessionMode = Annotated[str | None, _text_option("--session-mode", "MODE", "new (default); no other is supported yet.")]
Commit = Annotated[
    bool | None, typer.Option("--commit-on-success/--no-commit-on-success", help="Committing is not supported yet.")
]
Enabled = Annotated[bool | None, typer.Option("--enabled/--disabled", help="A disabled task is skipped.")]

_TASKS: Columns = {
    "JOB": "job",
    "TASK": "name",
    "ENABLED": "enabled",
    "MODEL": "model",
    "PERMISSIONS": "permissions",
    "WHAT": lambda t: t.get("prompt") or t.get("command") or t.get("prompt_file"),
    "ID": lambda t: short(t["id"]),
}


@app.verb("list", "ccs tasks list --job nightly")
def list_(job: InJob = None, limit: Limit = _FIRST_TASKS) -> None:
    """The tasks of all jobs, or of one."""
    api = Session.api()
    jobs, total = (
        ([lookup.job(api, job)], 1) if job else api.jobs(max(FIRST_JOBS, limit if limit > _FIRST_TASKS else 0))
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


@app.verb(
    "create", 'ccs tasks create --job nightly --name fix --prompt "Make the tests pass" --permissions acceptEdits'
)
def create(
    job: Annotated[str, typer.Option("--job", metavar="JOB", help="The job it belongs to.")],
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="Name of the task, unique in its job.")],
    prompt: Prompt = None,
    prompt_file: PromptFile = None,
    command: Command = None,
    model: Model = None,
    profile: Profile = None,
    permissions: Permissions = None,
    on_denied: OnDenied = None,
    allowed_tools: Allowed = None,
    disallowed_tools: Disallowed = None,
    append_system_prompt: System = None,
    mcp_config: Mcp = None,
    max_turns: Turns = None,
    budget: Budget = None,
    timeout: Timeout = None,
    first_output_timeout: First = None,
    idle_timeout: Idle = None,
    enabled: Enabled = None,
    zai: Zai = False,
    bedrock: Bedrock = False,
    session_mode: SessionMode = None,
    commit_on_success: Commit = None,
) -> None:
    """Add a task at the end of a job."""
    from uuid import uuid4

    task = {"id": str(uuid4()), **_fields(locals())}
    deployment = lookup.job(Session.api(), job)
    _store(deployment, lambda spec: spec.setdefault("tasks", []).append(task), task)
    say(f"created task {deployment['name']}/{name}; run it with: ccs jobs run {deployment['name']!r} --wait")
    _show(str(deployment["id"]), str(task["id"]))


@app.verb("update", "ccs tasks update nightly/fix --model opus --timeout 90m")
def update(
    task: TaskRef,
    name: Annotated[str | None, typer.Option("--name", metavar="NAME", help="A new name.")] = None,
    prompt: Prompt = None,
    prompt_file: PromptFile = None,
    command: Command = None,
    model: Model = None,
    profile: Profile = None,
    permissions: Permissions = None,
    on_denied: OnDenied = None,
    allowed_tools: Allowed = None,
    disallowed_tools: Disallowed = None,
    append_system_prompt: System = None,
    mcp_config: Mcp = None,
    max_turns: Turns = None,
    budget: Budget = None,
    timeout: Timeout = None,
    first_output_timeout: First = None,
    idle_timeout: Idle = None,
    enabled: Enabled = None,
    unset: Annotated[list[str] | None, typer.Option("--unset", metavar="FIELD", help="Back to the default.")] = None,
    zai: Zai = False,
    bedrock: Bedrock = False,
    session_mode: SessionMode = None,
    commit_on_success: Commit = None,
) -> None:
    """Change a task; what is not named stays."""
    changes = _fields(locals())
    if not (changes or unset):
        raise RequestError("nothing to change was named", "see: ccs tasks update --help")
    _change(task, changes, unset or [])


@app.verb("run", "ccs tasks run nightly/fix --wait")
def run(task: TaskRef, wait: Wait = False) -> None:
    """Run one task of a job now."""
    from ccs.cli import starting

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


def _change(name: str, changes: Json, unset: list[str] | None = None) -> None:
    from ccs.cli import editing

    deployment, found = lookup.task(Session.api(), name)
    sources = {"prompt", "prompt_file", "command"}
    if sources & changes.keys():
        unset = [*(unset or []), *(s for s in sources - changes.keys() if s in found)]
    _store(deployment, lambda spec: editing.assign(_in(spec, found), changes, unset or []), changes)
    _show(str(deployment["id"]), str(found["id"]))


def _store(deployment: Json, change: Any, task: Json) -> None:
    from ccs.cli import editing

    editing.require_profiles(Session.api(), {"tasks": [task]})
    editing.edit(Session.api(), deployment, change)


def _show(job: str, task: str) -> None:
    deployment = Session.api().job(job)
    show_one(views.task(deployment, lookup.task_in(deployment, lookup.tasks_of(deployment), task)), _text)


def _in(spec: Json, task: Json) -> Json:
    """The task in a spec that was read anew; RequestError when it is gone."""
    for candidate in spec.get("tasks", []):
        if candidate.get("id") == task["id"] or (not candidate.get("id") and candidate["name"] == task["name"]):
            return cast("Json", candidate)
    raise RequestError(f"task {task['name']!r} was deleted in the meantime", "list them with: ccs tasks list")


def _fields(options: Json) -> Json:
    """The fields of a task from the options of a command."""
    _refuse_unsupported(options["session_mode"], options["commit_on_success"])
    options = {**options, "profile": profile_of(options["profile"], options["zai"], options["bedrock"])}
    same = ("name", "prompt_file", "command", "model", "profile", "permissions", "on_denied", "append_system_prompt")
    found = given(**{k: options[k] for k in (*same, "mcp_config", "max_turns", "enabled")})
    found |= given(prompt=source_text(options["prompt"], "--prompt"), budget_usd=options["budget"])
    found |= given(**{k: duration(options[k]) for k in ("timeout", "first_output_timeout", "idle_timeout")})
    return found | given(**{k: _rules(options[k]) for k in ("allowed_tools", "disallowed_tools")})


def _refuse_unsupported(session_mode: str | None, commit: bool | None) -> None:
    """Raise RequestError for what was asked for and would not happen."""
    if session_mode not in (None, "new"):
        raise RequestError(
            f"--session-mode {session_mode} is not supported yet: every task begins a session of its own",
            "leave it out, or say --session-mode new",
        )
    if commit:
        raise RequestError(
            "--commit-on-success is not supported yet: ccs does not commit after a task",
            "leave it out, and ask for the commit in the prompt",
        )


def _rules(texts: list[str] | None) -> list[str]:
    """Rules from options that may each hold several, separated by commas outside of brackets."""
    import re

    return [rule.strip() for text in texts or [] for rule in re.findall(r"(?:[^,(]|\([^)]*\)?)+", text) if rule.strip()]


def _text(task: Json) -> str:
    names = {"name": "Task", "budget_usd": "Budget"}
    order = ["job", "name", "id", "enabled", *(k for k in task if k not in ("job", "name", "id", "enabled"))]
    times = ("timeout", "first_output_timeout", "idle_timeout")
    shown = {k: views.span(task[k]) if k in times else task[k] for k in order if k in task}
    return fields({names.get(k, k.replace("_", " ").capitalize()): v for k, v in shown.items()})
