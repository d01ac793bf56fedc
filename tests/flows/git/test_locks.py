"""The locks of git: in use, or left behind by a git that was killed."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ccs.flows.git import locks
from tests.worlds.processes import until


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    path = tmp_path / ".git" / "index.lock"
    path.parent.mkdir()
    path.touch()
    return path


@pytest.fixture
def holder(lock: Path) -> Iterator[str]:
    """A process that has the lock open."""
    code = f"file = open({str(lock)!r}); print('open', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout and child.stdout.readline() == "open\n"
        yield f"process {child.pid}"
        child.kill()


def aged(lock: Path, seconds: float) -> Path:
    then = time.time() - seconds
    os.utime(lock, (then, then))
    return lock


@pytest.mark.parametrize(
    ("stderr", "named"),
    [
        ("fatal: Unable to create '/a b/.git/index.lock': File exists.\n\nAnother git", "/a b/.git/index.lock"),
        ("error: could not lock config file .git/config: File exists", ".git/config.lock"),
        ("fatal: Unable to create '/a\nb/.git/index.lock': File exists.", "/a\nb/.git/index.lock"),
        ("fatal: Unable to create '/a/.git/index.lock': Permission denied", None),
        ("", None),
    ],
)
def test_what_git_complains_about(stderr: str, named: str | None) -> None:
    assert locks.named(stderr) == (Path(named) if named else None)


def test_a_lock_that_is_gone_was_another_commands(tmp_path: Path) -> None:
    assert locks.stale(tmp_path / "gone.lock") is None
    assert locks.explained(tmp_path / "gone.lock").endswith("at that moment: try again")


def test_a_fresh_one_may_be_in_use(lock: Path) -> None:
    assert locks.stale(lock) is None
    assert "another git command (unknown process) is at work with" in locks.explained(lock)


@pytest.mark.parametrize(("seconds", "age"), [(600, "10 minutes"), (10_000, "3 hours"), (10**6, "12 days")])
def test_an_old_one_that_nobody_holds_was_left_behind(lock: Path, seconds: float, age: str) -> None:
    said = locks.stale(aged(lock, seconds))
    assert said == locks.explained(lock)
    assert said is not None and f"it is {age}" in said
    assert said.endswith(f"Remove it with: rm {lock}")


def test_an_old_one_that_somebody_holds_is_in_use(lock: Path, holder: str) -> None:
    assert locks.stale(aged(lock, 10**6)) is None
    assert f"({holder}) is at work" in locks.explained(lock)


def test_the_command_to_remove_it_can_be_pasted(tmp_path: Path) -> None:
    lock = tmp_path / "it's; rm -rf" / ".git" / "index.lock"
    lock.parent.mkdir(parents=True)
    lock.touch()
    command = locks.explained(aged(lock, 10**6)).rpartition("with: ")[2]
    subprocess.run(["/bin/sh", "-c", command], check=True)
    assert not lock.exists()


def test_a_git_that_runs_in_a_directory_is_found_there_and_below(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    assert locks.git_in(tmp_path) == ""
    with subprocess.Popen(
        ["git", "hash-object", "--stdin"], cwd=tmp_path / "below", stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
    ) as child:
        until(lambda: locks.git_in(tmp_path) == f"process {child.pid}", "git has its name")  # at the end of its exec
        assert locks.git_in(tmp_path / "elsewhere") == ""
