"""Setting the fields of a spec by their paths, with a dot for every level."""

from collections.abc import Iterable, Iterator

from ccs.cli.client.records import Json, Spec


def put(spec: Spec, changes: Json) -> Spec:
    """Set fields of a spec by their paths; the spec."""
    for path, value in changes.items():
        *levels, last = path.split(".")
        here = spec
        for level in levels:
            if not isinstance(here.get(level), dict):
                here[level] = {}
            here = here[level]
        here[last] = value
    return spec


def take(spec: Spec, paths: Iterable[str]) -> Iterator[str]:
    """Take fields out of a spec, so that their defaults apply; yields the paths of those that were not in it."""
    for path in paths:
        *levels, last = path.split(".")
        here: object = spec
        for level in levels:
            here = here.get(level) if isinstance(here, dict) else None
        if not isinstance(here, dict) or here.pop(last, None) is None:
            yield path
