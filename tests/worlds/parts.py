"""The large real parts of a test: a Prefect server, a node, claude. Who starts one is marked so, and nobody else may.

Marks come from the fixtures a test uses; a module that builds a part by hand says `pytestmark = pytest.mark.server`.
Tests without a mark are the fast part of the suite.
"""

import os
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

OF_FIXTURES = {"server_url": "server", "claude": "claude", "profile": "claude"}
SIGNS = {  # what its command line holds
    "server": re.compile(r"-m ccs\.deployments\.server |prefect server start"),
    "node": re.compile(r"-m ccs\.deployments\.node |bin/ccs up "),
    "claude": re.compile(r"claude_agent_sdk/_bundled/claude "),
}
COST = {"node": 8, "claude": 2, "server": 1}
"""About how many seconds of a test go into such a part."""

_allowed = set(SIGNS)


def pytest_configure(config: pytest.Config) -> None:
    for part in SIGNS:
        config.addinivalue_line("markers", f"{part}: starts a real {part}, or uses one")
    sys.addaudithook(_forbid)


def pytest_itemcollected(item: pytest.Item) -> None:
    for fixture in getattr(item, "fixturenames", ()):
        if part := OF_FIXTURES.get(fixture):
            item.add_marker(part)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the modules that take longest, so that no process of the suite ends long after the others."""
    costs: Counter[Path] = Counter()
    for item in items:
        costs[item.path] += sum(COST[mark.name] for mark in item.iter_markers() if mark.name in COST)
    items.sort(key=lambda item: (-costs[item.path], item.path))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    _allowed.intersection_update(mark.name for mark in item.iter_markers())
    try:
        return (yield)
    finally:
        _allowed.update(SIGNS)


def _forbid(event: str, arguments: tuple[object, ...]) -> None:
    """An audit hook: fail the test that starts a part whose mark it does not have."""
    if event == "subprocess.Popen" and len(_allowed) < len(SIGNS) and isinstance(arguments[1], list | tuple):
        command = " ".join(map(os.fsdecode, arguments[1])) + " "
        for part in set(SIGNS) - _allowed:
            if SIGNS[part].search(command):
                pytest.fail(f"it starts a {part}: mark it with @pytest.mark.{part}, or use a fixture that implies it")
