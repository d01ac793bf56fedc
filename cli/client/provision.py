"""What a server needs before it can hold jobs: a work pool, the type of profiles, and the watch over lost runs."""

import json
from functools import cache
from importlib.resources import files

from ccs.cli.client.api import Api
from ccs.cli.client.records import BlockSchema, Json
from ccs.cli.errors import RequestError, ServerError

SILENCE = 300
"""Seconds without a word of a run until it counts as lost.

A run speaks up every 30 seconds, and within 30 seconds of a server's return from an outage: so no run is given up for
a server that was away for less than four minutes.
"""


def provision(api: Api, pool: str, silence: float = SILENCE) -> None:
    """Have what jobs need on the server; safe to repeat."""
    if api.ensure_pool(pool, _data("ccs.deployments", "pool.json")):
        api.note(f"made work pool {pool!r}")
    profile_type(api)
    try:
        api.ensure_automation(lost_runs(silence))
    except (RequestError, ServerError) as error:
        api.note(
            f"a run whose node dies stays Running until the node is back: the server takes no automation ({error})"
        )


def lost_runs(silence: float = SILENCE) -> Json:
    """The automation that calls a run Crashed when nothing was heard of it for `silence` seconds (at least 10)."""
    definition = _data("ccs.deployments", "lost_runs.json")
    return {**definition, "trigger": {**definition["trigger"], "within": silence}}


def profile_type(api: Api) -> BlockSchema:
    """The block schema of profiles, made when the server lacks it."""
    return api.ensure_profile_type(_data("ccs.blocks", "profile.json"))


@cache
def _data(package: str, name: str) -> Json:
    return dict(json.loads((files(package) / name).read_text(encoding="utf-8")))
