"""The exit codes of `ccs`, in one table."""

from enum import IntEnum


class ExitCode(IntEnum):
    """What a command line ends with, and what that means."""

    meaning: str

    def __new__(cls, code: int, meaning: str) -> "ExitCode":
        """A member with its words."""
        member = int.__new__(cls, code)
        member._value_ = code
        member.meaning = meaning
        return member

    OK = 0, "ok"
    REQUEST = 1, "the request was wrong"
    SERVER = 2, "the server failed"
    UNREACHABLE = 3, "no server"
    # of commands that wait for a run
    FAILED = 10, "the run failed"
    CRASHED = 11, "the run crashed"
    USAGE_LIMIT = 75, "a usage limit ended the run"
    BUDGET = 76, "a budget ended the run"
    CANCELLED = 130, "the run was cancelled, or you pressed Ctrl-C"


ALWAYS = (ExitCode.OK, ExitCode.REQUEST, ExitCode.SERVER, ExitCode.UNREACHABLE)
"""Those that every command may end with."""


def listed(codes: tuple[ExitCode, ...]) -> str:
    """Codes with what they mean, in one line."""
    return ", ".join(f"{code:d} {code.meaning}" for code in codes)
