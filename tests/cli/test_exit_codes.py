"""The table of exit codes: what scripts rely on, and what users are told."""

from pathlib import Path

import pytest

from ccs.cli.errors import RequestError, ServerError, UnreachableError
from ccs.cli.exit_codes import ALWAYS, ExitCode, listed
from ccs.cli.main import main

PAGE = (Path(__file__).parents[2] / "docs" / "runs-and-verdicts.md").read_text()


def test_the_codes_are_those_that_scripts_know() -> None:
    assert [int(code) for code in ExitCode] == [0, 1, 2, 3, 10, 11, 75, 76, 130]
    assert [error.exit_code for error in (RequestError, ServerError, UnreachableError)] == [1, 2, 3]


def test_every_code_is_told_in_the_documentation_and_what_every_command_may_end_with_in_the_help(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert all(f"| {code:d} | {code.meaning} |" in PAGE for code in ExitCode)
    assert main(["--help"]) == ExitCode.OK
    assert listed(ALWAYS) in " ".join(capsys.readouterr().out.split())
