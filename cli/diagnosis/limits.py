"""Usage limits that hold: whose they are, until when, which of them make a job wait, and lifting one early."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import TypedDict

from ccs.cli import words
from ccs.cli.client import lookup, views
from ccs.cli.client.api import Api
from ccs.cli.client.records import Deployment, FlowRun
from ccs.cli.diagnosis.findings import Finding, warn
from ccs.flows.server.names import LIMIT, limit_variable, limited
from ccs.flows.server.variables import ServerVariable
from ccs.flows.spec.verdict import TaskState

_SOON = timedelta(seconds=30)
"""So long before it is due, a node may have taken up a run that waits."""


class LiftedLimit(TypedDict):
    """What the lifting of a limit did."""

    lifted: bool  # False when none held
    until: str | None  # when it would have ended
    runs: list[str]  # names of those that go on


def all_of(api: Api) -> Iterator[Finding]:
    """Every limit that holds."""
    return _findings(api, api.variables.beginning(LIMIT))


def of_job(api: Api, thing: Deployment | FlowRun) -> Iterator[Finding]:
    """Those that make tasks of this job or run wait: of profiles, or of the nodes' logins where they have none."""
    held = api.variables.beginning(LIMIT)
    if not held:
        return
    spec, pool = lookup.spec_of(thing), thing["work_pool_name"]
    tasks = [task for task in lookup.tasks_of(thing) if task.get("enabled", True)]
    profiles = {task.get("profile") or spec.get("profile") for task in tasks}
    names = {limit_variable(profile, "") for profile in profiles if profile}
    if None in profiles and pool and api.pool(pool):
        names |= {limit_variable(None, node["name"]) for node in api.nodes(pool)}
    yield from _findings(api, [v for v in held if v.name in names])


def of_node(api: Api, name: str) -> str | None:
    """The variable of the limit of a node's login, by its name or as a finding has it; None when none is known."""
    held, own = [v.name for v in api.variables.beginning(LIMIT)], limit_variable(None, name)
    return own if own in held else next((v for v in held if limited(v) == (True, name)), None)


def lift(api: Api, name: str) -> LiftedLimit:
    """Have those who wait for the end of a limit, the variable of this name, go on now; what was done.

    It is made one whose reset has passed: the first task to go on tries, and the others follow when it had an answer.
    """
    now, until = api.server_time, None
    held = api.variables.read(name)
    if held and (ends := _until(held)) and ends > now:
        until = ends
        api.variables.update(held.id, {**held.fields, "until": now.timestamp(), "pause": 0})
    runs = list(_waiting(api, name))
    for run in runs:
        message = "Started with ccs before the reset of the usage limit"
        api.set_state(run["id"], "SCHEDULED", str(run["state_name"]), message, now)
    names = [run["name"] for run in runs]
    return {"lifted": until is not None, "until": until.isoformat() if until else None, "runs": names}


def _waiting(api: Api, name: str) -> Iterator[FlowRun]:
    """The runs that wait for the end of a limit, and not only for some seconds more."""
    runs, _ = api.runs({"state": {"name": {"any_": ["AwaitingRetry"]}}}, lookup.ALL)
    later = [run for run in runs if datetime.fromisoformat(views.due(run) or "") > api.server_time + _SOON]
    rows = api.results([run["id"] for run in later])
    for run in later:
        tasks = [row for row in rows.get(run["id"], []) if row["verdict"] == TaskState.WAITING]
        if name in {limit_variable(row["profile"] or None, row["node"]) for row in tasks}:
            yield run


def _findings(api: Api, variables: Iterable[ServerVariable]) -> Iterator[Finding]:
    for variable in variables:
        until = _until(variable)
        if until is None or until <= api.server_time:
            continue  # it is over, and the next task will find out
        of_node, who = limited(variable.name)
        whose = f"the login of node {who!r}" if of_node else f"profile {who!r}"
        when = f"{words.clock(until)} ({words.ago(until.isoformat())})"
        command = f"ccs {'nodes' if of_node else 'profiles'} lift-limit {who}"
        lift_it = f"wait, or use another profile; if it is over already: {command}"
        yield warn("limit", f"usage limit of {whose} until {when}: its tasks wait until then", lift_it)


def _until(variable: ServerVariable) -> datetime | None:
    until = variable.fields.get("until")
    try:
        return datetime.fromtimestamp(float(until), UTC) if until else None
    except (TypeError, ValueError, OverflowError, OSError):
        return None
