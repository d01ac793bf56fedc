"""The shell around a task: what a condition, a set-up and a gate know of the node."""

from pathlib import Path

import pytest

from ccs.blocks.env import EMPTY
from ccs.flows.processes.shell import Shell
from ccs.flows.processes.stop import Stop

PLANTED = (
    *("GITHUB_TOKEN", "AWS_SECRET_ACCESS_KEY", "ANTHROPIC_API_KEY", "CLAUDE_CODE_OAUTH_TOKEN", "PREFECT_API_KEY"),
    *("DATABASE_URL", "SSH_ASKPASS", "GIT_CONFIG_PARAMETERS", "LD_PRELOAD_OF_MINE"),
)


def test_nothing_secret_of_the_node_reaches_a_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PLANTED:
        monkeypatch.setenv(name, "planted")
    shell = Shell.at(tmp_path, EMPTY, {"CCS_RUN": "r"}, redact=lambda line: line, say=lambda _: None, stop=Stop())
    done = shell.run("env", 60)
    assert done.ok
    assert "PATH=" in done.output_tail and "CCS_RUN=r" in done.output_tail
    assert "planted" not in done.output_tail
