"""Results of earlier tasks in prompts, and the order that follows from them."""

from typing import Any

import pytest
from pydantic import ValidationError

from ccs.flows.spec import graph, templates
from ccs.flows.spec.job import Job

TRIAGE = {
    "type": "object",
    "properties": {
        "priority": {"type": "string"},
        "files": {"type": "array", "items": {"type": "string"}},
        "who": {"type": "object", "properties": {"name": {"type": "string"}}},
    },
}


def job(*tasks: dict[str, Any], **fields: Any) -> Job:
    return Job.model_validate({"name": "j", "working_directory": {"path": "/r"}, "tasks": list(tasks), **fields})


def triage_and(text: str, **fields: Any) -> Job:
    return job({"name": "triage", "prompt": "p", "output_schema": TRIAGE}, {"name": "fix", "prompt": text, **fields})


def test_a_reference_makes_the_task_wait() -> None:
    spec = triage_and("do {{ tasks.triage.output.priority }}")
    assert spec.dependencies == {"triage": set(), "fix": {"triage"}}


@pytest.mark.parametrize(
    "text",
    [
        "{{ x }}",
        "{{}}",
        "${{ secrets.TOKEN }}",
        "${{ steps.a.output.b }} and ${{ tasks.nobody.output.x }}",
        "{% if a %}{{ user.name }}{% endif %}",
        "{{ needs.build.outputs.path }}",
    ],
)
def test_other_braces_belong_to_the_prompt(text: str) -> None:
    assert triage_and(text).dependencies["fix"] == set()
    assert templates.render(text, {}) == text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{{ tasks.triag.output.priority }}", "no task 'triag': its tasks are fix, triage"),
        ("{{ tasks.triage.output.prio }}", "no field 'prio': it has files, priority, who"),
        ("{{ tasks.triage.output.who.age }}", "no field 'age': it has name"),
        ("{{ tasks.triage.output.priority.x }}", "no field 'x'"),
        ("{{ tasks.fix.output.x }}", "no output_schema"),
        ("{{ tasks.triage.priority }}", "cannot be understood"),
        ("{{ tasks }}", "cannot be understood"),
        ("{{ task.triage.output.priority }}", "names nothing"),
    ],
)
def test_what_no_run_could_fill_in_is_refused_when_it_is_written(text: str, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        triage_and(text)


def test_results_are_put_in() -> None:
    outputs = {"triage": {"priority": "high", "files": ["ä", "b"], "who": {"name": "Ann"}}}
    assert templates.render("{{tasks.triage.output.priority}}!", outputs) == "high!"
    assert templates.render("{{ tasks.triage.output.who }}", outputs) == '{"name": "Ann"}'
    assert templates.render("{{ tasks['triage'].output.files.1 }}", outputs) == "b"
    assert templates.render("{{ tasks.triage.output.files }}", outputs) == '["ä", "b"]'


def test_what_is_put_in_is_not_read_again() -> None:
    outputs = {"a": {"x": "{{ tasks.b.output.secret }}"}, "b": {"secret": "no"}}
    assert templates.render("{{ tasks.a.output.x }}", outputs) == "{{ tasks.b.output.secret }}"


@pytest.mark.parametrize("text", ["{{ tasks.b.output.x }}", "{{ tasks.a.output.y }}"])
def test_a_missing_result_is_an_error_of_the_run(text: str) -> None:
    with pytest.raises(templates.TemplateError, match="cannot be filled in"):
        templates.render(text, {"a": {"x": 1}})


def test_cycles_are_refused_and_shown() -> None:
    a = {"name": "a", "prompt": "p", "depends_on": ["c"]}
    b = {"name": "b", "prompt": "p", "depends_on": ["a"]}
    c = {"name": "c", "prompt": "p", "depends_on": ["b"]}
    with pytest.raises(ValidationError, match=r"wait for each other: .* -> "):
        job(a, b, c)
    with pytest.raises(ValidationError, match="wait for each other: a -> a"):
        job({"name": "a", "prompt": "p", "depends_on": ["a"]})
    assert graph.cycle({"a": {"b"}, "b": set()}) == []


def test_an_unknown_dependency_is_refused() -> None:
    with pytest.raises(ValidationError, match="depends on 'x', which is no task"):
        job({"name": "a", "prompt": "p", "depends_on": ["x"]})


@pytest.mark.parametrize("schema", [{}, {"type": "string"}, {"type": "object", "properties": []}])
def test_an_output_is_an_object(schema: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="output_schema"):
        job({"name": "a", "prompt": "p", "output_schema": schema})
