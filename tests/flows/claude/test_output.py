"""Structured output: the form that was asked for, or a reason why there is none."""

import json
from typing import Any

import pytest

from ccs.flows.claude.output import MAX_DEPTH, cleaned, nests_too_deep
from ccs.flows.spec.verdict import Reason
from tests.fakes.anthropic import FakeApi, marker
from tests.worlds.claude import INIT, KEY, RESULT, SAID, Bench, printing, stub

SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
TEXT = {"type": "object", "properties": {"t": {"type": "string"}}}


@pytest.mark.parametrize(
    "steps",
    [
        [{"structured": {"n": 3}}],
        [{"text": "Here it is.", "structured": {"n": 3}}],
        [{"tool": "Bash", "input": {"command": "echo hi"}}, {"structured": {"n": 3}}],
        [{"text": "I forgot."}, {"structured": {"n": 3}}],
        [{"structured": {"n": "three"}}, {"structured": {"n": 3}}],
    ],
)
def test_the_output_has_the_form_that_was_asked_for(claude: Bench, steps: list[dict[str, Any]]) -> None:
    report = claude.run("count " + marker(*steps), output_schema=SCHEMA)
    assert (report.verdict.reason, report.output) == (Reason.OK, {"n": 3})


def test_a_resumed_session_has_an_output_too_and_none_if_none_is_asked_for(claude: Bench) -> None:
    first = claude.run("count " + marker({"structured": {"n": 1}}), output_schema=SCHEMA)
    again: dict[str, Any] = {"resume": first.session_id, "session_id": first.session_id}
    second = claude.run("again " + marker({"structured": {"n": 2}}), output_schema=SCHEMA, **again)
    third = claude.run("talk " + marker({"text": "well"}), **again)
    assert (first.output, second.output, third.output) == ({"n": 1}, {"n": 2}, None)
    assert (third.verdict.ok, third.text) == (True, "well")


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ({"text": '{"n": 3}'}, "without the output that output_schema asks for"),
        ({"text": ""}, "without the output that output_schema asks for"),
        ({"structured": {"n": "three"}}, "/n: must be integer"),
    ],
)
def test_without_the_output_the_attempt_fails(claude: Bench, step: dict[str, Any], words: str) -> None:
    report = claude.run("count " + marker({**step, "times": -1}), output_schema=SCHEMA)
    assert (report.verdict.reason, report.output, report.verdict.is_transient) == (Reason.SCHEMA, None, False)
    assert words in report.verdict.detail


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "nonsense"}, "data/type must be equal to one of the allowed values"),
        ({"type": "object", "properties": {"a": {"$ref": "#/nowhere"}}}, "can't resolve reference #/nowhere"),
        ({"type": "object", "made_up": 1}, "unknown keyword"),
        ({"$schema": "https://json-schema.org/draft/2020-12/schema"}, "knows JSON Schema draft 7 only"),
    ],
)
def test_a_schema_that_claude_refuses_is_refused_in_its_words(
    claude: Bench, fake_api: FakeApi, schema: dict[str, Any], words: str
) -> None:
    fake_api.reset()
    report = claude.run("count", output_schema=schema)
    assert (report.verdict.reason, fake_api.requests) == (Reason.SCHEMA, [])
    assert words in report.verdict.detail


def test_a_schema_may_be_nearly_as_long_as_an_argument(claude: Bench) -> None:
    prompt = "count " + marker({"structured": {"n": 3}})
    assert claude.run(prompt, output_schema={**SCHEMA, "description": "x" * 130_000}).output == {"n": 3}
    report = claude.run(prompt, output_schema={**SCHEMA, "description": "x" * 131_000})
    assert report.verdict.reason is Reason.SPAWN
    assert "output_schema has 128 KB" in report.verdict.detail


def test_other_failures_keep_their_reasons(claude: Bench) -> None:
    api_error = claude.run("count " + marker({"status": 500, "times": -1}), output_schema=SCHEMA)
    turns = claude.run(
        "count " + marker({"tool": "Bash", "input": {"command": "echo"}, "times": -1}),
        output_schema=SCHEMA,
        max_turns=1,
    )
    assert [report.verdict.reason for report in (api_error, turns)] == [Reason.API_ERROR, Reason.MAX_TURNS]


def test_an_output_with_a_secret_and_what_databases_refuse_is_cleaned(claude: Bench) -> None:
    value = {"t": f"key {KEY} nul \0 half \ud800", KEY: [KEY, 1, None, True]}
    report = claude.run(
        "tell " + marker({"structured": value}),
        output_schema=TEXT,
        redact=lambda line: line.replace(KEY.encode(), b"*"),
    )
    assert report.verdict.ok
    assert report.output["*"] == ["*", 1, None, True]
    assert report.output["t"].startswith("key * nul ")
    assert not {"\0", "\ud800"} & set(report.output["t"])


def test_an_output_that_nests_without_end_is_no_output(bench: Bench) -> None:
    head = json.dumps({**RESULT, "structured_output": {"t": 1}}).replace("1}}", "[" * 300 + "]" * 300 + "}}")
    bench.executable = stub(bench.folder, printing([INIT, SAID], f"print({head!r})"))
    report = bench.run("tell", output_schema=TEXT)
    assert (report.verdict.reason, report.output) == (Reason.SCHEMA, None)


def test_an_output_that_nobody_asked_for_is_left_out(bench: Bench) -> None:
    bench.executable = stub(bench.folder, printing([INIT, SAID, {**RESULT, "structured_output": {"t": 1}}]))
    assert bench.run("tell").output is None


def test_levels_are_counted() -> None:
    deep: object = {}
    for _ in range(MAX_DEPTH - 1):
        deep = {"a": [], "b": deep}
    assert not nests_too_deep(deep)
    assert not nests_too_deep({"a": 1})
    assert nests_too_deep([[deep]])


def test_every_text_is_cleaned_and_nothing_else() -> None:
    assert cleaned({"a": ["b", 1, 2.5, None, False, {"c": "d"}]}, str.upper) == {
        "A": ["B", 1, 2.5, None, False, {"C": "D"}]
    }
