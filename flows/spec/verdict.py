"""The verdict on an attempt or a task, and the states in which a task has none."""

from dataclasses import dataclass
from enum import StrEnum


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
    SCHEMA = "schema"  # there is no output of the form that was asked for, or claude refuses that form
    EXPECTATION = "expectation"  # claude is content, but did not change or leave what was expected
    GATE = "gate"  # a command that must pass after the task failed
    COMMIT = "commit"  # the changes could not be committed
    TIMEOUT_FIRST_OUTPUT = "timeout_first_output"
    TIMEOUT_IDLE = "timeout_idle"
    TIMEOUT = "timeout"
    PERMISSION_DENIED = "permission_denied"
    CANCELLED = "cancelled"
    KILLED = "killed"  # by a signal that was not ours, or after the result
    SPAWN = "spawn"  # claude could not be started as asked


class TaskState(StrEnum):
    """Where a task stands that has no verdict: its row in the run's table says this in place of a reason."""

    NOT_RUN = "not_run"  # it has not begun, or is to begin anew
    RUNNING = "running"
    WAITING = "waiting"  # for a usage limit, after which it goes on
    SKIPPED = "skipped"  # it is disabled, or its condition does not hold


FINE = frozenset({Reason.OK, TaskState.SKIPPED})
"""What a task can come to that calls for nothing."""


def is_failure(verdict: str) -> bool:
    """Whether a row's verdict says that its task has failed: a reason other than ok."""
    return verdict != Reason.OK and verdict not in frozenset(TaskState)


@dataclass(frozen=True)
class Verdict:
    """How an attempt ended; `detail` is one sentence, with what to do where there is something to do.

    `is_transient` says that the same attempt may well succeed if it is made again soon. A limit on usage is not
    transient in this sense, as there is a time to wait for; one on the rate of requests is.
    """

    reason: Reason
    detail: str
    is_transient: bool = False

    @property
    def ok(self) -> bool:
        """Whether the attempt succeeded."""
        return self.reason is Reason.OK
