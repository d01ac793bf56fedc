"""A change of a profile: its variables, secrets, description and budgets."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ccs.blocks.redact import MASK
from ccs.blocks.sensitivity import is_sensitive, is_undeclared_secret
from ccs.cli.client.records import Budgets, ProfileData, ProfileVariable
from ccs.cli.errors import RequestError


@dataclass
class Change:
    """What is to become of a profile; secrets are read before the server is asked for anything."""

    variables: dict[str, ProfileVariable] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict, repr=False)
    removed: list[str] = field(default_factory=list)
    description: str | None = None
    budgets: Budgets = field(default_factory=lambda: Budgets())

    def apply(self, data: ProfileData) -> ProfileData:
        """The data of the profile after the change; its own secrets stay masked, which keeps them.

        What looks like a secret is one afterwards, also what an older ccs kept as a variable.
        """
        variables = {k: v for k, v in (data.get("variables") or {}).items() if k not in self.secrets}
        secrets = {k: v for k, v in secrets_of(data).items() if k not in self.variables}
        for name in self.removed:
            if not (variables.pop(name, None) or secrets.pop(name, None)):
                raise RequestError(f"the profile has no variable {name!r}", f"it has {_listed(variables, secrets)}")
        variables |= self.variables
        undeclared = {name: variables.pop(name)["value"] for name in undeclared_secrets(variables)}
        return {
            **data,
            "description": data.get("description", "") if self.description is None else self.description,
            "variables": variables,
            "secrets": secrets | self.secrets | undeclared,
            **self.budgets,
        }


def secrets_of(data: ProfileData) -> dict[str, str]:
    """The masked secrets in a profile's data; Prefect masks even that there are none."""
    secrets = data.get("secrets")
    return secrets if isinstance(secrets, dict) else {}


def undeclared_secrets(variables: Mapping[str, ProfileVariable]) -> list[str]:
    """The names of a profile's variables whose static values are to be secrets."""
    return sorted(name for name, value in _static(variables).items() if is_undeclared_secret(name, value))


def shown(variables: Mapping[str, ProfileVariable]) -> dict[str, ProfileVariable]:
    """A profile's variables as anybody may see them: static values that look like secrets are masked."""
    hidden = {name for name, value in _static(variables).items() if is_sensitive(name, value)}
    return {name: {**v, "value": MASK} if name in hidden else v for name, v in variables.items()}


def _static(variables: Mapping[str, ProfileVariable]) -> dict[str, str]:
    return {name: v.get("value", "") for name, v in variables.items() if v["source"] == "static"}


def _listed(variables: Iterable[str], secrets: Iterable[str]) -> str:
    return ", ".join(sorted([*variables, *secrets])) or "none"
