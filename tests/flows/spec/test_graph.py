"""Cycles in what comes before what."""

import pytest

from ccs.flows.spec.graph import cycle


@pytest.mark.parametrize(
    "before",
    [
        {},
        {"a": set()},
        {"b": {"a"}, "c": {"a", "b"}, "a": set()},
        {"b": {"a"}, "c": {"a"}, "d": {"b", "c"}},
        {"b": {"somebody else"}},
    ],
    ids=["nothing", "one", "a line", "a diamond", "another's"],
)
def test_an_order_has_no_cycle(before: dict[str, set[str]]) -> None:
    assert cycle(before) == []


@pytest.mark.parametrize("names", [["a"], ["a", "b"], ["a", "b", "c", "d"]], ids=len)
def test_a_cycle_is_named_from_one_of_its_names_to_the_same(names: list[str]) -> None:
    before: dict[str, set[str]] = {name: {names[i - 1]} for i, name in enumerate(names)}
    found = cycle({**before, "outside": {"a"}})
    assert found[0] == found[-1]
    assert set(found) == set(names)
    assert len(found) == len(names) + 1
