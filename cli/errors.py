"""What can go wrong for a user of the command line.

CcsError                 exit code, what happened and why, and what to do next
├── RequestError         1: the request was wrong (usage, not found, conflict, refused)
│   └── NotFoundError    1: no such job, task, run, profile or pool
├── ServerError          2: the server answered, but failed
└── UnreachableError     3: no answer from a server
"""

from collections.abc import Iterable


class CcsError(Exception):
    """An error with its exit code and, in `hint`, the next step."""

    exit_code = 1

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
        close = [by_folded[n] for n in get_close_matches(name.casefold(), by_folded, n=3, cutoff=0.5)]
        if close:
            hint = f"did you mean {' or '.join(close)}?"
        super().__init__(f"there is no {what} {name!r}", hint, status=404)


class ServerError(CcsError):
    """The server failed."""

    exit_code = 2


class UnreachableError(CcsError):
    """No server answered."""

    exit_code = 3
