"""Overlap: runs of a job that wait, waited or were cancelled because others of it were still under way."""

from collections.abc import Iterator
from datetime import datetime

from ccs.cli import words
from ccs.cli.client import prefect_words, views
from ccs.cli.client.api import Api
from ccs.cli.client.records import ConcurrencyLimit, Deployment, FlowRun
from ccs.cli.diagnosis.findings import Finding, fail, info, warn

_ALIVE = ("PENDING", "RUNNING", "CANCELLING")


def of_job(api: Api, deployment: Deployment) -> Iterator[Finding]:
    """That no further run of a job can start now: what is in its way, and what becomes of it."""
    limit = _limit(deployment)
    if not limit or limit["active_slots"] < limit["limit"]:
        return
    others = _alive(api, deployment)
    if others:
        fate = "cancelled" if _cancels(deployment) else "kept waiting"
        what = f"{_are(others)} under way, and {_rule(limit)}: another run is {fate}"
        yield warn("overlap", what, f"wait, or {_end(others)}; or {_raise(limit)}")
    elif limit["limit"] and limit["name"] == f"deployment:{deployment['id']}":
        forget = f"prefect global-concurrency-limit update {limit['name']} --active-slots 0"
        yield fail("overlap", f"{_rule(limit)}, and the server counts so many although none is under way", forget)
    else:  # one for no run at all, or for several deployments
        yield fail(
            "overlap", f"the limit {limit['name']!r} ({limit['limit']}) is used up: no run starts", _raise(limit)
        )


def of_run(api: Api, run: FlowRun, deployment: Deployment) -> Iterator[Finding]:
    """That a run waits, waited or was cancelled because of other runs of its job, and which they are."""
    state, limit = run["state"], _limit(deployment)
    rule = f"; {_rule(limit)}" if limit else ""
    if prefect_words.was_refused(state):
        name, job = run["name"], deployment["name"]
        again = f"ccs runs restart {name} --from-failed" if run["run_count"] else f"ccs jobs run {job!r}"
        queue = "; with the job's collision_strategy ENQUEUE it would have waited" if _cancels(deployment) else ""
        why = _in_the_way(api, run, deployment, state["timestamp"])
        yield warn("overlap", f"it was cancelled because {why}{rule}", f"start it again: {again}{queue}")
        return
    states = api.states(run["id"])
    waits = [number for number, each in enumerate(states) if each["name"] == views.ENQUEUED]
    if not waits:
        return
    began, later = states[waits[0]]["timestamp"], states[waits[-1] + 1 :]
    if went_on := next((each for each in later if each["type"] != "SCHEDULED"), None):
        passed = _between(began, datetime.fromisoformat(went_on["timestamp"]))
        yield info("overlap", f"it waited {passed} because {_in_the_way(api, run, deployment, began)}{rule}")
        return
    others = _alive(api, deployment)
    why = f"{_are(others)} under way" if others else _in_the_way(api, run, deployment, began)
    what = f"it waits since {_between(began, api.server_time)} because {why}{rule}"
    yield warn("overlap", what, "wait" + (f", or {_end(others)}" if others else ""))


def beside(api: Api, run: FlowRun, deployment: Deployment) -> Iterator[Finding]:
    """Other runs of its job that are under way while a run is."""
    if others := [r for r in _alive(api, deployment) if r["id"] != run["id"]]:
        yield info("other", f"{words.many(len(others), 'other run')} of the job under way, such as {others[0]['name']}")


def _limit(deployment: Deployment) -> ConcurrencyLimit | None:
    limit = deployment["global_concurrency_limit"]
    return limit if limit and limit["active"] else None


def _cancels(deployment: Deployment) -> bool:
    options = deployment["concurrency_options"]
    return options is not None and options["collision_strategy"] == "CANCEL_NEW"


def _rule(limit: ConcurrencyLimit) -> str:
    return f"the job may have {limit['limit']} under way at a time"


def _raise(limit: ConcurrencyLimit) -> str:
    return f"allow more: prefect global-concurrency-limit update {limit['name']} --limit {limit['limit'] + 1}"


def _end(others: list[FlowRun]) -> str:
    return f"end that: ccs runs stop {others[0]['name']}"


def _alive(api: Api, deployment: Deployment) -> list[FlowRun]:
    """The runs of a job that are under way, the oldest first."""
    where = {"deployment_id": {"any_": [deployment["id"]]}, "state": {"type": {"any_": list(_ALIVE)}}}
    return sorted(api.runs(where)[0], key=_beginning)


def _beginning(run: FlowRun) -> str:
    return str(run["start_time"] or run["expected_start_time"])


def _are(runs: list[FlowRun], verb: str = "is") -> str:
    more = f" (with {len(runs) - 1} more)" if len(runs) > 1 else ""
    return f"{runs[0]['name']}{more} {verb}"


def _in_the_way(api: Api, run: FlowRun, deployment: Deployment, moment: str) -> str:
    """Which other runs of a job were under way at a moment."""
    where = {"deployment_id": {"any_": [deployment["id"]]}, "end_time": {"after_": moment}}
    others = [r for r in [*api.runs(where)[0], *_alive(api, deployment)] if r["id"] != run["id"]]
    then = sorted((r for r in others if r["start_time"] and _beginning(r) < moment), key=_beginning)
    return f"{_are(then, 'was')} under way" if then else "another was under way"


def _between(began: str, until: datetime) -> str:
    return words.span(max(0, round((until - datetime.fromisoformat(began)).total_seconds())))
