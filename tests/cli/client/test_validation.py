"""What pydantic finds wrong, as sentences for who wrote it."""

from typing import Any

import pytest
from pydantic import ValidationError

from ccs.cli.client.validation import mistakes, validation
from ccs.cli.errors import RequestError
from ccs.flows.spec.job import Job

SPEC = {"name": "nightly", "working_directory": {"path": "/srv"}, "tasks": [{"name": "fix", "prompt": "p"}]}


def sentences(**fields: Any) -> list[str]:
    spec = {**SPEC, **fields}
    with pytest.raises(ValidationError) as caught:
        Job.model_validate(spec)
    return mistakes(caught.value, spec)


def test_a_mistake_names_its_field_and_what_is_allowed() -> None:
    (said,) = sentences(on_failure="explode")
    assert said == "on_failure: must be 'stop' or 'continue'"


def test_a_task_is_called_by_its_name_or_else_its_number() -> None:
    tasks = [{"name": "fix", "prompt": "p", "max_turns": "many"}, {"prompt": "q"}]
    said = sentences(tasks=tasks)
    assert said[0].startswith("task 'fix', max_turns: must be a valid integer")
    assert said[1] == "task 2, name: field required"


def test_several_mistakes_are_several_sentences() -> None:
    assert len(sentences(timeout="soon", on_failure="explode")) == 2


def test_without_the_spec_a_task_is_a_number() -> None:
    with pytest.raises(ValidationError) as caught:
        Job.model_validate({**SPEC, "tasks": [{"name": "fix"}]})
    assert all(said.startswith("tasks") for said in mistakes(caught.value))


def test_inside_the_block_a_mistake_is_a_request_that_was_wrong() -> None:
    with pytest.raises(RequestError, match="on_failure: must be 'stop' or 'continue'"), validation():
        Job.model_validate({**SPEC, "on_failure": "explode"})
    with pytest.raises(RequestError, match="no such thing"), validation():
        raise ValueError("no such thing")
    with validation():
        Job.model_validate(SPEC)


def test_other_errors_are_not_for_the_user() -> None:
    with pytest.raises(KeyError), validation():
        raise KeyError("x")
