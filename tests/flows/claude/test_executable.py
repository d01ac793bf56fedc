"""Which `claude` is run: the one that was named, or the first that is found."""

from pathlib import Path

import pytest

from ccs.flows.claude.executable import INSTALL, ExecutableNotFound, find_executable


def program(path: Path, mode: int = 0o755) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(mode)
    return path


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def environ(home: Path, **more: str) -> dict[str, str]:
    return {"HOME": str(home), "PATH": str(home / "bin"), **more}


def test_the_option_comes_before_the_variable_and_that_before_the_path(home: Path, tmp_path: Path) -> None:
    on_path, named, given = (program(p) for p in (home / "bin/claude", tmp_path / "named", tmp_path / "given"))
    assert find_executable(None, environ(home)).path == on_path
    assert find_executable(None, environ(home, CCS_CLAUDE=str(named))).path == named
    assert find_executable(str(given), environ(home, CCS_CLAUDE=str(named))).path == given
    assert find_executable("", environ(home, CCS_CLAUDE="")).path == on_path


def test_the_path_comes_before_the_usual_places(home: Path) -> None:
    usual = program(home / ".claude/local/claude")
    assert find_executable(None, environ(home)).path == usual
    better = program(home / ".local/bin/claude")
    assert find_executable(None, environ(home)).path == better
    on_path = program(home / "bin/claude")
    assert find_executable(None, environ(home)).path == on_path


def test_the_home_of_the_node_may_be_named(home: Path) -> None:
    expected = program(home / "tools/claude")
    assert find_executable("~/tools/claude", environ(home)).path == expected


def test_a_relative_path_is_made_whole(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = program(home / "tools/claude")
    monkeypatch.chdir(home)
    assert find_executable("tools/claude", environ(home)).path == expected
    assert find_executable(None, environ(home, PATH="tools")).path == expected


@pytest.mark.parametrize(
    ("make", "problem"), [("nothing", "does not exist"), ("folder", "is a directory"), ("text", "is not executable")]
)
@pytest.mark.parametrize("source", ["--claude", "CCS_CLAUDE"])
def test_one_that_was_named_is_used_or_refused(home: Path, source: str, make: str, problem: str) -> None:
    program(home / "bin/claude")  # never in its place
    path = home / "named"
    if make == "folder":
        path.mkdir()
    elif make == "text":
        program(path, 0o644)
    explicit, variables = (str(path), {}) if source == "--claude" else (None, {"CCS_CLAUDE": str(path)})
    with pytest.raises(ExecutableNotFound) as caught:
        find_executable(explicit, environ(home, **variables))
    assert str(caught.value) == f"{source} names {path}, which {problem}: correct it, or unset it and {INSTALL}"


def test_a_folder_and_a_text_of_that_name_are_passed_over(home: Path) -> None:
    (home / "bin/claude").mkdir(parents=True)
    program(home / ".local/bin/claude", 0o644)
    expected = program(home / ".bun/bin/claude")
    assert find_executable(None, environ(home)).path == expected
