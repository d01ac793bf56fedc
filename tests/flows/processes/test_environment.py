"""The environment of claude, and finding it."""

import os
from pathlib import Path

import pytest

from ccs.flows.claude.executable import ExecutableNotFound, find_executable
from ccs.flows.processes.environment import SAFETY, TUNING, child_environment

NODE = {"HOME": "/home/me", "PATH": "/bin"}


def test_only_listed_variables_of_the_node_reach_claude() -> None:
    kept = {**NODE, "LC_ALL": "C.UTF-8", "https_proxy": "http://p", "XDG_CACHE_HOME": "/c", "GIT_AUTHOR_NAME": "me"}
    dropped = {
        "ANTHROPIC_API_KEY": "k",
        "ANTHROPIC_BASE_URL": "http://elsewhere",
        "AWS_SECRET_ACCESS_KEY": "k",
        "PREFECT_API_KEY": "k",
        "GITHUB_TOKEN": "k",
        "CLAUDE_CODE_OAUTH_TOKEN": "k",
        "CCS_ATTEMPT": "outer",
        "CLAUDECODE": "1",
        "LD_PRELOAD": "x.so",
    }
    assert child_environment({**kept, **dropped}, {}, (), {}) == {**kept, **TUNING, **SAFETY}


def test_the_profile_wins_over_the_node_and_over_tuning() -> None:
    values = {"PATH": "/mine", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "0", "ANTHROPIC_API_KEY": "k"}
    environment = child_environment(NODE, values, {"TZ", "DISABLE_TELEMETRY"}, {})
    assert values.items() <= environment.items()
    assert "DISABLE_TELEMETRY" not in environment


def test_an_unset_variable_is_taken_out() -> None:
    assert "HTTP_PROXY" not in child_environment({**NODE, "HTTP_PROXY": "http://p"}, {}, {"HTTP_PROXY"}, {})


def test_nothing_changes_safety_and_marks() -> None:
    values = {"CLAUDE_CODE_DISABLE_BACKGROUND_TASKS": "0", "DISABLE_AUTOUPDATER": "", "CCS_RUN_ID": "mine"}
    environment = child_environment(NODE, values, {"DISABLE_AUTOUPDATER", "CCS_RUN_ID"}, {"CCS_RUN_ID": "r1"})
    assert {**SAFETY, "CCS_RUN_ID": "r1"}.items() <= environment.items()


@pytest.mark.parametrize("node", [{}, {"HOME": "", "PATH": ""}])
def test_home_and_path_are_always_set(node: dict[str, str]) -> None:
    environment = child_environment(node, {}, {"HOME"}, {})
    assert Path(environment["HOME"]).is_absolute()
    assert "/usr/bin" in environment["PATH"]


def test_an_empty_address_of_the_api_is_dropped() -> None:
    assert "ANTHROPIC_BASE_URL" not in child_environment(NODE, {"ANTHROPIC_BASE_URL": " "}, (), {})


@pytest.fixture
def place(tmp_path: Path) -> Path:
    path = tmp_path / "bin" / "claude"
    path.parent.mkdir()
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_a_named_path_beats_the_variable_and_the_variable_beats_path(place: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(place.read_bytes())
    other.chmod(0o755)
    on_path = {"PATH": str(place.parent), "HOME": str(tmp_path)}
    assert find_executable(None, on_path).path == place
    assert find_executable(None, {**on_path, "CCS_CLAUDE": str(other)}).path == other
    assert find_executable(str(place), {"CCS_CLAUDE": str(other)}).path == place


def test_the_home_of_the_user_is_understood(place: Path, tmp_path: Path) -> None:
    assert find_executable("~/bin/claude", {"HOME": str(tmp_path)}).path == place


def test_the_usual_places_are_searched_last(tmp_path: Path) -> None:
    path = tmp_path / ".local" / "bin" / "claude"
    path.parent.mkdir(parents=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    assert find_executable(None, {"HOME": str(tmp_path), "PATH": str(tmp_path)}).path == path


@pytest.mark.parametrize("source", ["--claude", "CCS_CLAUDE"])
@pytest.mark.parametrize(
    ("make", "problem"), [("missing", "does not exist"), ("folder", "is a directory"), ("text", "is not executable")]
)
def test_a_named_path_that_cannot_run_is_refused_by_name(
    tmp_path: Path, place: Path, source: str, make: str, problem: str
) -> None:
    path = tmp_path / make
    if make == "folder":
        path.mkdir()
    elif make == "text":
        path.write_text("no")
    environ = {"PATH": str(place.parent)}
    with pytest.raises(ExecutableNotFound, match=problem) as caught:
        if source == "--claude":
            find_executable(str(path), environ)
        else:
            find_executable(None, {**environ, "CCS_CLAUDE": str(path)})
    assert source in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.skipif(
    any(
        os.access(place, os.X_OK) for place in ("/usr/local/bin/claude", "/usr/bin/claude", "/opt/homebrew/bin/claude")
    ),
    reason="claude is installed for everybody here",
)
def test_a_missing_claude_is_one_sentence_with_the_command_that_installs_it(tmp_path: Path) -> None:
    with pytest.raises(
        ExecutableNotFound, match=r"npm install -g @anthropic-ai/claude-code`, or set CCS_CLAUDE"
    ) as caught:
        find_executable(None, {"HOME": str(tmp_path), "PATH": str(tmp_path)})
    assert "\n" not in str(caught.value)
