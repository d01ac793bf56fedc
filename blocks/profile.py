"""The profile as a Prefect block: a named environment for `claude`, kept encrypted on the server."""

import os
from collections.abc import Mapping

from prefect.blocks.core import Block
from prefect.types import SecretDict
from pydantic import Field, PositiveFloat

from ccs.blocks.env import Environment, Variable, resolve


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

    def resolve(self, name: str, node: Mapping[str, str] = os.environ) -> Environment:
        """The environment on this node; `name` is the profile's, for messages.

        Raises UnresolvedError when a variable has no value here.
        """
        return resolve(name, self.variables, self.secrets.get_secret_value(), node)
