"""The options that say when a job runs."""

import pytest

from ccs.cli.commands.schedule_options import build
from ccs.cli.errors import RequestError


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("0 9 * * *", "90m", None), "both"),
        ((None, None, "Europe/Amsterdam"), "needs --cron or --every"),
        ((None, "30s", None), "shorter than 60"),
        ((None, "soon", None), "not a duration"),
    ],
)
def test_schedule_options_that_make_no_sense_are_refused(options: tuple[str | None, ...], why: str) -> None:
    with pytest.raises(RequestError, match=why):
        build(*options)


def test_without_options_there_is_no_schedule() -> None:
    assert build(None, None, None) == []
