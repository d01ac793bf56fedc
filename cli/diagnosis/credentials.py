"""What is wrong with the credentials that a profile gives to claude, told without a value."""

from collections.abc import Iterator, Mapping

from ccs.cli.client.profile_change import secrets_of, undeclared_secrets
from ccs.cli.client.records import ProfileData, ProfileVariable
from ccs.cli.diagnosis.findings import Finding, Level, fail, info, ok, warn

_LOGINS = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN")
"""The first two are sent together when both are set; the third is used only without them."""

_CLOUDS = ("CLAUDE_CODE_USE_BEDROCK", "CLAUDE_CODE_USE_VERTEX", "CLAUDE_CODE_USE_FOUNDRY")
_OFF = ("", "0", "false", "no", "off")


def variables(data: ProfileData) -> dict[str, ProfileVariable]:
    """The variables of a profile by name, secrets among them, each with its source and never a secret's value."""
    secrets: dict[str, ProfileVariable] = {name: {"source": "secret", "value": ""} for name in secrets_of(data)}
    return {**(data.get("variables") or {}), **secrets}


def unresolved(data: ProfileData, node: Mapping[str, str]) -> dict[str, str]:
    """The variables that have no value where the environment is `node`, each with the one it comes from."""
    found = variables(data)
    return {name: v["value"] for name, v in found.items() if v["source"] == "env" and not node.get(v["value"])}


def check(
    name: str, data: ProfileData, node: Mapping[str, str], is_node: bool, logged_in: bool, is_used: bool = True
) -> Iterator[Finding]:
    """Findings about one profile; none fails one that no job uses.

    `is_node`: runs take place on this machine, so what is missing here is missing.
    """
    for finding in _check(name, data, node, is_node, logged_in):
        if finding.level is Level.FAIL and not is_used:
            yield warn(finding.id, f"{finding.what} (no job uses the profile)", finding.do)
        else:
            yield finding


def _check(name: str, data: ProfileData, node: Mapping[str, str], is_node: bool, logged_in: bool) -> Iterator[Finding]:
    subject, update = f"profile {name}", f"ccs profiles update {name}"
    found = {k: v for k, v in variables(data).items() if v["source"] != "unset"}
    missing = unresolved(data, node)
    for variable, source in missing.items():
        where = "export it before `ccs up`" if is_node else "make sure that the nodes have it"
        level = fail if is_node else warn
        yield level(subject, f"profile {name!r}: {variable} comes from {source}, which is not set here", where)
    for variable, value in found.items():
        if value["source"] == "static" and not value["value"]:
            yield warn(
                subject, f"profile {name!r}: {variable} is empty, so it is not set", f"{update} --remove {variable}"
            )
    for variable in undeclared_secrets(data.get("variables") or {}):
        yield warn(subject, f"profile {name!r}: {variable} looks like a secret, but Prefect shows its value", update)
    problems = list(_conflicts(name, _set(found), update))
    if is_node and logged_in and "ANTHROPIC_API_KEY" in found and not problems:
        what = f"profile {name!r}: its ANTHROPIC_API_KEY is used, and paid for, instead of the login of this machine"
        problems.append(warn(subject, what, f"if the login is meant: {update} --remove ANTHROPIC_API_KEY"))
    yield from problems
    if not (missing or problems):
        yield ok(subject, f"profile {name!r}: {_login(found, logged_in)}")


def _set(found: Mapping[str, ProfileVariable]) -> dict[str, str]:
    """The variables that will have a value; of those that are not static, the value is not known."""
    values = {name: v["value"] if v["source"] == "static" else "?" for name, v in found.items()}
    return {name: value for name, value in values.items() if value}


def _conflicts(name: str, found: Mapping[str, str], update: str) -> Iterator[Finding]:
    logins = [login for login in _LOGINS if login in found]
    clouds = [cloud for cloud in _CLOUDS if found.get(cloud, "").lower() not in _OFF]
    subject, who = f"profile {name}", f"profile {name!r}"
    if len(logins) > 1:
        last = logins[-1]
        fate = "is not used" if last == _LOGINS[-1] else "are both sent, and the API may refuse that"
        what = f"beside {logins[0]}, {last} {fate}" if last == _LOGINS[-1] else f"{' and '.join(logins)} {fate}"
        yield warn(subject, f"{who}: {what}", f"{update} --remove {last} (or {logins[0]})")
    if len(clouds) > 1:
        yield fail(subject, f"{who}: {' and '.join(clouds)} are both on", f"{update} --remove {clouds[1]}")
    if clouds and "ANTHROPIC_BASE_URL" in found:
        yield warn(
            subject, f"{who}: with {clouds[0]} on, ANTHROPIC_BASE_URL is not used", f"{update} --env {clouds[0]}=0"
        )
    if clouds and logins:
        yield warn(subject, f"{who}: with {clouds[0]} on, {logins[0]} is not used", f"{update} --remove {logins[0]}")
    if "ANTHROPIC_BASE_URL" in found and not clouds and not logins:
        why = f"{who}: ANTHROPIC_BASE_URL is set without a key: the login of the node goes to that address"
        yield warn(subject, why, f"{update} --secret ANTHROPIC_AUTH_TOKEN")


def _login(found: Mapping[str, ProfileVariable], logged_in: bool) -> str:
    login = next((n for n in (*_CLOUDS, *_LOGINS) if n in found and found[n].get("value") not in _OFF[1:]), None)
    if login:
        return f"every variable has a value; claude logs in with {login}"
    return "it names no login, so that of claude on the node is used" + (" (there is one here)" if logged_in else "")


def without_profile(node: Mapping[str, str], logged_in: bool) -> Finding:
    """What jobs without a profile log in with."""
    if logged_in:
        return ok("login", "jobs without a profile use the login of claude on this machine")
    ignored = [login for login in _LOGINS if node.get(login)]
    hint = f" ({ignored[0]} of this shell is not passed on)" if ignored else ""
    what = f"claude is not logged in here{hint}: jobs without a profile fail on this machine"
    source = f"--env {ignored[0]}=env:{ignored[0]}" if ignored else "--secret ANTHROPIC_API_KEY"
    return info("login", what, f"claude /login, or give jobs a profile: ccs profiles create NAME {source}")
