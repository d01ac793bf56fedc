"""What Prefect says only in words: told from what a person or a task says."""

import pytest

from ccs.cli.client import prefect_words


def line(message: str, name: str = "prefect.flow_runs", level: int = 20) -> dict[str, object]:
    return {"message": message, "name": name, "level": level}


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ({"type": "CANCELLED", "message": "Deployment concurrency limit reached."}, True),
        ({"type": "CANCELLED", "message": "somebody stopped it"}, False),
        ({"type": "CANCELLED", "message": None}, False),
        ({"type": "FAILED", "message": "Deployment concurrency limit reached."}, False),
        ({}, False),
    ],
    ids=str,
)
def test_a_run_that_was_refused_for_others_of_its_job(state: dict[str, object], expected: bool) -> None:
    assert prefect_words.was_refused(state) is expected


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
def test_bookkeeping_of_prefect_is_told_from_news(said: dict[str, object]) -> None:
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
def test_news_stay(said: dict[str, object]) -> None:
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
