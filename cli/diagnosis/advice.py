"""What to do about each verdict of a task."""

import re

ADVICE = {
    "api_error": "try again later, or set another ANTHROPIC_BASE_URL or model",
    "auth": "put a working key or token into the profile (ccs profiles update PROFILE --secret NAME), or log claude in "
    "on the node",
    "usage_limit": "let it wait for the reset (ccs tasks update TASK --on-limit wait --max-limit-wait TIME), or use a "
    "profile with another account",
    "max_turns": "raise it: ccs tasks update TASK --max-turns N, or ask for less in one task",
    "budget": "raise the one it names, such as ccs tasks update TASK --budget USD or ccs jobs update JOB "
    "--budget-per-day USD, or ask for less in one task",
    "no_result": "claude ended before its result; the end of the log says why: ccs runs logs RUN",
    "empty_result": "claude did nothing; make the prompt ask for something that can be answered",
    "schema": "the answer did not have the form that was asked for; look at the answer, then at the schema",
    "permission_denied": "allow the tool: ccs tasks update TASK --allowed-tools RULE, or --on-denied warn",
    "timeout": "give it more time: ccs tasks update TASK --timeout TIME",
    "timeout_first_output": "claude did not start in time: is the API reachable from the node? Or raise it: "
    "ccs tasks update TASK --first-output-timeout TIME",
    "timeout_idle": "a tool or the API was silent for too long; raise it: ccs tasks update TASK --idle-timeout TIME",
    "gate": "the command that had to pass did not; its output is in the log: ccs runs logs RUN",
    "expectation": "look at what it did: ccs runs get RUN; or expect less: ccs tasks update TASK",
    "commit": "see what git said, and mend that in the working directory; its changes are set aside, not lost",
    "running": "the run ended in the middle of it; go on with: ccs runs restart RUN --from-failed",
    "waiting": "the run ended while it waited; go on with: ccs runs restart RUN --from-failed",
    "cancelled": "somebody stopped it; start it again: ccs jobs run JOB",
    "killed": "something else on the node ended claude (out of memory?); look into the node's system log",
    "spawn": "claude could not be started there; on the node, run: ccs doctor",
    "not_run": "do it, too: ccs runs restart RUN --from-failed; with --on-failure continue a job does not stop",
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
