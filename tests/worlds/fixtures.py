"""The fixtures that test modules share, as a plugin; what a fixture is made of is loaded when a test asks for it."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

if TYPE_CHECKING:
    from tests.fakes.anthropic import FakeApi
    from tests.worlds.claude import Bench
    from tests.worlds.cli import Cli
    from tests.worlds.flow import Server


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


@pytest.fixture(scope="module")
def server(server_url: str) -> Iterator["Server"]:
    """The same server, which is Prefect's meanwhile, and what its UI would show."""
    from tests.worlds.flow import connected

    with connected(server_url) as server:
        yield server


@pytest.fixture(scope="module")
def ccs(server_url: str, tmp_path_factory: pytest.TempPathFactory) -> "Cli":
    """`ccs` with a home of its own, and with that server, which has the work pool `ccs`."""
    from tests.worlds.cli import Cli

    return Cli({"PREFECT_API_URL": server_url, "CCS_HOME": str(tmp_path_factory.mktemp("ccs"))}).provisioned()


@pytest.fixture(scope="module")
def fake_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator["FakeApi"]:
    """The scripted Anthropic API of a module of tests, which keeps what it was asked."""
    from tests.fakes.anthropic import FakeApi

    with FakeApi(dump=tmp_path_factory.mktemp("requests")) as fake:
        yield fake


@pytest.fixture
def claude(tmp_path: Path, fake_api: "FakeApi") -> "Bench":
    """A directory and a home for attempts of the real claude against the scripted API."""
    from tests.worlds.claude import Bench

    return Bench(tmp_path, fake_api.url)


@pytest.fixture
def bench(tmp_path: Path) -> "Bench":
    """The same for stubs of claude: the address of its API is one at which nobody answers."""
    from tests.worlds.claude import Bench, stub

    return Bench(tmp_path, "http://127.0.0.1:1", stub(tmp_path, ""))


@pytest.fixture
def profile(server: "Server", fake_api: "FakeApi", monkeypatch: pytest.MonkeyPatch) -> str:
    """A profile that leads to the scripted API, its key read from the node's environment."""
    from tests.worlds.claude import bundled_claude
    from tests.worlds.flow import KEY, KEY_ON_THE_NODE, save_profile

    monkeypatch.setenv("KEY_ON_THE_NODE", KEY)
    monkeypatch.setenv("CCS_CLAUDE", bundled_claude())
    return save_profile("scripted", fake_api, ANTHROPIC_API_KEY=KEY_ON_THE_NODE)


@pytest.fixture
def subscription(profile: str, fake_api: "FakeApi") -> str:
    """A profile of its own that logs in as a subscriber, to whom the API tells when a usage limit ends."""
    from tests.worlds.flow import KEY, save_profile, static

    return save_profile(f"subscription-{uuid4().hex[:8]}", fake_api, CLAUDE_CODE_OAUTH_TOKEN=static(KEY))


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository for a run to work in."""
    from tests.worlds.git import a_repository

    return a_repository(tmp_path / "a repository", README="a repository\n")
