"""Variables, secrets and budgets of a profile, from the options that name them; a secret is asked for."""

import os
import sys
from math import isfinite

from ccs.blocks.sensitivity import is_sensitive, is_undeclared_secret
from ccs.cli.client.profile_change import Change, undeclared_secrets
from ccs.cli.client.profile_templates import Template
from ccs.cli.client.records import Budgets, ProfileData, ProfileVariable
from ccs.cli.client.validation import validation
from ccs.cli.errors import RequestError
from ccs.cli.terminal.output import say
from ccs.flows.node.files import expanded


def read(
    env: list[str] | None,
    unset: list[str] | None,
    secret: list[str] | None,
    remove: list[str] | None = None,
    description: str | None = None,
    budgets: Budgets | None = None,
) -> Change:
    """The change that options ask for; RequestError says which of them is wrong, without a secret's value."""
    with validation():
        variables = dict(map(_variable, env or []))
        variables |= {_name(n): ProfileVariable(source="unset", value="") for n in unset or []}
        secrets = dict(map(_secret, secret or []))
    if both := sorted(variables.keys() & secrets.keys()):
        raise RequestError(f"{both[0]} is given twice: as a variable and as a secret")
    return Change(variables, secrets, remove or [], description, budgets or {})


def applied(change: Change, data: ProfileData) -> ProfileData:
    """The data of the profile after the change; says what is a secret from now on without having been called one."""
    after = change.apply(data)
    for name in undeclared_secrets({**(data.get("variables") or {}), **change.variables}):
        if name not in change.secrets and name in after["secrets"]:
            say(f"{name} looks like a secret and is stored as one")
    return after


def filled(template: Template, env: list[str], unset: list[str], secret: list[str]) -> tuple[list[str], list[str]]:
    """The --env and --secret options that a template stands for beside those that were given.

    What was given goes before what the template says; the rest is asked for, or read line by line from stdin.
    """
    given = {option.partition("=")[0] for option in (*env, *unset, *secret)}
    variables = [option for option in template.fixed if option.partition("=")[0] not in given]
    variables += filter(None, (_asked(name) for name in template.asked if name not in given))
    return [*env, *variables], [*secret, *(name for name in template.secrets if name not in given)]


def budgets(per_day: float | None, per_month: float | None) -> Budgets:
    """The budgets that options change; 0 takes one away. Raises RequestError."""
    if not all(isfinite(usd) for usd in (per_day, per_month) if usd is not None):
        raise RequestError("a budget must be a finite number of US dollars", "0 takes it away")
    given: Budgets = {}
    if per_day is not None:
        given["budget_usd_per_day"] = per_day or None
    if per_month is not None:
        given["budget_usd_per_month"] = per_month or None
    return given


def _variable(text: str) -> tuple[str, ProfileVariable]:
    from ccs.blocks.env import Variable, check_secret

    name, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"--env {name} has no value: write {name}=VALUE, or {name}=env:{name} for the node's own")
    source = "static"
    if value.startswith("env:"):
        source, value = "env", value.removeprefix("env:")
    elif not value:
        say(f"warning: {name} has an empty value, so it will not be set; --unset {name} removes it")
    elif is_undeclared_secret(name, value):
        check_secret(name, value)
    elif is_sensitive(name, value):
        say(
            f"warning: {name} looks like a secret, but is too short to be kept out of logs: it stays a variable, which "
            f"ccs does not show; for a longer one: --secret {name}"
        )
    checked = Variable.model_validate({"source": source, "value": value})
    return _name(name), {"source": checked.source.value, "value": checked.value}


def _secret(text: str) -> tuple[str, str]:
    from ccs.blocks.env import check_secret

    name, equals, source = text.partition("=")
    _name(name)
    if not equals:
        value = _typed(name)
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
    return name, check_secret(name, value)


def _typed(name: str) -> str:
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


def _asked(name: str) -> str:
    """The --env option for a variable; empty, with a warning, when nobody gives it a value."""
    if sys.stdin.isatty():
        say(f"{name} (a value, or env:{name} to take the node's own; empty to leave it out): ")
    value = sys.stdin.readline().strip()
    if not value:
        say(f"warning: {name} has no value, so it is left out; later: ccs profiles update PROFILE --env {name}=VALUE")
        return ""
    return f"{name}={value}"
