"""What every test shares: a clean environment, and the fixtures of the worlds."""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest_plugins = ["tests.worlds.fixtures", "tests.worlds.parts"]
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
