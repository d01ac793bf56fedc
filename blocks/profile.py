"""The profile as a Prefect block: a named environment for `claude`, kept encrypted on the server."""

import os
from collections.abc import Mapping

from prefect.blocks.core import Block
from prefect.types import SecretDict
from pydantic import Field, PositiveFloat, model_validator

from ccs.blocks.env import Environment, Source, Variable, resolve
from ccs.blocks.sensitivity import is_undeclared_secret


class Profile(Block):
    """A named environment for `claude`: variables, secrets, and where they come from.

    Example:
        ```python
        from ccs.blocks.profile import Profile

        environment = Profile.load("anthropic").resolve("anthropic")
        ```
    """

    _block_type_name = "Claude Code profile"
    _block_type_slug = "ccs-profile"
    _description = "A named environment for Claude Code sessions: variables, secrets, and where they come from."

    description: str = Field(default="", description="What the profile is for.")
    variables: dict[str, Variable] = Field(default={}, description="Variables by name, each with its source.")
    secrets: SecretDict = Field(
        default_factory=lambda: SecretDict({}), description="Secret values by variable name; never shown again."
    )
    budget_usd_per_day: PositiveFloat | None = Field(
        default=None, description="Estimated US dollars all its jobs may cost a day (UTC); then they are paused."
    )
    budget_usd_per_month: PositiveFloat | None = Field(
        default=None, description="Estimated US dollars all its jobs may cost a month (UTC); then they are paused."
    )

    @model_validator(mode="after")
    def _keep_undeclared_secrets(self) -> "Profile":
        """A static value that looks like a secret is one, also in a profile that an older ccs or a program made."""
        static = {name: v.value for name, v in self.variables.items() if v.source is Source.STATIC}
        undeclared = {name: value for name, value in static.items() if is_undeclared_secret(name, value)}
        if undeclared:
            self.variables = {name: v for name, v in self.variables.items() if name not in undeclared}
            self.secrets = SecretDict({**undeclared, **self.secrets.get_secret_value()})
        return self

    def resolve(self, name: str, node: Mapping[str, str] = os.environ) -> Environment:
        """The environment on this node; `name` is the profile's, for messages.

        Raises UnresolvedError when a variable has no value here.
        """
        return resolve(name, self.variables, self.secrets.get_secret_value(), node)
