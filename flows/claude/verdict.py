"""The verdict on an attempt: from the stream first, from the exit code second, by structured fields only."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from ccs.flows.claude.events import one_line
from ccs.flows.claude.facts import Denial, Facts
from ccs.flows.claude.narration import at
from ccs.flows.claude.request import Request, command_name
from ccs.flows.claude.stream import Record

_SIGNAL_EXITS = frozenset({129, 130, 131, 137, 143})  # how a process reports that a signal ended it


class Reason(StrEnum):
    """Why an attempt ended as it did."""

    OK = "ok"
    API_ERROR = "api_error"  # the API refused or failed, and claude gave up
    AUTH = "auth"  # not logged in, or the key is refused
    USAGE_LIMIT = "usage_limit"  # over a rate or usage limit
    MAX_TURNS = "max_turns"
    BUDGET = "budget"
    NO_RESULT = "no_result"  # claude ended and reported no result
    EMPTY_RESULT = "empty_result"  # claude reported success and did nothing, or said nothing
    TIMEOUT_FIRST_OUTPUT = "timeout_first_output"
    TIMEOUT_IDLE = "timeout_idle"
    TIMEOUT = "timeout"
    PERMISSION_DENIED = "permission_denied"
    CANCELLED = "cancelled"
    KILLED = "killed"  # by a signal that was not ours, or after the result
    SPAWN = "spawn"  # claude could not be started as asked


@dataclass(frozen=True)
class Verdict:
    """How an attempt ended; `detail` is one sentence, with what to do where there is something to do."""

    reason: Reason
    detail: str

    @property
    def ok(self) -> bool:
        """Whether the attempt succeeded."""
        return self.reason is Reason.OK


Halt = Literal["cancelled", "timeout", "own_timeout", "idle", "first_output", "lingering", "unknown_command"]
"""Why the driver stopped claude: `timeout` came from outside, `own_timeout` is the request's; `lingering` is a
process that did not leave after its last result, so the result counts; with the others, no later one does."""


@dataclass(frozen=True)
class Ending:
    """How the process ended: its exit code, negative for a signal, None if nobody saw it.

    If the driver stopped it, `halt` says why, and `tool` names the tool that ran at that moment, if any.
    """

    returncode: int | None
    halt: Halt | None = None
    tool: str | None = None
    last_stderr: str = ""


def is_unknown_command(facts: Facts, request: Request) -> bool:
    """Whether claude takes the command for a text, which it does silently."""
    if not request.is_command or "slash_commands" not in facts.init.fields:
        return False
    name = command_name(request)
    return name not in facts.init.texts("slash_commands") and not name.startswith("mcp__")  # servers bring theirs later


def judge(facts: Facts, ending: Ending, request: Request) -> Verdict:
    """The verdict on an attempt whose process was started and has ended."""
    if ending.halt != "cancelled" and is_unknown_command(facts, request):  # even if it ended before we could stop it
        return Verdict(Reason.SPAWN, _unknown_command(facts, request))
    if ending.halt and ending.halt != "lingering":
        return _halted(ending.halt, ending.tool, facts, request)
    if facts.result is None or facts.turn_open:
        return _without_result(facts, ending)
    verdict = _by_result(facts, facts.result, request)
    if not verdict.ok or ending.halt:
        return verdict
    if ending.returncode is None:
        return Verdict(Reason.KILLED, "the guard of claude was killed after claude had reported success")
    if ending.returncode != 0:
        return Verdict(Reason.KILLED, f"claude {_exit(ending.returncode)} after it had reported success")
    return verdict


def _halted(halt: Halt, running: str | None, facts: Facts, request: Request) -> Verdict:
    tool = f" while the tool {running} ran" if running else ""
    match halt:
        case "cancelled":
            return Verdict(Reason.CANCELLED, f"cancelled{tool}")
        case "timeout":
            return Verdict(Reason.TIMEOUT, f"stopped from outside because the time was over{tool}")
        case "own_timeout":
            return Verdict(
                Reason.TIMEOUT, f"not finished after {request.timeout:g} s{tool}: raise timeout, or ask for less"
            )
        case "first_output":
            return Verdict(
                Reason.TIMEOUT_FIRST_OUTPUT,
                f"claude wrote nothing in its first {request.first_output_timeout:g} s: look for a hanging hook or "
                "MCP server, or raise first_output_timeout",
            )
        case _:
            hint = ": raise idle_timeout if the tool needs longer" if running else ": the API is silent"
            return Verdict(Reason.TIMEOUT_IDLE, f"no output for {request.idle_timeout:g} s{tool}{hint}")


def _unknown_command(facts: Facts, request: Request) -> str:
    name = command_name(request)
    own = [known for known in facts.init.texts("slash_commands") if name.lower() in known.lower()]
    near = f"; similar ones are {', '.join('/' + known for known in own[:3])}" if own else ""
    trust = "" if request.trust_project else ", and the repository's own commands need trust_project"
    return f"claude knows no command /{name} in {request.cwd}{near}: check the name{trust}"


def _without_result(facts: Facts, ending: Ending) -> Verdict:
    what = "a last turn began and brought no result" if facts.result is not None else "no result was reported"
    if ending.returncode is None:
        return Verdict(Reason.KILLED, f"the guard of claude was killed, and {what}")
    if ending.returncode < 0 or ending.returncode in _SIGNAL_EXITS:
        return Verdict(Reason.KILLED, f"claude {_exit(ending.returncode)}, and {what}")
    last = ending.last_stderr or facts.last_noise
    said = f"; its last words: {one_line(last)}" if last else ""
    return Verdict(Reason.NO_RESULT, f"claude {_exit(ending.returncode)}, but {what}{said}")


def _exit(returncode: int) -> str:
    if returncode < 0:
        return f"was killed by signal {-returncode}"
    return f"ended with exit code {returncode}"


def _by_result(facts: Facts, result: Record, request: Request) -> Verdict:
    match result.text("subtype"):
        case "error_max_turns":
            limit = f"the limit of {request.max_turns} turns" if request.max_turns else "the limit of turns"
            return Verdict(Reason.MAX_TURNS, f"{limit} was reached before the work was done: raise max_turns")
        case "error_max_budget_usd":
            limit = f"${request.budget_usd:g}" if request.budget_usd else "the budget"
            cost = result.number("total_cost_usd") or 0.0
            return Verdict(Reason.BUDGET, f"{limit} was spent (${cost:.4f}) before the work was done: raise budget_usd")
        case "error_during_execution" if result.text("terminal_reason").startswith("aborted"):
            return Verdict(Reason.KILLED, "claude was interrupted in the middle of its work")
    if result.flag("is_error") or result.text("subtype") != "success":
        return _failure(facts, result)
    if result.integer("num_turns") < 1:
        return Verdict(Reason.EMPTY_RESULT, "claude reported success without asking the model anything")
    if not result.text("result").replace("\0", "").strip():
        return Verdict(Reason.EMPTY_RESULT, "claude reported success, but its answer is empty")
    if facts.denials and request.on_denied == "fail":
        return Verdict(
            Reason.PERMISSION_DENIED,
            f"claude finished, but was not permitted to use {_tools(facts.denials.values())}: add rules to "
            "allowed_tools, choose other permissions, or accept it with on_denied: warn",
        )
    return Verdict(Reason.OK, "claude finished")


def _tools(denials: Iterable[Denial]) -> str:
    calls = list(dict.fromkeys(f"{denial.tool} ({one_line(denial.summary, 160)})" for denial in denials))
    return ", ".join(calls[:3]) + (f" and {len(calls) - 3} more" if len(calls) > 3 else "")


def _failure(facts: Facts, result: Record) -> Verdict:
    text = one_line(result.text("result") or "; ".join(result.texts("errors")) or "claude reported an error", 500)
    kinds = {result.text("api_error"), facts.api_error.text("error"), facts.api_error.text("api_error")}
    status = result.integer("api_error_status") or facts.api_error.integer("api_error_status")
    rejected = bool(facts.rejection.fields) and not status
    if status == 429 or rejected or kinds & {"usage_limit_reached", "rate_limit"}:
        resets_at = facts.rejection.integer("resetsAt")
        when = f"; the limit resets at {at(resets_at)}" if resets_at else ""
        return Verdict(Reason.USAGE_LIMIT, f"{text}{when}")
    if status in (401, 403) or "authentication_failed" in kinds:
        return Verdict(
            Reason.AUTH,
            f"{text}: put a valid key or token into the task's profile, or log in with claude as the node's user",
        )
    return Verdict(Reason.API_ERROR, text)
