"""What Prefect says only in words: told from what a person or a task says."""

import pytest

from ccs.cli.client import prefect_words
from ccs.cli.client.records import LogLine, State
from tests.fakes.records import LOG, STATE


def line(message: str, name: str = "prefect.flow_runs", level: int = 20) -> LogLine:
    return {**LOG, "message": message, "name": name, "level": level}


def state(kind: str, message: str | None) -> State:
    return {**STATE, "type": kind, "message": message}


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (state("CANCELLED", "Deployment concurrency limit reached."), True),
        (state("CANCELLED", "somebody stopped it"), False),
        (state("CANCELLED", None), False),
        (state("FAILED", "Deployment concurrency limit reached."), False),
        (state("COMPLETED", None), False),
    ],
    ids=str,
)
def test_a_run_that_was_refused_for_others_of_its_job(said: State, expected: bool) -> None:
    assert prefect_words.was_refused(said) is expected


@pytest.mark.parametrize(
    "said",
    [
        line("Downloading flow code from storage at '.'"),
        line("Worker 'w' submitting flow run 'x'", "prefect.flow_runs.worker"),
        line("Beginning flow run 'brave-cat' for flow 'job'"),
        line("Task run failed with state: Failed()"),
        line("Finished in state Running()"),
        line("Finished in state Completed()", "prefect.task_runs"),
    ],
    ids=str,
)
def test_bookkeeping_of_prefect_is_told_from_news(said: LogLine) -> None:
    assert prefect_words.is_bookkeeping(said)


@pytest.mark.parametrize(
    "said",
    [
        line("Finished in state Completed()"),
        line("Finished in state Failed('why')", "prefect.task_runs", 40),
        line("→ Bash: echo Beginning flow run", "ccs"),
        line("I am Downloading flow code from there", "ccs"),
    ],
    ids=str,
)
def test_news_stay(said: LogLine) -> None:
    assert not prefect_words.is_bookkeeping(said)


def test_the_last_line_of_a_run() -> None:
    assert prefect_words.is_last(line("Finished in state Completed('2 of 2 tasks ok')"))
    assert not prefect_words.is_last(line("Finished in state Completed()", "prefect.task_runs"))
    assert not prefect_words.is_last(line("the task is Finished"))


@pytest.mark.parametrize(
    ("message", "rest"),
    [
        ("it failed\nTraceback (most recent call last):\n  File x\nValueError", "it failed"),
        ("it failed\nNoneType: None", "it failed"),
        ("it failed\non two lines", "it failed\non two lines"),
        ("a Traceback (most recent call last) in a line", "a Traceback (most recent call last) in a line"),
    ],
)
def test_a_message_without_its_traceback(message: str, rest: str) -> None:
    assert prefect_words.without_traceback(message) == rest
