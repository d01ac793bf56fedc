"""What every test shares: a clean environment, one Prefect server, one scripted API."""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

HOME = Path(tempfile.mkdtemp(prefix="ccs-tests-"))


def _isolate() -> None:
    """Before Prefect is imported: nothing of the caller's settings, credentials or home reaches a test."""
    foreign = ("PREFECT_", "ANTHROPIC_", "CLAUDE", "CCS_", "AWS_", "GIT_", "XDG_", "IS_SANDBOX")
    for name in [n for n in os.environ if n.startswith(foreign) or n.endswith(("_KEY", "_TOKEN"))]:
        del os.environ[name]
    os.environ |= {
        "HOME": str(HOME),
        "PYTHONTZPATH": "",
        "GIT_CONFIG_GLOBAL": str(HOME / "gitconfig"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
    }
    (HOME / "gitconfig").write_text("[user]\n\tname = test\n\temail = test@localhost\n[init]\n\tdefaultBranch = main\n")


_isolate()
# Started in the background of a script, SIGINT is ignored, and every process started here would ignore it, too.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def _remove_home() -> Iterator[None]:
    yield
    shutil.rmtree(HOME, ignore_errors=True)


@pytest.fixture(scope="session")
def _one_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    from tests.worlds.server import running_server

    with running_server(tmp_path_factory.mktemp("server")) as url:
        yield url


@pytest.fixture(scope="module")
def server_url(_one_server: str) -> Iterator[str]:
    """The API address of a real Prefect server on SQLite, which has no jobs and variables of other modules."""
    from tests.worlds.server import clear

    yield _one_server
    clear(_one_server)
