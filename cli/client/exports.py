"""Jobs in files: the export of a job, and reading it back."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypedDict, cast
from uuid import uuid4

from ccs.cli.client import editing
from ccs.cli.client.drafts import Draft
from ccs.cli.client.lookup import tasks_of
from ccs.cli.client.records import Deployment, DeploymentSchedule, Json, NewSchedule, Parameters, Spec
from ccs.cli.errors import RequestError
from ccs.flows.node.files import expanded, write_whole
from ccs.flows.schedules import cron, schedule

FORMAT = "ccs.job"
VERSION = 1

MAX_FILE = 20_000_000
"""Bytes of a file that are read at most; a spec is far smaller."""

_SCHEDULE_KEYS = schedule.Schedule.__annotations__.keys()
_UNWRITTEN = "nothing was written"


class Export(TypedDict):
    """A job in a file."""

    format: str
    version: int
    exported_at: str
    job: Spec
    schedules: list[NewSchedule]
    paused: bool


def exported(deployment: Deployment) -> Export:
    """The export of a job: its spec, its schedules, and whether they are paused."""
    from datetime import UTC, datetime

    spec = editing.spec_of(deployment)
    names = {str(t["id"]): str(t["name"]) for t in tasks_of(deployment)}
    return {
        "format": FORMAT,
        "version": VERSION,
        "exported_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "job": spec,
        "schedules": [_portable(s, names) for s in deployment["schedules"]],
        "paused": deployment["paused"],
    }


def text(export: Export) -> str:
    """The export as it is written."""
    return json.dumps(export, indent=2, ensure_ascii=False)


def save(export: Export, target: str) -> Path:
    """Write an export into a file, whole or not at all; its path. A device or a pipe takes it as it is."""
    path, content = expanded(target).absolute(), text(export) + "\n"
    try:
        if path.exists() and not path.is_file():  # put in its place, a file would be the end of it
            path.write_text(content, encoding="utf-8")
            return path
        path = path.resolve()
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, content, mode=0o666)
    except OSError as error:
        raise RequestError(
            f"{target} cannot be written: {error.strerror or error}", "name another file with -o"
        ) from error
    return path


def load(source: str) -> Any:
    """The JSON in a file; RequestError when there is none."""
    try:
        with expanded(source).open("rb") as file:
            raw = file.read(MAX_FILE + 1)
    except (OSError, ValueError) as error:
        raise RequestError(
            f"{source} cannot be read: {getattr(error, 'strerror', None) or error}", _UNWRITTEN
        ) from error
    return parsed(raw, source)


def parsed(raw: bytes, source: str) -> Any:
    """The JSON in what was read from a source, up to a byte more than MAX_FILE; RequestError when it is none."""
    if len(raw) > MAX_FILE:
        raise RequestError(f"{source} is larger than {MAX_FILE // 1_000_000} MB: not an export of a job", _UNWRITTEN)
    try:
        data = json.loads(raw.decode("utf-8-sig"))
        json.dumps(data, ensure_ascii=False).encode()  # half a surrogate pair could not be sent
        return data
    except (ValueError, RecursionError) as error:
        raise RequestError(f"{source} is not JSON: {error}", _UNWRITTEN) from error


def draft_of(data: Json, source: str, names: Mapping[str, str]) -> Draft:
    """The job in an export, with new task ids; RequestError when it is none.

    `source` is the export's name in errors; `names` says what its profiles are called here.
    """
    if data.get("version") != VERSION:
        raise RequestError(
            f"{source} has version {data.get('version')!r} of the format; this ccs reads {VERSION}",
            "export it again, or import it with the ccs that wrote it",
        )
    if unknown := sorted(set(data) - set(Export.__annotations__)):
        raise RequestError(f"{source}: unknown field {unknown[0]!r}", _UNWRITTEN)
    spec, schedules, paused = data.get("job"), data.get("schedules", []), data.get("paused", False)
    if not isinstance(spec, dict) or not isinstance(schedules, list) or not isinstance(paused, bool):
        raise RequestError(f"{source} holds no whole job", _UNWRITTEN)
    found = editing.dump(editing.checked(spec))  # checked here, so that tasks have the shape that follows needs
    named = {str(key): str(t["name"]) for t in found["tasks"] for key in (t["id"], t["name"])}
    for thing in (found, *found["tasks"]):
        if thing.get("profile") in names:
            thing["profile"] = names[thing["profile"]]
    for task in found["tasks"]:
        task["id"] = str(uuid4())
    return Draft(found, [_planned(s, named, source) for s in schedules], paused)


def _portable(stored: DeploymentSchedule, names: Mapping[str, str]) -> NewSchedule:
    parameters: Parameters = {**stored["parameters"]}
    if only := parameters.get("only"):
        parameters["only"] = [names.get(task, task) for task in only]
    kinds = {k: v for k, v in stored["schedule"].items() if k in _SCHEDULE_KEYS and v is not None}
    return {"schedule": cast(schedule.Schedule, kinds), "active": stored["active"], "parameters": parameters}


def _planned(exported: Any, named: Mapping[str, str], source: str) -> NewSchedule:
    """A schedule of an export, checked; RequestError when it is none."""
    try:
        if set(exported) - {"schedule", "active", "parameters"} or set(exported["schedule"]) - _SCHEDULE_KEYS:
            raise ValueError("a schedule has a field that ccs does not know")
        kinds, parameters = dict(exported["schedule"]), dict(exported.get("parameters") or {})
        if len(kinds.keys() & {"cron", "interval", "rrule"}) != 1:
            raise ValueError("it needs one of cron, interval and rrule")
        if "cron" in kinds:
            kinds["cron"] = cron.check(kinds["cron"])
        elif "interval" in kinds and not kinds["interval"] >= schedule.MIN_INTERVAL:
            raise ValueError(f"an interval is shorter than {schedule.MIN_INTERVAL} seconds")
        schedule.check_zone(kinds.get("timezone") or "UTC")
        if "only" in parameters:
            parameters["only"] = [named[task] for task in parameters["only"]]
        return {
            "schedule": cast(schedule.Schedule, kinds),
            "active": bool(exported.get("active", True)),
            "parameters": cast(Parameters, parameters),
        }
    except schedule.ZoneError as error:
        raise RequestError(f"{source}: not a schedule: {error}", error.hint) from error
    except KeyError as error:
        raise RequestError(f"{source}: a schedule names {error}, which is not there", _UNWRITTEN) from error
    except (TypeError, ValueError, AttributeError) as error:
        raise RequestError(f"{source}: not a schedule: {error}", _UNWRITTEN) from error
