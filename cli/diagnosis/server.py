"""What the server gives to runs: that it answers, its version, the pool, nodes, profiles, jobs."""

import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from urllib.parse import urlsplit

from ccs.cli.client import lookup, provision, views
from ccs.cli.client.api import Api
from ccs.cli.client.records import BlockDocument, Deployment, ProfileVariable, Spec
from ccs.cli.client.settings import Settings
from ccs.cli.diagnosis import credentials, limits
from ccs.cli.diagnosis.findings import Finding, fail, info, ok, warn
from ccs.cli.errors import CcsError, RequestError

_SKEW = 10.0
"""Seconds the clocks of server and machine may be apart."""

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def check(api: Api, settings: Settings, pool: str, is_node: bool, logged_in: bool) -> Iterator[Finding]:
    """Findings about the server and what it holds; where it does not answer, only that."""
    try:
        prefect = api.version()
        yield ok("server", f"the server at {settings.api_url} answers ({settings.origin})")
        yield from _auth(settings)
        yield _version(prefect)
        yield _clock(api)
        yield from _pool(api, pool)
        yield _lost_runs(api)
        profiles, (jobs, _) = api.profiles(), api.jobs(lookup.ALL)
        yield from _profiles(profiles, jobs, is_node, logged_in)
        yield from limits.all_of(api)
        yield from _root(profiles, jobs, is_node)
    except RequestError as error:
        yield fail("auth" if error.status in (401, 403) else "server", str(error), error.hint)
    except CcsError as error:
        yield fail("server", str(error), error.hint)


def _auth(settings: Settings) -> Iterator[Finding]:
    address = urlsplit(settings.api_url)
    sends, near = bool(settings.headers.get("Authorization")), address.hostname in _LOOPBACK
    if not sends and not near:
        secure = "set PREFECT_SERVER_API_AUTH_STRING there, and PREFECT_API_AUTH_STRING here"
        yield warn("auth", f"{address.hostname} wants no login: who reaches it can run code on the nodes", secure)
    elif sends and not near and address.scheme == "http":
        yield warn("auth", f"the login goes to {address.hostname} unencrypted", "put TLS in front, and use https")
    else:
        yield ok("auth", "the login is accepted" if sends else "the server is on this machine and needs no login")


def _version(server: str) -> Finding:
    try:
        own = version("prefect")
    except PackageNotFoundError:
        own = ""
    both = f"ccs {version('ccs')}; Prefect {own or 'is not installed'} here, {server} on the server"
    if own.split(".")[:2] == server.split(".")[:2]:
        return ok("version", both)
    same = f"install one version on both: pip install 'prefect=={server}'"
    return (warn if own.split(".")[:1] == server.split(".")[:1] else fail)("version", both, same)


def _clock(api: Api) -> Finding:
    apart = abs((api.server_time - datetime.now(UTC)).total_seconds())
    if apart > _SKEW:
        return warn("clock", f"the clocks of server and machine are {apart:.0f} s apart", "set them by NTP")
    return ok("clock", "the clocks of server and machine agree")


def _pool(api: Api, name: str) -> Iterator[Finding]:
    if api.has_profile_type():
        yield ok("profile-type", "the server knows what a profile is")
    else:
        yield fail("profile-type", "the server does not know what a profile is", "ccs up -d")
    pool = api.pool(name)
    if pool is None:
        yield fail("pool", f"there is no work pool {name!r}", "ccs up -d")
        return
    if pool["is_paused"]:
        yield fail("pool", f"work pool {name!r} is paused: nothing runs", f"prefect work-pool resume {name}")
    else:
        yield ok("pool", f"work pool {name!r} is there")
    live = [n["name"] for n in api.nodes(name) if views.is_live(n, api.server_time)]
    if live:
        yield ok("node", f"{len(live)} live node(s): {', '.join(live[:5])}")
    else:
        yield fail("node", f"no node of work pool {name!r} is alive: nothing runs", "ccs up -d")


def _lost_runs(api: Api) -> Finding:
    """Whether a run ends whose node died."""
    try:
        watch = api.automation(provision.lost_runs()["name"])
    except RequestError as error:
        return warn("lost-runs", f"a run whose node dies stays Running until the node is back: {error}")
    if watch is None:
        return warn("lost-runs", "nothing ends the runs of a node that dies", "ccs up -d")
    if not watch["enabled"]:
        return warn("lost-runs", f"the automation {watch['name']!r} is switched off", "switch it on in the UI")
    return ok("lost-runs", f"a run is Crashed when its node is silent for {watch['trigger']['within']:.0f} s")


def _profiles(
    profiles: list[BlockDocument], jobs: list[Deployment], is_node: bool, logged_in: bool
) -> Iterator[Finding]:
    used = {name for job in jobs for name in lookup.profiles_of(job)}
    for profile in profiles:
        name, data = profile["name"], profile["data"]
        yield from credentials.check(name, data, os.environ, is_node, logged_in, name in used)
    if is_node:
        yield credentials.without_profile(os.environ, logged_in)


def _root(profiles: list[BlockDocument], jobs: list[Deployment], is_node: bool) -> Iterator[Finding]:
    """As root, the node hides nothing from claude, which refuses the permissions that are the default.

    It takes them when it is told that it is in a sandbox.
    """
    if os.geteuid() != 0:
        return
    if is_node:
        what = "as root, claude can read the memory and environment of the node, such as the login of the server"
        yield warn("node-user", what, "run the node as a user of its own")
    sandboxes = {p["name"] for p in profiles if _is_sandbox(credentials.variables(p["data"]))}
    names = [f"{d['name']}/{t['name']}" for d in jobs for t in lookup.tasks_of(d) if _refused(d, t, sandboxes)]
    if names:
        some = ", ".join(names[:3]) + (" …" if len(names) > 3 else "")
        what = f"you are root, and claude refuses root the permissions bypass of {len(names)} task(s): {some}"
        do = "run the node as another user, or ccs tasks update TASK --permissions acceptEdits"
        yield (fail if is_node else warn)("root", what, f"{do}, or in a sandbox, in their profile: --env IS_SANDBOX=1")
    else:
        yield info(
            "root", "you are root: claude refuses root the permissions bypass, unless IS_SANDBOX=1 is in the profile"
        )


def _is_sandbox(variables: Mapping[str, ProfileVariable]) -> bool:
    """Whether claude is told that it is in a sandbox; a value that is not known here is taken for a yes."""
    found = variables.get("IS_SANDBOX")
    return found is not None and (found["source"] in ("env", "secret") or found.get("value") == "1")


def _refused(deployment: Deployment, task: Spec, sandboxes: set[str]) -> bool:
    profile = task.get("profile") or lookup.spec_of(deployment).get("profile")
    return task.get("enabled", True) and task.get("permissions", "bypass") == "bypass" and profile not in sandboxes
