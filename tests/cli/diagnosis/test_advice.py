"""The next step after each verdict: there is one, with the names filled in, and it is a command that exists."""

import re

import pytest

from ccs.cli.diagnosis.advice import ADVICE, GONE, for_verdict
from ccs.flows.spec.verdict import FINE, Reason, TaskState

VERDICTS = [str(verdict) for kind in (Reason, TaskState) for verdict in kind]


@pytest.mark.parametrize("verdict", [v for v in VERDICTS if v not in FINE])
def test_every_verdict_that_is_not_fine_has_a_next_step(verdict: str) -> None:
    assert for_verdict(verdict, "nightly", "fix", "brave-cat")


@pytest.mark.parametrize("verdict", ADVICE)
def test_no_placeholder_is_left_and_names_are_quoted(verdict: str) -> None:
    said = for_verdict(verdict, "my job", "the task", "brave-cat")
    assert not re.search(r"\b(JOB|TASK|RUN)\b", said)
    if "TASK" in ADVICE[verdict]:
        assert "'my job/the task'" in said


def test_a_name_that_looks_like_a_placeholder_stays_a_name() -> None:
    said = for_verdict(Reason.CANCELLED, "RUN", "TASK", "brave-cat")
    assert "ccs jobs run " in said


@pytest.mark.parametrize("verdict", ADVICE)
def test_when_the_job_is_gone_nothing_is_named_that_needs_it(verdict: str) -> None:
    said = for_verdict(verdict, "", "fix", "brave-cat")
    assert not re.search(r"\b(JOB|TASK)\b|runs restart", said)


def test_the_option_that_would_have_helped_goes_along() -> None:
    assert for_verdict(Reason.MAX_TURNS, "", "fix", "r") == f"{GONE} --max-turns N"


def test_what_is_fine_or_unknown_needs_nothing() -> None:
    assert for_verdict(Reason.OK, "j", "t", "r") == for_verdict("of tomorrow", "j", "t", "r") == ""
