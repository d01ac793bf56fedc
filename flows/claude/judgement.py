"""Judging an attempt: from the stream first, from the exit code second, by structured fields only."""

from collections.abc import Iterable

from ccs.flows.claude.ending import Ending, Halt
from ccs.flows.claude.events import one_line
from ccs.flows.claude.facts import Denial, Facts
from ccs.flows.claude.failure import ADVICE, failed
from ccs.flows.claude.output import OUTPUT, nests_too_deep
from ccs.flows.claude.request import Request, command_name
from ccs.flows.claude.stream import Record
from ccs.flows.spec.verdict import Reason, Verdict

_SIGNAL_EXITS = frozenset({129, 130, 131, 137, 143})  # how a process reports that a signal ended it


def is_unknown_command(facts: Facts, request: Request) -> bool:
    """Whether claude takes the command for a text, which it does silently."""
    if not request.is_command or "slash_commands" not in facts.init.fields:
        return False
    name = command_name(request)
    return name not in facts.init.texts("slash_commands") and not name.startswith("mcp__")  # servers bring theirs later


def is_session_lost(facts: Facts, request: Request) -> bool:
    """Whether there is no conversation to go on with: claude says so before it begins, and ends."""
    return (
        bool(request.resume)
        and not facts.init.fields
        and facts.result is not None
        and facts.result.text("subtype") == "error_during_execution"
    )


def judge(facts: Facts, ending: Ending, request: Request) -> Verdict:
    """The verdict on an attempt whose process was started and has ended."""
    if ending.halt != "cancelled" and is_unknown_command(facts, request):  # even if it ended before we could stop it
        return Verdict(Reason.SPAWN, _unknown_command(facts, request))
    if ending.halt and ending.halt != "lingering":
        return _halted(ending.halt, ending.tool, request)
    if facts.result is None or facts.turn_open:
        return _without_result(facts, ending, request)
    if is_session_lost(facts, request):
        return Verdict(
            Reason.SPAWN,
            f"session {request.session_to_resume} cannot be resumed, as there is no conversation of it on this node: "
            "begin a new one",
        )
    verdict = _by_result(facts, facts.result, request)
    if not verdict.ok or ending.halt:
        return verdict
    if ending.returncode is None:
        return _killed("the guard of claude was killed after claude had reported success")
    if ending.returncode != 0:
        return _killed(f"claude {_exit(ending.returncode)} after it had reported success")
    return verdict


def _halted(halt: Halt, running: str | None, request: Request) -> Verdict:
    tool = f" while the tool {running} ran" if running else ""
    match halt:
        case "cancelled":
            return Verdict(Reason.CANCELLED, f"cancelled{tool}")
        case "timeout":
            return Verdict(Reason.TIMEOUT, f"stopped from outside because the time was over{tool}")
        case "own_timeout":
            return Verdict(
                Reason.TIMEOUT,
                f"not finished after {round(request.timeout, 1):g} s{tool}: raise timeout, or ask for less",
            )
        case "first_output":
            return Verdict(
                Reason.TIMEOUT_FIRST_OUTPUT,
                f"claude wrote nothing in its first {request.first_output_timeout:g} s: look for a hanging hook or "
                "MCP server, or raise first_output_timeout",
                is_transient=True,
            )
        case "auth":
            return Verdict(Reason.AUTH, f"the API refused the key or token twice in a row: {ADVICE}")
        case _:
            hint = ": raise idle_timeout if the tool needs longer" if running else ": the API is silent"
            return Verdict(
                Reason.TIMEOUT_IDLE, f"no output for {request.idle_timeout:g} s{tool}{hint}", is_transient=True
            )


def _unknown_command(facts: Facts, request: Request) -> str:
    name = command_name(request)
    own = [known for known in facts.init.texts("slash_commands") if name.lower() in known.lower()]
    near = f"; similar ones are {', '.join('/' + known for known in own[:3])}" if own else ""
    trust = "" if request.trust_project else ", and the repository's own commands need trust_project"
    return f"claude knows no command /{name} in {request.cwd}{near}: check the name{trust}"


def _killed(detail: str) -> Verdict:
    return Verdict(Reason.KILLED, detail, is_transient=True)


def _without_result(facts: Facts, ending: Ending, request: Request) -> Verdict:
    what = "a last turn began and brought no result" if facts.result is not None else "no result was reported"
    if ending.returncode is None:
        return _killed(f"the guard of claude was killed, and {what}")
    if ending.returncode < 0 or ending.returncode in _SIGNAL_EXITS:
        return _killed(f"claude {_exit(ending.returncode)}, and {what}")
    if request.output_schema is not None and not facts.init.fields and "--json-schema" in ending.last_stderr:
        said = one_line(ending.last_stderr, 500)
        return Verdict(Reason.SCHEMA, f"claude refuses output_schema, and knows JSON Schema draft 7 only: {said}")
    last = ending.last_stderr or facts.last_noise
    said = f"; its last words: {one_line(last)}" if last else ""
    # What claude complains of before it begins, such as a flag or a file, it will complain of again.
    began = bool(facts.init.fields or not ending.last_stderr)
    return Verdict(Reason.NO_RESULT, f"claude {_exit(ending.returncode)}, but {what}{said}", is_transient=began)


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
            cost = f"${facts.spent.cost_usd:.4f}"
            return Verdict(Reason.BUDGET, f"{limit} was spent ({cost}) before the work was done: raise budget_usd")
        case "error_max_structured_output_retries":
            return Verdict(Reason.SCHEMA, one_line("; ".join(result.texts("errors")) or "no valid output", 500))
        case "error_during_execution" if result.text("terminal_reason").startswith("aborted"):
            return _killed("claude was interrupted in the middle of its work")
    if result.flag("is_error") or result.text("subtype") != "success":
        return failed(facts, result)
    if result.integer("num_turns") < 1:
        return Verdict(Reason.EMPTY_RESULT, "claude reported success without asking the model anything")
    if request.output_schema is not None:
        if OUTPUT not in result.fields:
            return Verdict(
                Reason.SCHEMA,
                "claude finished without the output that output_schema asks for: ask for it in the prompt",
            )
        if nests_too_deep(result.fields[OUTPUT]):
            return Verdict(Reason.SCHEMA, "the output nests too deep to be used: make output_schema stricter")
    elif not result.text("result").replace("\0", "").strip():
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
