"""The job spec: what it accepts, what it says when it refuses, and that Prefect sees the same schema."""

from typing import Any

import pytest
from pydantic import ValidationError

from ccs.flows.spec.job import Job
from ccs.flows.spec.names import MAX_PROFILE_NAME
from ccs.flows.spec.parameters import MAX_SPEC_BYTES, check_size, parameter_schema


def spec(**changes: Any) -> dict[str, Any]:
    return {
        "name": "nightly",
        "working_directory": {"path": "/srv/app"},
        "tasks": [{"name": "triage", "prompt": "look"}],
        **changes,
    }


def task(**changes: Any) -> dict[str, Any]:
    return spec(tasks=[{"name": "triage", "prompt": "look", **changes}])


def test_the_documented_defaults_hold() -> None:
    job = Job.model_validate(spec())
    assert (job.on_failure, job.profile, job.working_directory.require_git) == ("stop", None, True)
    (only,) = job.tasks
    assert (only.model, only.permissions.value, only.enabled, only.on_denied) == ("sonnet", "bypass", True, "fail")


@pytest.mark.parametrize(
    ("given", "field", "words"),
    [
        (spec(name="a/b"), ("name",), "is not a name"),
        (spec(name="-x"), ("name",), "is not a name"),
        (spec(name=" x"), ("name",), "is not a name"),
        (spec(name=""), ("name",), "is not a name"),
        (spec(colour="red"), ("colour",), "Extra inputs are not permitted"),
        (spec(working_directory={"path": "app"}), ("working_directory",), "must be absolute or start with ~"),
        (spec(profile="My Profile"), ("profile",), "lower case letters"),
        (spec(profile="p" * (MAX_PROFILE_NAME + 1)), ("profile",), "1 to 225 lower case letters"),
        (spec(on_failure="retry"), ("on_failure",), "'stop' or 'continue'"),
        (spec(timeout=0), ("timeout",), "greater than 0"),
        (task(prompt="  \n"), ("tasks", 0, "prompt"), "must not be empty"),
        (task(prompt=None), ("tasks", 0), "exactly one of prompt, prompt_file and command (found: none)"),
        (task(command="/review"), ("tasks", 0), "(found: prompt and command)"),
        (task(prompt=None, command="review"), ("tasks", 0), "must start with /"),
        (task(permissions="everything"), ("tasks", 0, "permissions"), "'acceptEdits'"),
        (task(id="7"), ("tasks", 0, "id"), "pattern"),
        (task(budget_usd=-1), ("tasks", 0, "budget_usd"), "greater than 0"),
        (task(append_system_prompt="a\0b"), ("tasks", 0), "append_system_prompt holds a NUL character"),
        (spec(tags=["a", "b\0"]), (), "tags holds a NUL character"),
        (spec(tasks=[{"name": "a", "prompt": "x"}, {"name": "a", "prompt": "y"}]), (), "two tasks have the name 'a'"),
    ],
)
def test_a_bad_spec_is_refused_with_the_field_and_what_is_allowed(
    given: dict[str, Any], field: tuple[object, ...], words: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        Job.model_validate(given)
    (error,) = caught.value.errors()
    assert error["loc"] == field
    assert words in error["msg"]


@pytest.mark.parametrize("name", ["Daily Maintenance", "Feature: dark-mode", "Task 1: add login", "näïve", "x"])
def test_names_people_use_are_names(name: str) -> None:
    assert Job.model_validate(spec(name=name)).name == name


def test_a_task_without_an_id_gets_the_same_one_every_time() -> None:
    first, again = Job.model_validate(spec()), Job.model_validate(spec())
    assert first.tasks[0].id == again.tasks[0].id
    assert first.tasks[0].id != Job.model_validate(spec(name="other")).tasks[0].id


def test_a_prompt_too_large_for_the_server_is_refused_with_the_way_out() -> None:
    job = Job.model_validate(task(prompt="x" * (MAX_SPEC_BYTES + 1)))
    with pytest.raises(ValueError, match=r"501 KB, more than the 500 KB .* prompt_file"):
        check_size(job)


def test_prefect_derives_the_same_schema_from_the_flow() -> None:
    from ccs.flows.job import job as flow

    assert flow.parameters.model_dump() == parameter_schema()
