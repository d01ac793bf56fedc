"""What a server needs before it can hold jobs and profiles: a work pool and the type of profiles."""

import json
from functools import cache
from importlib.resources import files
from typing import Any

from ccs.cli.api import Api, Json
from ccs.cli.output import say


def provision(api: Api, pool: str) -> None:
    """Have the work pool and the block type on the server; safe to repeat."""
    if api.ensure_pool(pool, _data("ccs.deployments", "pool.json")):
        say(f"made work pool {pool!r}")
    profile_type(api)


def profile_type(api: Api) -> Json:
    """The block schema of profiles, made when the server lacks it."""
    return api.ensure_profile_type(_data("ccs.blocks", "profile.json"))


@cache
def _data(package: str, name: str) -> Any:
    return json.loads((files(package) / name).read_text(encoding="utf-8"))
