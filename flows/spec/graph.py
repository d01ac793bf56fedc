"""Which task comes before which: a graph of names."""

from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter


def cycle(before: Mapping[str, set[str]]) -> list[str]:
    """The names of a cycle, the first again at the end; empty when there is none."""
    try:
        TopologicalSorter(before).prepare()
    except CycleError as error:
        found: list[str] = error.args[1]
        return found
    return []
