"""Errors of the command line: their exit codes, and what may be meant."""

import pytest

from ccs.cli.errors import CcsError, NotFoundError, QueuedError, RequestError, ServerError, UnreachableError
from ccs.cli.exit_codes import ExitCode


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RequestError("no"), ExitCode.REQUEST),
        (NotFoundError("job", "x"), ExitCode.REQUEST),
        (QueuedError("no node", "r", "ccs up"), ExitCode.REQUEST),
        (ServerError("it failed"), ExitCode.SERVER),
        (UnreachableError("no answer"), ExitCode.UNREACHABLE),
    ],
    ids=lambda value: type(value).__name__,
)
def test_each_error_has_its_exit_code(error: CcsError, code: ExitCode) -> None:
    assert error.exit_code is code


@pytest.mark.parametrize(
    ("name", "known", "close"),
    [
        ("nigthly", ["weekly", "nightly"], ["nightly"]),
        ("NIGHTLY", ["nightly"], ["nightly"]),
        ("nightly", ["Nightly", "nightly-2"], ["Nightly", "nightly-2"]),
        ("x", ["nightly"], []),
        ("nightly", [], []),
        ("job", ["job-1", "job-2", "job-3", "job-4"], 3),
    ],
)
def test_what_may_be_meant_takes_the_place_of_the_hint(name: str, known: list[str], close: list[str] | int) -> None:
    error = NotFoundError("job", name, known, "list them with: ccs jobs list")
    assert str(error) == f"there is no job {name!r}"
    assert error.status == 404
    if isinstance(close, int):
        assert len(error.close) == close
    else:
        assert error.close == close
    assert error.hint == (
        f"did you mean {' or '.join(error.close)}?" if error.close else "list them with: ccs jobs list"
    )


def test_who_waits_in_vain_is_told_why_and_where_the_run_is() -> None:
    error = QueuedError("no node of the pool 'ccs' is alive", "brave-cat", "start one: ccs up -d")
    assert str(error) == "no node of the pool 'ccs' is alive; the run stays queued: brave-cat"
    assert error.why == "no node of the pool 'ccs' is alive"
