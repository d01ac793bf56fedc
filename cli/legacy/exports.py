"""Reading a job from a file: an export of ccs, or one of claude-code-scheduler."""

from collections.abc import Mapping
from typing import Any

from ccs.cli.client import exports
from ccs.cli.client.drafts import Draft
from ccs.cli.client.records import Json
from ccs.cli.errors import RequestError
from ccs.cli.legacy.jobs import Takeover, job_of
from ccs.cli.legacy.names import shortcut
from ccs.cli.legacy.takeover import Fields, TakeoverReport

_UNWRITTEN = "nothing was written"


def read(data: Any, report: TakeoverReport, names: Mapping[str, str]) -> Draft:
    """The job in an export of ccs or of claude-code-scheduler, with new task ids.

    `names` says what the profiles of the file are called here; RequestError when the file is neither.
    """
    if isinstance(data, dict) and data.get("format") == exports.FORMAT:
        return exports.draft_of(data, report.source, names)
    if isinstance(data, dict) and isinstance(data.get("export"), dict):  # what its `jobs export` printed
        data = data["export"]
    if isinstance(data, dict) and isinstance(data.get("job"), dict) and "tasks" in data:
        return _legacy(data, report, names)
    raise RequestError(f"{report.source} is neither an export of ccs nor of claude-code-scheduler", _UNWRITTEN)


def _legacy(data: Json, report: TakeoverReport, names: Mapping[str, str]) -> Draft:
    if data.get("version") != "1.0":
        raise RequestError(
            f"{report.source} has version {data.get('version')!r} of claude-code-scheduler's format, not '1.0'",
            _UNWRITTEN,
        )
    fields = Fields(data, "export", report)
    tasks = fields.items("tasks")
    if not all(isinstance(task, dict) for task in tasks):
        raise RequestError(f"{report.source}: one of its tasks is not an object", _UNWRITTEN)
    fields.mapped("job", "tasks")
    fields.left("follows from the job and its tasks", "version", "exported_at", "profiles_referenced")
    fields.rest()
    return job_of(data["job"], tasks, Takeover(report, lambda old: names.get(old) or shortcut(old)))
