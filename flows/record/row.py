"""The row of a task in the table of a run: what the run writes down, and what it and the command line read back."""

import json
from collections.abc import Mapping
from typing import Any, TypedDict, cast

DESCRIBED = "Tasks of job "
"""How the description of a table begins; the name of the job follows."""


class FiguresRow(TypedDict):
    """What the attempts of a task took together, in this run."""

    attempts: int
    """How often `claude` was started."""
    turns: int
    """Replies of the model."""
    cost_usd: float
    """claude's own estimate, in US dollars."""
    cost_is_partial: bool
    """Whether it cost at least that: an attempt ended without a figure."""
    input_tokens: int
    output_tokens: int
    duration_seconds: float
    """How long `claude` ran."""


class UsedRow(TypedDict):
    """What a task has used of what it may, when it waits for a usage limit."""

    retries: int
    fixes: int
    """Rounds in which the output of a failed gate went back to the session."""
    seconds: float
    """Of the task's timeout."""


class PauseRow(TypedDict):
    """Until when a task waits for a usage limit, and how it goes on then."""

    waits_until: float | None
    """When it goes on, in seconds since 1970; None when it does not wait."""
    limited_since: float | None
    """Since when it has got nowhere for usage limits, in seconds since 1970."""
    used: UsedRow
    run_seconds: float
    """What the run has used of its timeout."""


class TaskRow(FiguresRow, PauseRow):
    """One task in the table of a run."""

    job: str
    """The job's name."""
    task: str
    """The task's name."""
    id: str
    """The task's id; empty in rows that have none, which no run goes on from."""
    verdict: str
    """A Reason or a TaskState; a newer ccs may have others."""
    detail: str
    """One sentence on the verdict."""
    profile: str
    """Empty for the login of the node's user."""
    model: str
    """The models that answered, joined by commas; before that the one that was asked for."""
    started: str | None
    """When its first attempt began, in ISO 8601; None when there was none."""
    session_id: str
    """The session of the last attempt."""
    transcript: str
    """The file on the node that holds the last attempt."""
    directory: str
    """Where it worked on the node."""
    changed: int
    """How many files were changed while it ran."""
    commit: str
    """The commit, or several joined by commas, that hold its changes; empty without one."""
    aside: str
    """What was set aside of its changes and where, in a sentence; empty for nothing."""
    undecided: bool
    """Whether its changes are yet to be committed or set aside, together with those of a task beside it."""
    output: Any
    """The object that its output_schema asked for."""
    node: str
    """The node it ran on."""


NO_PAUSE: PauseRow = {
    "waits_until": None,
    "limited_since": None,
    "used": {"retries": 0, "fixes": 0, "seconds": 0.0},
    "run_seconds": 0.0,
}
"""Of a task that does not wait. Rows are not changed in place."""

EMPTY: TaskRow = {
    "job": "",
    "task": "",
    "id": "",
    "verdict": "",
    "detail": "",
    "attempts": 0,
    "turns": 0,
    "cost_usd": 0.0,
    "cost_is_partial": False,
    "input_tokens": 0,
    "output_tokens": 0,
    "duration_seconds": 0.0,
    "profile": "",
    "model": "",
    "started": None,
    "session_id": "",
    "transcript": "",
    "directory": "",
    "changed": 0,
    "commit": "",
    "aside": "",
    "undecided": False,
    "output": None,
    **NO_PAUSE,
    "node": "",
}
"""A row that says nothing yet."""


def read_table(data: object, description: str | None) -> list[TaskRow]:
    """The rows in the data of a table artifact, a JSON text.

    What is no row is left out; what is missing in a row, or damaged, is as in an empty one. Rows of an older ccs do
    not name their job, which the table's `description` does.
    """
    try:
        found = json.loads(data) if isinstance(data, str) else data
    except ValueError:
        return []
    job = (description or "").removeprefix(DESCRIBED)
    rows = [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []
    return [cast(TaskRow, _filled({**EMPTY, "job": job}, row)) for row in rows]


def _filled(empty: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    """What was found, in the form of the empty one; keys of a newer ccs stay as they are."""
    filled = {**empty, **found}
    for key, default in empty.items():
        if isinstance(default, dict) and isinstance(found.get(key), dict):
            filled[key] = _filled(default, found[key])
        elif not _is_like(default, filled[key]):
            filled[key] = default
    return filled


def _is_like(default: object, value: object) -> bool:
    if default is None:
        return True
    if isinstance(default, bool):
        return isinstance(value, bool)
    return isinstance(value, int | float) if isinstance(default, int | float) else isinstance(value, type(default))
