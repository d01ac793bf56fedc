"""The server and the nodes that `ccs up` starts on this machine."""

import contextlib
import os
import re
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from math import inf
from pathlib import Path
from typing import TypeVar

from ccs.cli.client import views
from ccs.cli.client.api import Api
from ccs.cli.client.settings import Settings
from ccs.cli.errors import CcsError, RequestError
from ccs.cli.local import prefect_profile
from ccs.cli.local.process import Process
from ccs.cli.terminal.output import say
from ccs.flows.node.files import expanded, private_folder
from ccs.flows.node.locks import FileLock

T = TypeVar("T")

START = 180.0
"""Seconds a server or node may take to start; a first server makes its database."""

PORTS = range(4200, 4300)

SERVER_DEFAULTS = {
    "PYTHONTZPATH": "",  # only the tzdata package: schedules validate six times faster
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    # Leases in memory are held for ever when the server restarts.
    "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
    "PYTHONSAFEPATH": "1",  # also for the Python processes that the server starts
}

_PATHS = (
    *("CCS_HOME", "CCS_CLAUDE", "CLAUDE_CONFIG_DIR"),
    *("PREFECT_HOME", "PREFECT_PROFILES_PATH", "PREFECT_API_SSL_CERT_FILE"),
)
"""Variables that hold the path of a file or folder."""


@contextlib.contextmanager
def alone(home: Path) -> Iterator[None]:
    """Only one `ccs up` or `ccs down` at a time."""
    try:
        private_folder(home)
        lock = FileLock(home / "up.lock")
        if not lock.take():
            say("waiting for another `ccs up` or `ccs down` …")
            lock.take(patience=inf)
    except OSError as error:
        why = f"{home} cannot be used: {error.strerror or error}"
        raise RequestError(why, "set CCS_HOME to a folder of yours") from error
    try:
        yield
    finally:
        lock.release()


def server(home: Path) -> Process:
    """The server of this machine, alive or not; its facts hold its `url`."""
    return Process.load(home / "server.json")


def nodes(home: Path) -> list[Process]:
    """The nodes of this machine, alive or not; their facts hold `name`, `pool` and `url`."""
    return [Process.load(file) for file in sorted(home.glob("node-*.json"))]


def ensure_server(settings: Settings, port: int | None) -> str:
    """The API address of a server that answers: the configured one, or else one of our own, started if need be."""
    own = server(settings.home)
    if settings.configured and settings.api_url != own.facts.get("url"):
        if port:
            raise RequestError(
                f"--port is for a server of our own, but {settings.api_url} is configured ({settings.origin})",
                "leave --port out, or the setting",
            )
        _with_api(settings, settings.api_url, Api.healthy)
        say(f"server: {settings.api_url} ({settings.origin})")
        return settings.api_url
    url = own.facts.get("url", "")
    if own.alive and (port is None or url == _url(port)):
        say(f"server: {url} runs already")
    elif own.alive:
        raise RequestError(f"a server of ccs runs already at {url}", "stop it first with: ccs down")
    else:
        url = _start_server(settings, own, port)
    _wait_for(lambda: _with_api(settings, url, Api.healthy), own, f"the server at {url} does not answer")
    if not any(settings.env.get(name) for name in ("CCS_API_URL", "PREFECT_API_URL")) and (
        done := prefect_profile.point_to(Settings(settings.env), url)
    ):
        say(done)
    return url


def _start_server(settings: Settings, own: Process, port: int | None) -> str:
    last = own.facts.get("url", "")
    preferred = port or (int(last.split(":")[2].split("/")[0]) if last else PORTS[0])
    chosen = preferred if _is_free(preferred) else None
    if chosen is None and (port or (settings.configured and "PREFECT_API_URL" in settings.origin)):
        raise RequestError(f"port {preferred} is taken", "choose another with --port")
    chosen = chosen or next((p for p in PORTS if _is_free(p)), None)
    if chosen is None:
        raise RequestError(f"no port from {PORTS[0]} to {PORTS[-1]} is free", "choose one with --port")
    url = _url(chosen)
    say(f"server: starting at {url} (log: {own.log}) …")
    command = [sys.executable, "-P", "-m", "ccs.deployments.server", "--host", "127.0.0.1", "--port", str(chosen)]
    own.start(command, {**SERVER_DEFAULTS, **_env(settings), "PREFECT_API_URL": url}, {"url": url})
    return url


