"""Usage limits that hold: whose they are, until when, and which of them make a job wait."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from ccs.cli import lookup, views
from ccs.cli.api import Api, Json
from ccs.cli.findings import Finding, warn
from ccs.flows.spec import limit_variable

_BEGINNING = "ccs_limit_"
_OF_NODE = "node_"  # profiles have no underscore in their names


def all_of(api: Api) -> Iterator[Finding]:
    """Every limit that holds."""
    return _findings(api, api.variables(_BEGINNING))


def of_job(api: Api, thing: Json) -> Iterator[Finding]:
    """Those that make tasks of this job or run wait: of profiles, or of the nodes' logins where they have none."""
    held = api.variables(_BEGINNING)
    if not held:
        return
    spec, pool = lookup.spec_of(thing), thing.get("work_pool_name")
    tasks = [task for task in lookup.tasks_of(thing) if task.get("enabled", True)]
    profiles = {task.get("profile") or spec.get("profile") for task in tasks}
    names = {limit_variable(profile, "") for profile in profiles if profile}
    if None in profiles and pool and api.pool(pool):
        names |= {limit_variable(None, node["name"]) for node in api.nodes(pool)}
    yield from _findings(api, [v for v in held if v["name"] in names])


def _findings(api: Api, variables: Iterable[Json]) -> Iterator[Finding]:
    for variable in variables:
        until = _until(variable)
        if until is None or until <= api.server_time:
            continue  # it is over, and the next task will find out
        who = str(variable["name"]).removeprefix(_BEGINNING)
        of_node = who.startswith(_OF_NODE)
        whose = f"the login of node {who.removeprefix(_OF_NODE)!r}" if of_node else f"profile {who!r}"
        when = f"{views.clock(until)} ({views.ago(until.isoformat())})"
        lift = f"wait, or use another profile; if it is over already: prefect variable delete {variable['name']}"
        yield warn("limit", f"usage limit of {whose} until {when}: its tasks wait until then", lift)


def _until(variable: Json) -> datetime | None:
    value = variable.get("value")
    until = value.get("until") if isinstance(value, dict) else None
    try:
        return datetime.fromtimestamp(float(until), UTC) if until else None
    except (TypeError, ValueError, OverflowError, OSError):
        return None
