"""Failed requests to the API: what kind of failure it was, from structured fields only, never from a text."""

from ccs.flows.claude.events import one_line
from ccs.flows.claude.facts import Facts
from ccs.flows.claude.stream import Record
from ccs.flows.node.moments import at
from ccs.flows.spec.verdict import Reason, Verdict

ADVICE = "put a valid key or token into the task's profile, or log in with claude as the node's user"

# What claude calls the failures that another try may get over, where no HTTP status tells.
_PASSING = frozenset({"connection_failed", "stream_idle_timeout", "computer_slept", "no_response"})


def failed(facts: Facts, result: Record) -> Verdict:
    """The verdict on a result that reports an error of the API, or one that claude gives no name."""
    text = one_line(result.text("result") or "; ".join(result.texts("errors")) or "claude reported an error", 500)
    kind = result.text("api_error") or facts.api_error.text("api_error")
    group = facts.api_error.text("error")
    status = result.integer("api_error_status") or facts.api_error.integer("api_error_status")
    rejected = bool(facts.rejection.fields) and not (status or kind or group)
    if status == 429 or rejected or kind == "usage_limit_reached" or group == "rate_limit":
        # Of any other 429 claude itself says that it is a limit on requests, and none on usage, also with a reset.
        is_on_usage = kind == "usage_limit_reached" or bool(facts.rejection.text("rateLimitType"))
        resets_at = facts.rejection.integer("resetsAt") if is_on_usage else 0
        when = f"the limit resets at {at(resets_at)}" if resets_at else "the API did not say when the limit ends"
        return Verdict(Reason.USAGE_LIMIT, f"{text}; {when}", is_transient=not is_on_usage)
    if status in (401, 403) or group == "authentication_failed":
        return Verdict(Reason.AUTH, f"{text}: {ADVICE}")
    return Verdict(Reason.API_ERROR, text, is_transient=_may_pass(status, kind, group))


def _may_pass(status: int, kind: str, group: str) -> bool:
    """Whether another try may succeed: the status decides, then claude's name for the failure, then its group.

    Timeouts of requests, and failed connections of unknown cause, have no name and are in the group server_error;
    failed certificates have a name.
    """
    if status:
        return status in (408, 409) or status >= 500
    return kind in _PASSING if kind else group in ("server_error", "overloaded")