def ensure_node(settings: Settings, url: str, pool: str, name: str, limit: int | None, claude: str | None) -> Process:
    """A node of this machine that takes runs, started if need be."""
    if not name.strip() or len(name) > 200 or {"/", "%"} & set(name):
        raise RequestError(f"{name[:60]!r} is not a name for a node", "at most 200 characters, and no / or %")
    file = settings.home / f"node-{re.sub(r'[^A-Za-z0-9._-]', '_', name)}.json"
    node = Process.load(file)
    facts = {"name": name, "pool": pool, "url": url}
    if node.alive:
        if node.facts != facts:
            raise RequestError(
                f"node {name!r} runs already, for pool {node.facts.get('pool')!r} at {node.facts.get('url')}",
                "give another --name, or stop it first with: ccs down",
            )
        say(f"node: {name} runs already")
        return node
    say(f"node: starting {name} for pool {pool!r} (log: {node.log}) …")
    env = {**_env(settings), **settings.environment_for(url), **({"CCS_CLAUDE": claude} if claude else {})}
    limited = ["--limit", str(limit)] if limit else []
    begin = node.log_size()
    command = [sys.executable, "-P", "-m", "ccs.deployments.node", "--pool", pool, "--name", name, *limited]
    node.start(command, env, facts)
    _wait_for(lambda: _says_ready(node, begin), node, f"node {name} did not get ready")
    _wait_for(lambda: _with_api(settings, url, lambda api: _is_known(api, pool, name)), node, f"node {name} is unknown")
    return node


def _env(settings: Settings) -> dict[str, str]:
    """The environment of server and node, which work in another folder than the user.

    Paths in it are absolute; where it names a proxy, none leads to this machine itself.
    """
    env = dict(settings.env)
    env |= {name: str(expanded(env[name]).absolute()) for name in _PATHS if env.get(name)}
    if any(name.lower() in ("http_proxy", "https_proxy", "all_proxy") for name in env):
        given = env.get("no_proxy") or env.get("NO_PROXY") or ""
        env["no_proxy"] = env["NO_PROXY"] = f"{given},127.0.0.1,localhost,::1".lstrip(",")
    return env


def stop_node(node: Process, settings: Settings, now: bool) -> None:
    """Stop a node: its runs finish first, or, with `now`, are ended."""
    name = node.facts.get("name", node.file.stem)
    if not node.alive:
        node.file.unlink(missing_ok=True)
        return
    node.signal(signal.SIGTERM)
    if now:
        time.sleep(0.5)  # two signals at once would arrive as one
        node.signal(signal.SIGTERM)
        if not node.wait(60):
            node.kill()
    elif not node.wait(2):
        say(f"node: {name} stops when its runs have finished{_underway(settings, node)}; ccs down --now ends them …")
    while not node.wait(60):
        pass
    node.file.unlink(missing_ok=True)
    say(f"node: {name} is stopped")


def stop_server(own: Process) -> None:
    """Stop the server of this machine; its database, and where it was, stay."""
    if not own.alive:
        return
    own.signal(signal.SIGTERM)
    if not own.wait(30):
        own.kill()
        own.wait(10)
    own.stopped()
    say(f"server: {own.facts.get('url')} is stopped")


def _wait_for(condition: Callable[[], bool], process: Process, what: str) -> None:
    until = time.monotonic() + START
    while True:
        with contextlib.suppress(CcsError):  # no answer yet
            if condition():
                return
        if process.pid and not process.alive:
            raise process.failed(f"{what}: its process ended")
        if time.monotonic() > until:
            raise process.failed(f"{what} after {START:.0f} s")
        time.sleep(0.2)


def _with_api(settings: Settings, url: str, ask: Callable[[Api], T]) -> T:
    api = Api(settings.at(url), notify=say)
    try:
        return ask(api)
    finally:
        api.close()


def _is_known(api: Api, pool: str, name: str) -> bool:
    return any(w["name"] == name and views.is_live(w, api.server_time) for w in api.nodes(pool))


def _says_ready(node: Process, begin: int) -> bool:
    with node.log.open("rb") as log:
        log.seek(begin)
        return b" ready" in log.read()


def _underway(settings: Settings, node: Process) -> str:
    where = {"state": {"type": {"any_": ["RUNNING"]}}}
    try:
        count = _with_api(settings, node.facts.get("url", ""), lambda api: api.runs(where, 1)[1])
    except CcsError:
        return ""
    return f" ({count} under way on the server)"


def executable(path: str) -> str:
    """The absolute path of a program; RequestError when it is none."""
    found = expanded(path).absolute()
    if not (found.is_file() and os.access(found, os.X_OK)):
        raise RequestError(f"--claude {path} is not an executable file", "give the path of the claude program")
    return str(found)


def _url(port: int) -> str:
    return f"http://127.0.0.1:{port}/api"


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
