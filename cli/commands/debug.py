"""`ccs debug`: look inside, from the server's data and from what runs left on this machine."""

import os
from importlib.metadata import version
from typing import Annotated

import typer

from ccs.blocks.redact import MASK
from ccs.blocks.sensitivity import is_sensitive
from ccs.cli import words
from ccs.cli.app import Noun, Session
from ccs.cli.client import lookup
from ccs.cli.client.records import ProfileVariable
from ccs.cli.commands import profiles, runs, state, tasks
from ccs.cli.commands.options import Limit, ProfileRef, RunRef, TaskRef
from ccs.cli.diagnosis import credentials, machine, transcripts
from ccs.cli.errors import NotFoundError
from ccs.cli.terminal.output import Columns, Format, Row, Talk, fields, show_list, show_one, write

app = Noun("Look inside: jobs, runs, transcripts, environments, settings.")

_VERBS = {
    "all": "Everything below, in one answer.",
    "tasks": "All tasks.",
    "task": "One task with everything that is set.",
    "runs": "The latest runs (-n says how many).",
    "run": "One run with what each task did.",
    "logs": "The transcripts and logs on this machine.",
    "log": "A run's transcripts on this machine, line by line.",
    "profiles": "All profiles, with their variables.",
    "env": "What the variables of a profile resolve to on this machine.",
    "settings": "Where each setting comes from.",
    "options": "This list.",
}
_FILES: Columns[transcripts.FileRow] = {
    "RUN OR LOG": lambda f: words.short(f["id"]) if f["kind"] == "transcript" else f["id"],
    "SIZE": lambda f: f"{f['bytes'] / 1000:,.1f} KB",
    "CHANGED": lambda f: words.ago(f["modified"]),
    "PATH": "path",
}
_ENV: Columns[Row] = {"VARIABLE": "name", "SOURCE": "source", "FROM": "from", "STATUS": "status", "VALUE": "value"}


@app.verb("all", "ccs debug all --output yaml", reads=True)
def all_() -> None:
    """Settings, jobs, tasks, profiles, runs, nodes and the files on this machine, in one answer."""
    found, logs = state.read(lookup.ALL), transcripts.files(Session.settings().home)
    text = f"{fields(_settings())}\n\n{state.text(found)}"
    show_one({"settings": _settings(), **found, "logs": logs}, lambda _: text)


@app.verb("tasks", "ccs debug tasks")
def tasks_() -> None:
    """All tasks."""
    tasks.list_(limit=lookup.ALL)


@app.verb("task", "ccs debug task nightly/fix", reads=True)
def task(task: TaskRef) -> None:
    """One task with everything that is set."""
    tasks.get(task)


@app.verb("runs", "ccs debug runs -n 20", reads=True)
def runs_(number: Annotated[int, typer.Option("-n", "--limit", min=1, metavar="N", help="So many.")] = 10) -> None:
    """The latest runs."""
    runs.list_(limit=number)


@app.verb("run", "ccs debug run 3f2a", reads=True)
def run(run: RunRef) -> None:
    """One run with what each task did, cost and left behind."""
    runs.get(run)


@app.verb("logs", "ccs debug logs")
def logs(limit: Limit = 50) -> None:
    """The transcripts of runs and the logs of server and node on this machine, the latest first."""
    found = transcripts.files(Session.settings().home)
    show_list(found[:limit], _FILES, "logs", f"nothing in {Session.settings().home}: no run took place on this machine")


@app.verb("log", "ccs debug log 3f2a | jq -c 'select(.type == \"result\")'", reads=True)
def log(run: RunRef) -> None:
    """The raw transcripts of a run, line by line, from this machine.

    Secrets in them were masked when it ran.
    """
    home = Session.settings().home
    try:
        paths = transcripts.of_run(home, run)
    except NotFoundError:  # it may be the name of a run, which the server knows
        paths = transcripts.of_run(home, lookup.run(Session.api(), run)["id"])
    if Talk.format in (None, Format.TABLE, Format.NDJSON):
        for line in transcripts.lines(paths):
            write(line)
    else:
        show_list([{"id": run, "path": str(p), "lines": list(transcripts.lines([p]))} for p in paths], {})


@app.verb("profiles", "ccs debug profiles", reads=True)
def profiles_() -> None:
    """All profiles, with their variables."""
    profiles.list_()


@app.verb("env", "ccs debug env anthropic", reads=True)
def env(profile: ProfileRef) -> None:
    """What the variables of a profile resolve to on this machine.

    Values that are or may be secret are masked.
    """
    found = lookup.profile(Session.api(), profile)
    data = found["data"]
    missing = credentials.unresolved(data, os.environ)
    rows = [_variable(name, v, name in missing) for name, v in sorted(credentials.variables(data).items())]
    show_list(rows, _ENV, "variables", f"profile {found['name']!r} has no variables")


@app.verb("settings", "ccs debug settings", reads=True)
def settings() -> None:
    """Where ccs looks for what: server, login, pool, folders, programs, and who said so."""
    show_one(_settings(), fields)


@app.verb("options", "ccs debug options", reads=True)
def options() -> None:
    """What `ccs debug` can look at."""
    rows = [{"id": name, "command": f"ccs debug {name}", "help": text} for name, text in _VERBS.items()]
    show_list(rows, {"COMMAND": "command", "SHOWS": "help"}, "options")


def _variable(name: str, variable: ProfileVariable, is_missing: bool) -> Row:
    source, value = variable["source"], variable.get("value", "")
    here = os.environ.get(value, "") if source == "env" else value
    hidden = source == "secret" or is_sensitive(name, here) or (source == "env" and is_sensitive(value, here))
    status = {"secret": "kept on the server", "unset": "removed"}.get(source, "set" if here else "empty: not set")
    return {
        "id": name,
        "name": name,
        "source": source,
        "from": value if source == "env" else "",
        "status": "not set on this machine: its tasks fail here" if is_missing else status,
        "value": (MASK if hidden else here) if here or source == "secret" else "",
    }


def _settings() -> Row:
    settings = Session.settings()
    names = ("PREFECT_API_AUTH_STRING", "PREFECT_API_KEY")
    login = next((name for name in names if settings.value(name)), "in the address or a header")
    return {
        "api_url": settings.api_url,
        "api_url_from": settings.origin,
        "ui_url": settings.ui_url,
        "login": login if settings.headers.get("Authorization") else "none",
        "pool": settings.pool,
        "home": str(settings.home),
        "claude": machine.claude(settings) or "not found",
        "prefect_profile": settings.active_profile or "none",
        "prefect_profiles_file": str(settings.profiles_path),
        "ccs": version("ccs"),
        "set": sorted(n for n in settings.env if n.startswith(("CCS_", "PREFECT_"))),
    }
