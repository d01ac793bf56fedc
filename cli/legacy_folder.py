"""`ccs import-legacy`: takes over a data folder of claude-code-scheduler: profiles, jobs with their tasks, settings."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

from ccs.cli.api import Api, Json
from ccs.cli.app import Noun, Session
from ccs.cli.drafts import Draft
from ccs.cli.errors import RequestError
from ccs.cli.legacy_profiles import Profile
from ccs.cli.options import Pool
from ccs.cli.output import Columns, say, show_list
from ccs.cli.takeover import Report

app = Noun("Take over what claude-code-scheduler left behind.")

FOLDERS = ("~/.claude-scheduler", "~/.config/claude-code-scheduler")
"""Where its documentation and its code keep the data."""

_THINGS: Columns = {"KIND": "kind", "NAME": "name", "RESULT": "result", "ID": "id"}


@dataclass
class Folder:
    """What is in a data folder, as it is to be here."""

    profiles: list[Profile] = field(default_factory=list)
    jobs: list[Draft] = field(default_factory=list)


@app.verb("import-legacy", "ccs import-legacy ~/.claude-scheduler")
def import_legacy(
    directory: Annotated[str | None, typer.Argument(metavar="DIR", help=f"{FOLDERS[0]} unless given.")] = None,
    pool: Pool = None,
) -> None:
    """Take over a data folder of claude-code-scheduler; what is here already stays as it is."""
    from ccs.cli import drafts

    api, folder_path = Session.api(), _found(directory)
    report = Report(str(folder_path))
    folder = read(folder_path, report)
    pool = pool or Session.settings().pool
    drafts.require(api, report.source, pool, ())
    things = take_over(api, folder, pool)
    report.tell()
    _show(things, report)


def read(folder: Path, report: Report) -> Folder:
    """Everything in a data folder, checked; RequestError when a file is not what it should be."""
    from ccs.cli.legacy_jobs import Takeover, job_of, orphans_of
    from ccs.cli.legacy_names import shortcut
    from ccs.cli.legacy_profiles import profile_of, settings_of

    files = {name: folder / f"{name}.json" for name in ("jobs", "tasks", "profiles", "settings", "runs")}
    if not any(path.exists() for path in files.values()):
        raise RequestError(
            f"{folder} holds no data of claude-code-scheduler", "it has jobs.json, tasks.json and others"
        )
    found, names = Folder(), dict[str, str]()
    for data in _list(files["profiles"], report):
        identity, profile = profile_of(data, set(names.values()), report)
        names[identity] = profile.name
        found.profiles.append(profile)
    how = Takeover(report, lambda old: names.get(old) or shortcut(old), keep_ids=True)
    jobs, tasks = _list(files["jobs"], report), _list(files["tasks"], report)
    known = {str(job["id"]) for job in jobs if job.get("id")}
    for job in jobs:
        report.source = str(files["jobs"])
        _add(found, job_of(job, [t for t in tasks if job.get("id") and str(t.get("job_id")) == str(job["id"])], how))
    if orphans := [t for t in tasks if str(t.get("job_id")) not in known]:
        report.source = str(files["tasks"])
        _add(found, orphans_of(orphans, how))
    if files["settings"].exists():
        settings_of(_json(files["settings"], report), report)
    if _list(files["runs"], report):
        say("runs.json: what ran in the past is not taken over")
    report.source = str(folder)
    found.jobs = [draft.checked() for draft in found.jobs]
    return found


def take_over(api: Api, folder: Folder, pool: str) -> list[Json]:
    """Create what is not there yet: profiles first, then jobs; a row about each."""
    from ccs.cli import drafts, provision

    rows, schema = [], provision.profile_type(api) if folder.profiles else {}
    for profile in folder.profiles:
        there = api.profile(profile.name)
        made = there or api.create_profile(profile.name, profile.data, schema)
        rows.append(_row("profile", made, there))
    known = {str(p["name"]) for p in api.profiles()}
    for draft in folder.jobs:
        existing, _ = api.jobs(1, name=draft.name)
        made = existing[0] if existing else drafts.store(api, draft, pool)
        rows.append({**_row("job", made, existing), **_lacking(made, draft)})
        for name in sorted(draft.profiles() - known):
            say(f"warning: job {draft.name!r} needs a profile {name!r}, which is not there; its tasks fail until it is")
    return rows


def _row(kind: str, made: Json, there: object) -> Json:
    return {"kind": kind, "id": made["id"], "name": made["name"], "result": "exists already" if there else "created"}


def _lacking(deployment: Json, draft: Draft) -> Json:
    """The tasks of the folder that a job which exists already does not have."""
    from ccs.cli.lookup import tasks_of

    there = {task["id"] for task in tasks_of(deployment)}
    lacks = [str(task["name"]) for task in draft.spec["tasks"] if task["id"] not in there]
    if lacks:
        say(f"warning: job {draft.name!r} exists already and stays as it is; it lacks: {', '.join(lacks)}")
    return {"lacks": lacks} if lacks else {}


def _show(things: list[Json], report: Report) -> None:
    from ccs.cli.output import Format, Talk, prints_table, show_one

    made = sum(thing["result"] == "created" for thing in things)
    say(f"created {made} of {len(things)} things; {len(things) - made} exist already and stay as they are")
    if prints_table() or Talk.format in (Format.IDS, Format.NDJSON):
        show_list(things, _THINGS)
    else:
        show_one({"things": things, "report": report.rows()}, lambda _: "")


def _add(folder: Folder, draft: Draft) -> None:
    """Add a job under a name that no other of the folder has."""
    taken, name, count = {job.name for job in folder.jobs}, draft.name, 1
    while draft.name in taken:
        count += 1
        draft.spec["name"] = f"{name} ({count})"
    if draft.name != name:
        say(f"warning: two jobs have the name {name!r}; the later one is {draft.name!r} now")
    folder.jobs.append(draft)


def _found(directory: str | None) -> Path:
    candidates = [Path(d).expanduser() for d in ([directory] if directory else FOLDERS)]
    for path in candidates:
        if path.is_dir():
            return path
    raise RequestError(f"there is no folder {' or '.join(map(str, candidates))}", "name it: ccs import-legacy DIR")


def _list(path: Path, report: Report) -> list[Any]:
    """The objects in a file; none when the file is not there."""
    if not path.exists():
        return []
    data = _json(path, report)
    if not isinstance(data, list) or not all(isinstance(item, dict) for item in data):
        raise RequestError(f"{path} is not a list of objects", "nothing was written")
    return data


def _json(path: Path, report: Report) -> Any:
    from ccs.cli import exports

    report.source = str(path)
    return exports.load(str(path))
