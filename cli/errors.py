"""What can go wrong for a user of the command line; each error has its exit code.

CcsError                 what happened and why, and in `hint` what to do next
├── RequestError         the request was wrong (usage, not found, conflict, refused)
│   ├── NotFoundError    no such job, task, run, profile or pool
│   └── QueuedError      nobody is there to take a run
├── ServerError          the server answered, but failed
└── UnreachableError     no answer from a server
"""

from collections.abc import Iterable

from ccs.cli.exit_codes import ExitCode


class CcsError(Exception):
    """An error with its exit code and, in `hint`, the next step."""

    exit_code = ExitCode.REQUEST

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class RequestError(CcsError):
    """The request was wrong; asking again will not help."""

    def __init__(self, message: str, hint: str = "", status: int = 0) -> None:
        super().__init__(message, hint)
        self.status = status
        """The HTTP status of the server's answer; 0 when the request was not sent."""


class NotFoundError(RequestError):
    """No thing of that name or id."""

    def __init__(self, what: str, name: str, known: Iterable[str] = (), hint: str = "") -> None:
        from difflib import get_close_matches

        names = list(dict.fromkeys(known))
        by_folded = {n.casefold(): n for n in reversed(names)}
        self.close = [by_folded[n] for n in get_close_matches(name.casefold(), by_folded, n=3, cutoff=0.5)]
        """Those of the known names that may be meant."""
        if self.close:
            hint = f"did you mean {' or '.join(self.close)}?"
        super().__init__(f"there is no {what} {name!r}", hint, status=404)


class QueuedError(RequestError):
    """Nobody is there to take a run, which stays queued; `why` is the reason alone."""

    def __init__(self, why: str, run: str, hint: str) -> None:
        super().__init__(f"{why}; the run stays queued: {run}", hint)
        self.why = why


class ServerError(CcsError):
    """The server failed."""

    exit_code = ExitCode.SERVER


class UnreachableError(CcsError):
    """No server answered."""

    exit_code = ExitCode.UNREACHABLE
