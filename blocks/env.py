"""The variables of a profile: where each value comes from, and what they resolve to on a node."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ccs.blocks.redact import MASK
from ccs.blocks.sensitivity import MIN_SECRET, is_sensitive

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Source(StrEnum):
    """Where the value of a variable comes from."""

    STATIC = "static"  # written in the profile
    ENV = "env"  # a variable of the node, read when a task starts
    UNSET = "unset"  # removed, also where ccs would pass it on


class Variable(BaseModel):
    """One variable that is not a secret."""

    model_config = ConfigDict(extra="forbid")

    source: Source = Field(description="static: the value below; env: the node's variable named below; unset: removed.")
    value: str = Field(default="", description="The value, or the name of the node's variable; empty for unset.")

    @model_validator(mode="after")
    def _value_fits(self) -> "Variable":
        if self.source is Source.ENV and not _VARIABLE.fullmatch(self.value):
            raise ValueError(f"{self.value!r} is not the name of an environment variable")
        if self.source is Source.UNSET and self.value:
            raise ValueError("an unset variable has no value")
        if "\0" in self.value:
            raise ValueError("a value cannot hold a NUL character")
        return self


def check_name(name: str) -> str:
    """The name itself; ValueError when it is not the name of an environment variable."""
    if not _VARIABLE.fullmatch(name):
        raise ValueError(f"{name!r} is not the name of an environment variable: letters, digits and _ only")
    return name


def check_secret(name: str, value: str) -> str:
    """The secret itself; ValueError (without the value) when it could not be kept out of logs."""
    if len(value) < MIN_SECRET:
        raise ValueError(f"the secret {name} is shorter than {MIN_SECRET} characters and could not be redacted")
    if "\0" in value:
        raise ValueError(f"the secret {name} holds a NUL character")
    if value == MASK:
        raise ValueError(f"the secret {name} is a row of asterisks: Prefect would take it for one that it hides")
    return value


class UnresolvedError(Exception):
    """A variable of a profile has no value on this node."""

    def __init__(self, profile: str, name: str, source: str) -> None:
        self.name = name
        super().__init__(
            f"profile {profile!r}: {name} comes from the node's variable {source}, which is not set or empty on this "
            f"node: export it where the node is started and restart the node, or change the profile"
        )


@dataclass(frozen=True)
class Environment:
    """What a profile resolved to: never written anywhere, only handed to a child process.

    `values` are set, `removed` are taken out; `secrets` is what redaction has to hide.
    """

    values: Mapping[str, str]
    removed: frozenset[str]
    secrets: frozenset[str]
    skipped: tuple[str, ...] = ()  # names with an empty value: `claude` would take some of them for a setting

    def __repr__(self) -> str:
        return f"Environment({sorted(self.values)}, removed={sorted(self.removed)})"


EMPTY = Environment({}, frozenset(), frozenset())


def resolve(
    profile: str,
    variables: Mapping[str, Variable],
    secrets: Mapping[str, str],
    node: Mapping[str, str],
) -> Environment:
    """The environment a profile stands for on a node whose variables are `node`.

    Fails closed: UnresolvedError names the first variable of source env that the node lacks.
    """
    values: dict[str, str] = {}
    hidden: set[str] = set()
    skipped: list[str] = []
    for name, variable in variables.items():
        if variable.source is Source.UNSET:
            continue
        value = variable.value
        if variable.source is Source.ENV:
            value = node.get(variable.value, "")
            if not value:
                raise UnresolvedError(profile, name, variable.value)
        if not value:
            skipped.append(name)
            continue
        values[name] = value
        if len(value) >= MIN_SECRET and (variable.source is Source.ENV or is_sensitive(name, value)):
            hidden.add(value)
    for name, secret in secrets.items():
        values[name] = secret
        hidden.add(secret)
    removed = frozenset(n for n, v in variables.items() if v.source is Source.UNSET and n not in values)
    return Environment(values, removed, frozenset(hidden), tuple(skipped))
