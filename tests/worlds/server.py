"""A real Prefect server on SQLite for tests: its own home, a free loopback port, stopped by pid."""

import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from importlib.metadata import version
from pathlib import Path

import httpx

START_SECONDS = 120
STOP_SECONDS = 20
DATABASE = "prefect.db"
FRESH = Path(sys.prefix) / f"prefect-{version('prefect')}"
"""The home of a server after its first start, made once: the migrations take longer than all else of a start."""


def free_port() -> int:
    """A loopback port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def clean_environment(home: Path, url: str = "") -> dict[str, str]:
    """The environment of a child process of a test: nothing of the machine's but the PATH."""
    passed = ("PATH", "LANG", "LC_ALL", "PYTHONDONTWRITEBYTECODE", "TMPDIR")
    environment = {name: os.environ[name] for name in passed if name in os.environ}
    environment |= {
        "HOME": str(home),
        "PREFECT_HOME": str(home / "prefect"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "PYTHONTZPATH": "",
        "PYTHONUNBUFFERED": "1",
    }
    if url:
        environment["PREFECT_API_URL"] = url
    return environment


def start_server(home: Path, port: int, variables: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
    """A server on `port` whose database is in `home`, once it answers; RuntimeError with its log when it does not."""
    prefect = home / "prefect"
    is_new = not prefect.exists()
    if is_new and FRESH.exists():
        shutil.copytree(FRESH, prefect)
    home.mkdir(parents=True, exist_ok=True)
    log = home / "server.log"
    command = ["-m", "ccs.deployments.server", "--host", "127.0.0.1", "--port", str(port)]
    environment = clean_environment(home) | {"PREFECT_UI_ENABLED": "false"} | (variables or {})
    with log.open("ab") as output:
        server = subprocess.Popen(
            [sys.executable, *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=environment,
            cwd=home,
            start_new_session=True,
        )
    deadline = time.monotonic() + START_SECONDS
    while server.poll() is None and time.monotonic() < deadline:
        if _answers(f"http://127.0.0.1:{port}/api/health"):
            if is_new and not FRESH.exists():
                _keep(prefect)
            return server
        time.sleep(0.1)
    stop_server(server)
    raise RuntimeError(f"the Prefect server did not start:\n{log.read_text(errors='replace')[-4000:]}")


def _keep(prefect: Path) -> None:
    """Keep the home of a server that was just made, for those that come."""
    with tempfile.TemporaryDirectory(dir=FRESH.parent) as folder:
        kept = shutil.copytree(prefect, Path(folder) / FRESH.name, ignore=shutil.ignore_patterns("*.db*"))
        with closing(sqlite3.connect(prefect / DATABASE)) as made, closing(sqlite3.connect(kept / DATABASE)) as copy:
            made.backup(copy)
        with suppress(OSError):  # another process was faster
            kept.rename(FRESH)


def stop_server(server: subprocess.Popen[bytes]) -> None:
    """End the server and everything in its process group."""
    if server.poll() is None:
        server.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            server.wait(STOP_SECONDS)
    with suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGKILL)
    server.wait(STOP_SECONDS)


@contextmanager
def running_server(home: Path, variables: dict[str, str] | None = None) -> Iterator[str]:
    """The URL of the API of a server that runs as long as the block; `variables` go over its environment."""
    port = free_port()
    server = start_server(home, port, variables)
    try:
        yield f"http://127.0.0.1:{port}/api"
    finally:
        stop_server(server)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


class _Repeating(httpx.HTTPTransport):
    """Sends a request again while others hold the server's database, as ccs and Prefect's own client do."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        deadline = time.monotonic() + START_SECONDS
        while True:
            answer = super().handle_request(request)
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE or time.monotonic() > deadline:
                return answer
            answer.close()
            time.sleep(0.2)


def client(url: str) -> httpx.Client:
    """A client of a server's API for tests, which puts up with the locks of SQLite."""
    return httpx.Client(base_url=url, timeout=60, transport=_Repeating(retries=3))


def clear(url: str) -> None:
    """Delete all deployments and variables of a server."""
    with client(url) as api:
        deadline = time.monotonic() + START_SECONDS
        for what in ("deployments", "variables"):
            while found := api.post(f"/{what}/filter", json={"limit": 200}).raise_for_status().json():
                for each in found:
                    with suppress(httpx.TransportError):
                        api.delete(f"/{what}/{each['id']}")
                if time.monotonic() > deadline:
                    raise RuntimeError(f"the Prefect server keeps its {what}: {found}")
