"""The profile of a task on this node: its variables and secrets resolved, or a sentence that says what is wrong."""

import os
from dataclasses import dataclass

from pydantic import ValidationError

from ccs.blocks import env
from ccs.blocks.env import EMPTY, Environment, Source
from ccs.blocks.profile import Profile
from ccs.flows.workplace.directory import WorkplaceError


@dataclass(frozen=True)
class ResolvedProfile:
    """What a task's `claude` gets from its profile; without one, the login of the node's user is used."""

    name: str | None = None
    block: Profile | None = None
    environment: Environment = EMPTY


def resolve(name: str | None) -> ResolvedProfile:
    """The profile of this name. Fails closed: WorkplaceError or UnresolvedError, never a part of it."""
    if name is None:
        return ResolvedProfile()
    block = _loaded(name)
    return ResolvedProfile(name, block, block.resolve(name))


def secrets_of(name: str) -> frozenset[str]:
    """What redaction has to hide of a profile, also of one that does not resolve here; WorkplaceError as above."""
    block = _loaded(name)
    here = {n: v for n, v in block.variables.items() if v.source is not Source.ENV or os.environ.get(v.value)}
    return env.resolve(name, here, block.secrets.get_secret_value(), os.environ).secrets


def _loaded(name: str) -> Profile:
    try:
        block = Profile.load(name)
        assert isinstance(block, Profile)  # load() is declared to give an awaitable too
    except ValidationError as error:
        fields = ", ".join(".".join(map(str, e["loc"])) for e in error.errors(include_input=False, include_url=False))
        raise WorkplaceError(f"profile {name!r} holds values that do not fit ({fields}): write it anew") from None
    except ValueError:
        raise WorkplaceError(f"there is no profile {name!r}: create it with `ccs profiles create`") from None
    return block
