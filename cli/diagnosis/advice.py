"""What to do about each verdict of a task."""

import re

from ccs.flows.spec.verdict import Reason, TaskState

ADVICE: dict[str, str] = {
    Reason.API_ERROR: "try again later, or set another ANTHROPIC_BASE_URL or model",
    Reason.AUTH: "put a working key or token into the profile (ccs profiles update PROFILE --secret NAME), or log "
    "claude in on the node",
    Reason.USAGE_LIMIT: "let it wait for the reset (ccs tasks update TASK --on-limit wait --max-limit-wait TIME), or "
    "use a profile with another account",
    Reason.MAX_TURNS: "raise it: ccs tasks update TASK --max-turns N, or ask for less in one task",
    Reason.BUDGET: "raise the one it names, such as ccs tasks update TASK --budget USD or ccs jobs update JOB "
    "--budget-per-day USD, or ask for less in one task",
    Reason.NO_RESULT: "claude ended before its result; the end of the log says why: ccs runs logs RUN",
    Reason.EMPTY_RESULT: "claude did nothing; make the prompt ask for something that can be answered",
    Reason.SCHEMA: "the answer did not have the form that was asked for; look at the answer, then at the schema",
    Reason.PERMISSION_DENIED: "allow the tool: ccs tasks update TASK --allowed-tools RULE, or --on-denied warn",
    Reason.TIMEOUT: "give it more time: ccs tasks update TASK --timeout TIME",
    Reason.TIMEOUT_FIRST_OUTPUT: "claude did not start in time: is the API reachable from the node? Or raise it: "
    "ccs tasks update TASK --first-output-timeout TIME",
    Reason.TIMEOUT_IDLE: "a tool or the API was silent for too long; raise it: ccs tasks update TASK "
    "--idle-timeout TIME",
    Reason.GATE: "the command that had to pass did not; its output is in the log: ccs runs logs RUN",
    Reason.EXPECTATION: "look at what it did: ccs runs get RUN; or expect less: ccs tasks update TASK",
    Reason.COMMIT: "see what git said, and mend that in the working directory; its changes are set aside, not lost",
    TaskState.RUNNING: "the run ended in the middle of it; go on with: ccs runs restart RUN --from-failed",
    TaskState.WAITING: "the run ended while it waited; go on with: ccs runs restart RUN --from-failed",
    Reason.CANCELLED: "somebody stopped it; start it again: ccs jobs run JOB",
    Reason.KILLED: "something else on the node ended claude (out of memory?); look into the node's system log",
    Reason.SPAWN: "claude could not be started there; on the node, run: ccs doctor",
    TaskState.NOT_RUN: "do it, too: ccs runs restart RUN --from-failed; with --on-failure continue a job does not stop",
}
"""What to do next, by verdict; those that are fine have none."""


GONE = "its job is gone; start it anew: ccs run PROMPT"


def for_verdict(verdict: str, job: str, task: str, run: str) -> str:
    """The next step after a verdict, with the names filled in; without a `job`, one that works when it is gone."""
    filled = ADVICE.get(verdict, "")
    if not job and re.search(r"\b(JOB|TASK)\b|runs restart", filled):
        option = re.search(r"--[a-z-]+ [A-Z]+", filled)
        return GONE + (f" {option[0]}" if option else "")
    for word, name in (("TASK", f"'{job}/{task}'"), ("JOB", f"'{job}'"), ("RUN", run)):
        filled = name.join(re.split(rf"\b{word}\b", filled))
    return filled
