"""The programs that git runs for a repository: which of them run in what we do, and what they know of the node."""

from pathlib import Path

import pytest

from ccs.flows.git.commit import commit
from ccs.flows.git.message import Origin
from ccs.flows.git.snapshot import Snapshot
from tests.worlds.git import furnished, git, hook, write

ORIGIN = Origin(job="nightly", task="tidy up", run="r")
SECRETS = {
    "GITHUB_TOKEN": "planted-1",
    "AWS_SECRET_ACCESS_KEY": "planted-2",
    "ANTHROPIC_API_KEY": "planted-3",
    "CLAUDE_CODE_OAUTH_TOKEN": "planted-4",
    "PREFECT_API_KEY": "planted-5",
    "GIT_ASKPASS": "planted-6",
    "SSH_ASKPASS": "planted-7",
    "GIT_CONFIG_PARAMETERS": "'http.extraheader'='planted-8'",
    "DATABASE_URL": "postgres://me:planted-9@db",
}


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository, on a node whose environment is full of secrets."""
    made = furnished(tmp_path / "repo")
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("GIT_CONFIG_PARAMETERS")  # the git of the tests would take it
    return made


def test_a_script_that_a_hook_calls_gets_no_token_of_the_node(repo: Path) -> None:
    write(repo, **{"lint.sh": "true\n"})
    git(repo, "add", "lint.sh")
    git(repo, "commit", "-qm", "lint")
    hook(repo, "pre-commit", "sh lint.sh")
    snapshot = Snapshot.take(repo)
    write(repo, **{"lint.sh": "{ printenv GITHUB_TOKEN; env; } > stolen.txt; git add stolen.txt\n"})
    commit(snapshot, ORIGIN)
    stolen = git(repo, "show", "HEAD:stolen.txt")
    assert "PATH=" in stolen
    assert "planted" not in stolen
