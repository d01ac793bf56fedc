"""A test that starts a part whose mark it does not have fails."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("part", "command"),
    [
        ("server", [sys.executable, "-m", "ccs.deployments.server", "--help"]),
        ("node", [sys.executable, "-m", "ccs.deployments.node", "--help"]),
        ("node", ["/usr/bin/ccs", "up", "--help"]),
        ("claude", ["/there/is/no/claude_agent_sdk/_bundled/claude", "--help"]),
    ],
)
def test_a_part_is_not_started_without_its_mark(part: str, command: list[str]) -> None:
    with pytest.raises(pytest.fail.Exception, match=f"it starts a {part}"):
        subprocess.run(command, check=False)


@pytest.mark.claude
def test_a_part_is_started_with_its_mark() -> None:
    with pytest.raises(FileNotFoundError):
        subprocess.run(["/there/is/no/claude_agent_sdk/_bundled/claude"], check=False)
