"""Fields of a spec by their paths."""

from typing import Any

import pytest

from ccs.cli.client.assignment import put, take


@pytest.mark.parametrize(
    ("spec", "changes", "expected"),
    [
        ({}, {"timeout": 5}, {"timeout": 5}),
        ({"a": 1}, {"b.c.d": 2}, {"a": 1, "b": {"c": {"d": 2}}}),
        ({"b": {"x": 1}}, {"b.y": 2, "b.z": 3}, {"b": {"x": 1, "y": 2, "z": 3}}),
        ({"b": None}, {"b.y": 2}, {"b": {"y": 2}}),
        ({"b": "text"}, {"b.y": 2}, {"b": {"y": 2}}),
        ({"b": {"y": 1}}, {"b": None}, {"b": None}),
    ],
    ids=str,
)
def test_fields_are_put_where_their_paths_lead(
    spec: dict[str, Any], changes: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert put(spec, changes) is spec
    assert spec == expected


@pytest.mark.parametrize(
    ("spec", "path", "rest", "missing"),
    [
        ({"a": 1, "b": 2}, "a", {"b": 2}, []),
        ({"b": {"x": 1, "y": 2}}, "b.x", {"b": {"y": 2}}, []),
        ({"b": {"x": 1}}, "b.x", {"b": {}}, []),
        ({"a": 1}, "b", {"a": 1}, ["b"]),
        ({"a": 1}, "a.x", {"a": 1}, ["a.x"]),
        ({"a": None}, "a.x.y", {"a": None}, ["a.x.y"]),
        ({"a": None}, "a", {}, ["a"]),  # it said nothing
    ],
    ids=str,
)
def test_fields_are_taken_out_and_those_that_are_not_there_are_told(
    spec: dict[str, Any], path: str, rest: dict[str, Any], missing: list[str]
) -> None:
    assert list(take(spec, [path])) == missing
    assert spec == rest


def test_several_at_once() -> None:
    spec = {"a": 1, "b": {"x": 1}}
    assert list(take(spec, ["a", "c", "b.x", "b.z"])) == ["c", "b.z"]
    assert spec == {"b": {}}
