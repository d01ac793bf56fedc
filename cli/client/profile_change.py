"""Variables and secrets of a profile, from the options that name them."""

import os
import sys
from dataclasses import dataclass, field
from math import isfinite

from ccs.cli.client.api import Json
from ccs.cli.client.editing import validation
from ccs.cli.errors import RequestError
from ccs.cli.terminal.output import say
from ccs.flows.node.files import expanded
from ccs.flows.spec import names

MASK = "********"
"""What Prefect shows in place of a secret, and takes for the secret it holds."""

BUDGETS = ("budget_usd_per_day", "budget_usd_per_month")


@dataclass
class Change:
    """What is to become of a profile; secrets are read before the server is asked for anything."""

    variables: dict[str, Json] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict, repr=False)
    removed: list[str] = field(default_factory=list)
    description: str | None = None
    budgets: dict[str, float | None] = field(default_factory=dict)

    @classmethod
    def read(
        cls,
        env: list[str] | None,
        unset: list[str] | None,
        secret: list[str] | None,
        remove: list[str] | None = None,
        description: str | None = None,
        budgets: dict[str, float | None] | None = None,
    ) -> "Change":
        """The change that options ask for; RequestError says which of them is wrong, without a secret's value."""
        with validation():
            variables = dict(map(_variable, env or []))
            variables |= {_name(n): {"source": "unset", "value": ""} for n in unset or []}
            secrets = dict(map(_secret, secret or []))
        if both := sorted(variables.keys() & secrets.keys()):
            raise RequestError(f"{both[0]} is given twice: as a variable and as a secret")
        return cls(variables, secrets, remove or [], description, budgets or {})

    def apply(self, data: Json) -> Json:
        """The data of the profile after the change; its own secrets stay masked, which keeps them."""
        variables = {k: v for k, v in (data.get("variables") or {}).items() if k not in self.secrets}
        secrets = {k: v for k, v in secrets_of(data).items() if k not in self.variables}
        for name in self.removed:
            if not (variables.pop(name, None) or secrets.pop(name, None)):
                raise RequestError(f"the profile has no variable {name!r}", f"it has {_listed(variables, secrets)}")
        return {
            "description": data.get("description", "") if self.description is None else self.description,
            "variables": variables | self.variables,
            "secrets": secrets | self.secrets,
            **{field: data[field] for field in BUDGETS if field in data},
            **self.budgets,
        }


def budgets(per_day: float | None, per_month: float | None) -> dict[str, float | None]:
    """The budgets that options change; 0 takes one away. Raises RequestError."""
    given = {field: usd for field, usd in zip(BUDGETS, (per_day, per_month), strict=True) if usd is not None}
    if not all(map(isfinite, given.values())):
        raise RequestError("a budget must be a finite number of US dollars", "0 takes it away")
    return {field: usd or None for field, usd in given.items()}


def secrets_of(data: Json) -> Json:
    """The masked secrets in a profile's data; Prefect masks even that there are none."""
    secrets = data.get("secrets")
    return secrets if isinstance(secrets, dict) else {}


def changed(data: Json, env: list[str] | None, unset: list[str] | None, secret: list[str] | None) -> Json:
    """The data of a profile with what options add."""
    return Change.read(env, unset, secret).apply(data)


def check_profile_name(name: str) -> str:
    """The name itself; RequestError when a profile cannot be called so."""
    try:
        return names.check_profile_name(name)
    except ValueError as error:
        raise RequestError(str(error)) from error


def _variable(text: str) -> tuple[str, Json]:
    from ccs.blocks.env import Variable, is_sensitive

    name, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"--env {name} has no value: write {name}=VALUE, or {name}=env:{name} for the node's own")
    source = "static"
    if value.startswith("env:"):
        source, value = "env", value.removeprefix("env:")
    elif not value:
        say(f"warning: {name} has an empty value, so it will not be set; --unset {name} removes it")
    elif is_sensitive(name, value):
        say(f"warning: {name} looks like a secret but is kept readable; use --secret {name}")
    return _name(name), Variable.model_validate({"source": source, "value": value}).model_dump(mode="json")


def _secret(text: str) -> tuple[str, str]:
    from ccs.blocks.env import check_secret

    name, equals, source = text.partition("=")
    _name(name)
    if not equals:
        value = _asked(name)
    elif source.startswith("env:"):
        value = os.environ.get(source.removeprefix("env:"), "")
        if not value:
            raise ValueError(
                f"the variable {source.removeprefix('env:')} is not set here, so {name} cannot be taken from it"
            )
    elif source.startswith("file:"):
        value = _file(name, source.removeprefix("file:"))
    else:
        raise ValueError(
            f"the value of the secret {name} would show in ps and the shell's history: give --secret {name} and type "
            f"it when asked (or pipe it in), or --secret {name}=env:VAR or --secret {name}=file:PATH"
        )
    if value == MASK:
        raise ValueError(f"the secret {name} is a row of asterisks: Prefect would take it for one that it hides")
    return name, check_secret(name, value)


def _asked(name: str) -> str:
    if sys.stdin.isatty():
        import getpass

        return getpass.getpass(f"{name}: ")
    line = sys.stdin.readline()
    if not line:
        raise ValueError(f"no line on stdin for the secret {name}")
    return line.rstrip("\r\n")


def _file(name: str, path: str) -> str:
    try:
        return expanded(path).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"the secret {name} cannot be read from {path}: {error}") from error


def _name(name: str) -> str:
    from ccs.blocks.env import check_name

    return check_name(name)


def _listed(variables: Json, secrets: Json) -> str:
    return ", ".join(sorted([*variables, *secrets])) or "none"
