"""Completion: the scripts for shells, and the words that they get."""

import os
import shutil
import subprocess
from pathlib import Path
from uuid import uuid4

import pytest

from tests.worlds.cli import CCS, Cli

ASK = """
source <(ccs completion bash)
eval "set -- $1"
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
$(complete -p "$1" | sed 's/.*-F \\([^ ]*\\).*/\\1/') "$1"
printf '%s\\n' "${COMPREPLY[@]}"
"""


def bash(line: str, **env: str) -> list[str]:
    """What a bash that has loaded the script offers for the last word of a line."""
    path = f"{Path(CCS).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", ASK, "bash", line], capture_output=True, text=True, check=False, env={"PATH": path, **env}
    )
    assert done.stderr == ""
    return done.stdout.splitlines() if done.stdout.strip() else []


def test_bash_is_offered_commands_verbs_and_options() -> None:
    assert bash("ccs pro") == ["profiles"]
    assert {"list", "create", "edit"} <= set(bash('ccs jobs ""'))
    assert set(bash("ccs jobs create --time")) == {"--timeout", "--timezone"}
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
    assert bash(f"ccs tasks list --job {name[:12]}", PREFECT_API_URL=server_url) == [name]
    assert bash(f"ccs tasks create --profile {name[:12]}", PREFECT_API_URL=server_url) == [name]
    assert bash(f"claude-code-scheduler cli jobs get {name[:12]}", PREFECT_API_URL=server_url) == [name]


def test_the_words_of_an_option_are_offered() -> None:
    assert bash("ccs tasks create --session-mode f") == ["fork"]
    assert bash("ccs jobs update x --on-failure s") == ["stop"]
    assert bash("claude-code-scheduler cli pro") == bash("claude-code-scheduler pro") == ["profiles"]


def test_names_are_offered_as_each_shell_needs_them_and_none_that_it_would_run(server_url: str) -> None:
    ccs, name = Cli({"PREFECT_API_URL": server_url}).provisioned(), f"shell-{uuid4().hex[:8]}"
    for end in ("with blanks", "$(touch x)", "a\\$(touch x)", "`touch x`", 'a"b', "a;b"):
        ccs.ok("jobs", "create", "--name", f"{name} {end}")
    assert bash(f"ccs jobs get {name}", PREFECT_API_URL=server_url) == [f"{name}\\ a\\;b", f"{name}\\ with\\ blanks"]
    asked = Cli({"PREFECT_API_URL": server_url, "_TYPER_COMPLETE_ARGS": f"ccs jobs get {name}"})
    fish = asked.process(_CCS_COMPLETE="complete_fish", _TYPER_COMPLETE_FISH_ACTION="get-args")
    assert fish.out.splitlines() == [f"{name} a;b", f"{name} with blanks"]
    zsh = asked.process(_CCS_COMPLETE="complete_zsh").out
    assert zsh.count(name) == 2
    assert "touch" not in zsh


@pytest.mark.skipif(not shutil.which("fish"), reason="fish is not here")
def test_fish_is_offered_the_same() -> None:
    for line, words in (("ccs pro", ["profiles"]), ("claude-code-scheduler cli jobs se", ["set-order"])):
        script = f"ccs completion fish | source; complete -C {line!r}"
        path = f"{Path(CCS).parent}:{os.environ['PATH']}"
        done = subprocess.run(["fish", "-c", script], capture_output=True, text=True, check=True, env={"PATH": path})
        assert [word.split("\t")[0] for word in done.stdout.splitlines()] == words


@pytest.mark.skipif(not shutil.which("zsh"), reason="zsh is not here")
def test_zsh_is_offered_the_same() -> None:
    stub = """
    compdef() { functions_of+=("$1 $2") }
    _arguments() { print -r -- "$@" }
    functions_of=()
    source <(ccs completion zsh)
    print -rl -- $functions_of
    words=(ccs jobs se); CURRENT=3; _ccs_completion
    words=(claude-code-scheduler cli jobs se); CURRENT=4; _claude_code_scheduler_completion
    """
    path = f"{Path(CCS).parent}:{os.environ['PATH']}"
    done = subprocess.run(["zsh", "-f", "-c", stub], capture_output=True, text=True, check=True, env={"PATH": path})
    first, second, *offered = done.stdout.splitlines()
    assert (first, second) == ("_ccs_completion ccs", "_claude_code_scheduler_completion claude-code-scheduler")
    assert ["set-order" in line for line in offered if line] == [True, True]


@pytest.mark.parametrize(("shell", "says"), [("zsh", "#compdef ccs"), ("fish", "complete --command ccs")])
def test_other_shells_have_a_script_too(shell: str, says: str) -> None:
    ccs = Cli({})
    assert says in ccs.ok("completion", shell).out
    asked = Cli({"_CCS_COMPLETE": f"complete_{shell}", "_TYPER_COMPLETE_ARGS": "ccs pro"})
    assert "profiles" in asked.process(_TYPER_COMPLETE_FISH_ACTION="get-args").out


def test_an_unknown_shell_is_refused() -> None:
    said = Cli({})("completion", "csh")
    assert (said.code, "one of: bash, zsh, fish" in said.err) == (1, True)
