"""`ccs import-legacy`: takes over a data folder of claude-code-scheduler: profiles, jobs with their tasks, settings."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, NotRequired

import typer

from ccs.cli.app import Noun, Session
from ccs.cli.client import drafts, exports, provision
from ccs.cli.client.api import Api
from ccs.cli.client.drafts import Draft
from ccs.cli.client.lookup import tasks_of
from ccs.cli.client.records import Deployment, Json, Named
from ccs.cli.commands import takeover
from ccs.cli.commands.options import Pool
from ccs.cli.errors import RequestError
from ccs.cli.legacy.jobs import Takeover, job_of, orphans_of
from ccs.cli.legacy.names import shortcut
from ccs.cli.legacy.profiles import ProfileDraft, profile_of, settings_of
from ccs.cli.legacy.takeover import FieldFinding, FieldOutcome, TakeoverReport
from ccs.cli.terminal.output import Columns, Format, Talk, prints_table, say, show_list, show_one
from ccs.flows.node.files import expanded

app = Noun("Take over what claude-code-scheduler left behind.")

FOLDERS = ("~/.claude-scheduler", "~/.config/claude-code-scheduler")
"""Where its documentation and its code keep the data."""


class TakenRow(Named):
    """A profile or job of a folder, and what became of it."""

    kind: str
    result: str
    lacks: NotRequired[list[str]]
    """Names of the tasks that a job which exists already does not have."""


_THINGS: Columns[TakenRow] = {"KIND": "kind", "NAME": "name", "RESULT": "result", "ID": "id"}


@dataclass
class Folder:
    """What is in a data folder, as it is to be here."""

    profiles: list[tuple[ProfileDraft, TakeoverReport]] = field(default_factory=list)
    jobs: list[tuple[Draft, TakeoverReport]] = field(default_factory=list)
    rest: TakeoverReport = field(default_factory=lambda: TakeoverReport(""))  # what belongs to none of them


@app.verb("import-legacy", "ccs import-legacy ~/.claude-scheduler")
def import_legacy(
    directory: Annotated[str | None, typer.Argument(metavar="DIR", help=f"{FOLDERS[0]} unless given.")] = None,
    pool: Pool = None,
) -> None:
    """Take over a data folder of claude-code-scheduler; what is here already stays as it is."""
    api, path = Session.api(), _found(directory)
    folder = read(path)
    pool = pool or Session.settings().pool
    drafts.require(api, str(path), pool, ())
    things, report = take_over(api, folder, pool)
    takeover.tell(report)
    _show(things, report)


def read(folder: Path) -> Folder:
    """Everything in a data folder, checked; RequestError when a file is not what it should be."""
    files = {name: folder / f"{name}.json" for name in ("jobs", "tasks", "profiles", "settings", "runs")}
    if not any(path.exists() for path in files.values()):
        raise RequestError(
            f"{folder} holds no data of claude-code-scheduler", "it has jobs.json, tasks.json and others"
        )
    found = Folder()
    names = _profiles(files["profiles"], found)

    def how(file: str) -> Takeover:
        return Takeover(TakeoverReport(str(files[file])), lambda old: names.get(old) or shortcut(old), keep_ids=True)

    jobs, tasks = _list(files["jobs"]), _list(files["tasks"])
    known = {str(job["id"]) for job in jobs if job.get("id")}
    for job in jobs:
        of_job = [t for t in tasks if job.get("id") and str(t.get("job_id")) == str(job["id"])]
        _add(found, job_of(job, of_job, of := how("jobs")), of.report)
    if orphans := [t for t in tasks if str(t.get("job_id")) not in known]:
        _add(found, orphans_of(orphans, of := how("tasks")), of.report)
    if files["settings"].exists():
        found.rest.source = str(files["settings"])
        settings_of(exports.load(str(files["settings"])), found.rest)
    if _list(files["runs"]):
        found.rest.findings.append(
            FieldFinding("history", "runs.json", FieldOutcome.NOT_MAPPED, "what ran before stays there")
        )
    return found


def _profiles(path: Path, found: Folder) -> dict[str, str]:
    """Add the profiles in a file; what each is called here, by its id there."""
    names: dict[str, str] = {}
    for data in _list(path):
        report = TakeoverReport(str(path))
        identity, profile = profile_of(data, {p.name for p, _ in found.profiles}, report)
        names[identity] = profile.name
        found.profiles.append((profile, report))
    return names


def take_over(api: Api, folder: Folder, pool: str) -> tuple[list[TakenRow], TakeoverReport]:
    """Create what is not there yet, profiles first, then jobs: a row about each, and the findings about the new."""
    rows, findings = [], TakeoverReport("")
    if folder.profiles:
        schema = provision.profile_type(api)
        for profile, report in folder.profiles:
            there = api.profile(profile.name)
            made = there or api.create_profile(profile.name, profile.data, schema)
            findings.findings += [] if there else report.findings
            rows.append(_row("profile", made, there))
    known = {p["name"] for p in api.profiles()}
    for draft, report in folder.jobs:
        existing, _ = api.jobs(1, name=draft.name)
        job = existing[0] if existing else drafts.store(api, draft, pool)
        findings.findings += [] if existing else report.findings
        rows.append(_row("job", job, existing))
        if lacks := _lacking(job, draft):
            rows[-1]["lacks"] = lacks
        for name in sorted(draft.profiles() - known):
            say(f"warning: job {draft.name!r} needs a profile {name!r}, which is not there; its tasks fail until it is")
    findings.findings += folder.rest.findings
    return rows, findings


def _row(kind: str, made: Named, there: object) -> TakenRow:
    return {"kind": kind, "id": made["id"], "name": made["name"], "result": "exists already" if there else "created"}


def _lacking(deployment: Deployment, draft: Draft) -> list[str]:
    """The tasks of the folder that a job which exists already does not have."""
    there = {task["id"] for task in tasks_of(deployment)}
    lacks = [str(task["name"]) for task in draft.spec["tasks"] if task["id"] not in there]
    if lacks:
        say(f"warning: job {draft.name!r} exists already and stays as it is; it lacks: {', '.join(lacks)}")
    return lacks


def _show(things: list[TakenRow], report: TakeoverReport) -> None:
    made = sum(thing["result"] == "created" for thing in things)
    kept = len(things) - made
    say(f"created {made} of {len(things)}" + (f"; {kept} exist already and stay as they are" if kept else ""))
    if prints_table() or Talk.format in (Format.IDS, Format.NDJSON):
        show_list(things, _THINGS)
    else:
        show_one({"things": things, "report": report.rows()}, lambda _: "")


def _add(folder: Folder, draft: Draft, report: TakeoverReport) -> None:
    """Add a job, checked, under a name that no other of the folder has."""
    taken, name, count = {job.name for job, _ in folder.jobs}, draft.name, 1
    while draft.name in taken:
        count += 1
        draft.spec["name"] = f"{name} ({count})"
    if draft.name != name:
        reason = f"two jobs have the name {name!r}; the later one is {draft.name!r} now"
        report.findings.append(FieldFinding(f"job {name!r}", "name", FieldOutcome.CHANGED, reason))
    folder.jobs.append((draft.checked(), report))


def _found(directory: str | None) -> Path:
    candidates = [expanded(d) for d in ([directory] if directory else FOLDERS)]
    for path in candidates:
        if path.is_dir():
            return path
    raise RequestError(f"there is no folder {' or '.join(map(str, candidates))}", "name it: ccs import-legacy DIR")


def _list(path: Path) -> list[Json]:
    """The objects in a file; none when the file is not there."""
    data = exports.load(str(path)) if path.exists() else []
    if not isinstance(data, list) or not all(isinstance(item, dict) for item in data):
        raise RequestError(f"{path} is not a list of objects", "nothing was written")
    return data
