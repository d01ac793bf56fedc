"""Completion: the scripts for shells, and the words that they get."""

import os
import subprocess
from pathlib import Path
from uuid import uuid4

import pytest
from cli_world import CCS, Cli

ASK = """
source <(ccs completion bash)
eval "set -- $1"
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
$(complete -p ccs | sed 's/.*-F \\([^ ]*\\).*/\\1/') ccs
printf '%s\\n' "${COMPREPLY[@]}"
"""


def bash(line: str, **env: str) -> list[str]:
    """What a bash that has loaded the script offers for the last word of a line."""
    path = f"{Path(CCS).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", ASK, "bash", line], capture_output=True, text=True, check=False, env={"PATH": path, **env}
    )
    assert done.stderr == ""
    return done.stdout.split()


def test_bash_is_offered_commands_verbs_and_options() -> None:
    assert bash("ccs pro") == ["profiles"]
    assert {"list", "create", "edit"} <= set(bash('ccs jobs ""'))
    assert bash("ccs jobs create --time") == ["--timeout", "--timezone"]
    assert "--dry-run" in bash("ccs tasks delete --d")


def test_what_cannot_be_completed_is_silent() -> None:
    assert bash('ccs nonsense ""') == []
    assert bash('ccs jobs get ""', PREFECT_API_URL="http://127.0.0.1:9/api") == []


def test_bash_is_offered_the_names_of_jobs_and_profiles(server_url: str) -> None:
    ccs, name = Cli({"PREFECT_API_URL": server_url}).provisioned(), f"complete-{uuid4().hex[:8]}"
    ccs.ok("jobs", "create", "--name", name)
    ccs.ok("tasks", "create", "--job", name, "--name", "one", "--prompt", "x")
    ccs.ok("profiles", "create", name)
    assert bash(f"ccs tasks get {name[:12]}", PREFECT_API_URL=server_url) == [f"{name}/one"]
    assert bash(f"ccs jobs get {name[:12]}", PREFECT_API_URL=server_url) == [name]
    assert bash(f"ccs profiles get {name[:12]}", PREFECT_API_URL=server_url) == [name]


@pytest.mark.parametrize(("shell", "says"), [("zsh", "#compdef ccs"), ("fish", "complete --command ccs")])
def test_other_shells_have_a_script_too(shell: str, says: str) -> None:
    ccs = Cli({})
    assert says in ccs.ok("completion", shell).out
    asked = Cli({"_CCS_COMPLETE": f"complete_{shell}", "_TYPER_COMPLETE_ARGS": "ccs pro"})
    assert "profiles" in asked.process(_TYPER_COMPLETE_FISH_ACTION="get-args").out


def test_an_unknown_shell_is_refused() -> None:
    said = Cli({})("completion", "csh")
    assert (said.code, "one of: bash, zsh, fish" in said.err) == (1, True)
