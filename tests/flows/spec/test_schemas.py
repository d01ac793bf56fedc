"""Schemas of results: what is refused when a job is written is what the real claude refuses, and nothing else."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ccs.flows.spec.schemas import problem
from ccs.flows.spec.task import Task
from tests.fakes.anthropic import FakeApi
from tests.worlds.claude import Bench, bundled_claude


def field(**keywords: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"n": keywords}}


GOOD = [
    {"type": "object"},
    {"type": "object", "$defs": {"a": {"type": "string"}}, "properties": {"n": {"$ref": "#/$defs/a"}}},
    {"$schema": "http://json-schema.org/draft-07/schema#", "type": "object", "properties": {"n": True}},
    field(type=["string", "null"], examples=[{"x-any": 1}], default={"x-any": 1}, deprecated=True),
    field(**{"$comment": "x", "if": {"type": "string"}, "then": {"minLength": 1}, "readOnly": True}),
    field(type="array", items=[{"type": "string"}], contains={"const": {"optional": 1}}),
]
BAD = [
    (field(type="integr"), "properties/n/type: 'integr' is not valid"),
    ({"type": "object", "properties": []}, "properties: [] is not of type 'object'"),
    ({"type": "object", "required": "n"}, "required: 'n' is not of type 'array'"),
    (field(minimum="1"), "properties/n/minimum: '1' is not of type 'number'"),
    (field(optional=True), "properties/n/optional: JSON Schema draft 7 has no such keyword"),
    (field(type="array", items={"x-a": 1}), "properties/n/items/x-a: "),
    (field(anyOf=[{"type": "string"}, {"prefixItems": []}]), "properties/n/anyOf/1/prefixItems: "),
    (field(**{"$ref": "#/definitions/a"}), "properties/n: $ref '#/definitions/a' leads nowhere"),
    ({"type": "object", "$schema": "https://json-schema.org/draft/2020-12/schema"}, "draft 7 only: leave it out"),
]


def takes(folder: Path, api: FakeApi, schema: dict[str, Any]) -> bool:
    """Whether the real claude begins with the schema."""
    bench = Bench(folder, api.url)
    flags = ("--verbose", "--output-format=stream-json", f"--json-schema={json.dumps(schema)}")
    done = subprocess.run(
        [bundled_claude(), "-p", *flags], input=b"hi", capture_output=True, env=bench.environment(), cwd=bench.cwd
    )
    return b'"subtype":"init"' in done.stdout


@pytest.mark.claude
@pytest.mark.parametrize("schema", GOOD, ids=json.dumps)
def test_what_claude_takes_is_fine(schema: dict[str, Any], tmp_path: Path, fake_api: FakeApi) -> None:
    assert problem(schema) == ""
    assert takes(tmp_path, fake_api, schema)


@pytest.mark.claude
@pytest.mark.parametrize(("schema", "said"), BAD)
def test_what_claude_refuses_is_told_before(
    schema: dict[str, Any], said: str, tmp_path: Path, fake_api: FakeApi
) -> None:
    assert said in problem(schema)
    assert not takes(tmp_path, fake_api, schema)


def test_a_task_with_a_bad_schema_cannot_be_written() -> None:
    with pytest.raises(ValueError, match="output_schema: properties/n/type: 'integr' is not valid"):
        Task.model_validate({"name": "a", "prompt": "x", "output_schema": field(type="integr")})


def test_no_depth_is_too_deep_to_be_refused() -> None:
    deep: dict[str, Any] = {"type": "string"}
    for _ in range(20_000):
        deep = {"not": deep}
    assert problem(deep) == "it nests too deep"
