"""What is left of the budgets of a job and its profiles, as findings; all figures are estimates."""

from collections.abc import Iterator, Mapping

from ccs.cli.client import lookup
from ccs.cli.client.api import Api
from ccs.cli.client.records import Deployment
from ccs.cli.diagnosis.findings import Finding, fail, info
from ccs.cli.errors import RequestError
from ccs.flows.budgets.ledger import Ledger, LedgerError
from ccs.flows.budgets.sums import MICRO, Period, Scope, Sums, UsedUp, is_used_up, micro
from ccs.flows.server.names import paused_variable


def findings(api: Api, deployment: Deployment) -> Iterator[Finding]:
    """How far the day's and month's budgets are used up, where there are any."""
    yield from _of(api, Scope.of_job(deployment["name"], deployment["id"]), lookup.spec_of(deployment))
    for name in sorted(lookup.profiles_of(deployment)):
        if profile := api.profile(name):
            yield from _of(api, Scope.of_profile(name), profile["data"])


def pause_of(api: Api, deployment: Deployment) -> UsedUp | None:
    """The budget for which a node has paused the job; None when somebody else has."""
    record = api.variables.read(paused_variable(deployment["id"]))
    try:
        return UsedUp.load(record.value) if record else None
    except ValueError:  # changed by hand; then its node leaves the job paused, too
        return None


def forget_pause(api: Api, deployment: Deployment) -> None:
    """Make the pause of a job, or its end, the user's own, which no node undoes."""
    if pause_of(api, deployment) and (record := api.variables.read(paused_variable(deployment["id"]))):
        api.variables.delete(record.id)


def _of(api: Api, scope: Scope, budgets: Mapping[str, object]) -> Iterator[Finding]:
    limits = {period: budgets.get(f"budget_usd_per_{period}") for period in Period}
    if not any(limits.values()):
        return
    sums = _sums(api, scope)
    for period, usd in limits.items():
        if not isinstance(usd, int | float):
            continue
        limit, spent, held = micro(usd), sums.spent[period], sums.held_in_all
        used_up = UsedUp(scope.kind, scope.name, period, limit, spent, period.end(sums.day))
        if is_used_up(limit, spent):
            yield fail("budget", f"{used_up.sentence}: every start is refused", f"raise it: {used_up.remedy}")
        else:
            more = f", attempts under way may spend ${held / MICRO:.2f} more" if held else ""
            what = f"{scope.kind} {scope.name!r} has spent ${spent / MICRO:.2f} of ${usd:.2f} this {period} (estimated)"
            yield info("budget", what + more)


def _sums(api: Api, scope: Scope) -> Sums:
    try:
        return Ledger(api, scope).read()
    except LedgerError as error:
        raise RequestError(str(error)) from error
