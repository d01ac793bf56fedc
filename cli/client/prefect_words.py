"""What Prefect says only in words, in states and log lines: each a place that another Prefect may break."""

import re

from ccs.cli.client.records import LogLine, State

_REFUSED = "Deployment concurrency"
"""What its reason begins with when it cancels a run for others of its job."""

_FINISHED = "Finished in state"
_TRACEBACK = re.compile(r"\n(?:Traceback \(most recent call last\)|NoneType: None)")
_BOOKKEEPING = re.compile(
    r"Engine execution exited with unexpected|Downloading flow code from|Worker '.*' submitting flow run"
    r"|(?:Task|Flow) run failed with state:|Beginning flow run|Flow run '.*' submitted to infrastructure"
    r"|Aborted submission of flow run '.*': Server returned a non-pending state 'SCHEDULED'"
    r"|Finished in state (?:Running\(\)|Waiting\()"
)


def was_refused(state: State) -> bool:
    """Whether a state is that of a run which was cancelled because others of its job were under way."""
    return state["type"] == "CANCELLED" and (state["message"] or "").startswith(_REFUSED)


def is_bookkeeping(line: LogLine) -> bool:
    """Whether a log line tells nothing that is new to a person."""
    message = line["message"]
    if line["name"] == "prefect.task_runs" and message.startswith(_FINISHED) and line["level"] < 40:
        return True  # what it says was said before
    return bool(_BOOKKEEPING.match(message))


def is_last(line: LogLine) -> bool:
    """Whether a log line is the last one of its run."""
    return line["name"] == "prefect.flow_runs" and _FINISHED in line["message"]


def without_traceback(message: str) -> str:
    """A log line's message without the traceback that it may end with."""
    return _TRACEBACK.split(message, maxsplit=1)[0]
