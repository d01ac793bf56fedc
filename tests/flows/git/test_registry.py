"""The worktrees that a repository knows of."""

import shutil
from pathlib import Path

import pytest

from ccs.flows.git.registry import Registered, registered
from ccs.flows.git.repository import Repository
from tests.worlds.git import a_repository, git


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return a_repository(tmp_path / "a repo")


def known(repo: Path) -> dict[str, Registered]:
    return {found.path.name: found for found in registered(Repository.at(repo))}


def test_the_main_checkout_is_one_of_them(repo: Path) -> None:
    (main,) = registered(Repository.at(repo))
    assert (main.path, main.branch, main.locked) == (repo, "main", None)
    assert main.head == git(repo, "rev-parse", "HEAD")


def test_branches_detached_heads_and_locks(repo: Path) -> None:
    git(repo, "worktree", "add", "-q", "-b", "side/one", str(repo / "trees/one"))
    git(repo, "worktree", "add", "-q", "--detach", str(repo / "trees/two words"))
    git(repo, "worktree", "lock", "--reason", "on a stick", str(repo / "trees/one"))
    git(repo, "worktree", "lock", str(repo / "trees/two words"))
    found = known(repo)
    assert (found["one"].branch, found["one"].locked) == ("side/one", "on a stick")
    assert (found["two words"].branch, found["two words"].locked) == ("", "")
    assert not any(tree.is_unfinished for tree in found.values())


@pytest.mark.parametrize("name", ["line\nbreak", "ümlaut", "'quoted' \"name\"", "ends "])
def test_odd_names(repo: Path, name: str) -> None:
    git(repo, "worktree", "add", "-q", "--detach", str(repo / name))
    assert name in known(repo)


def test_one_whose_folder_is_gone_is_still_known(repo: Path) -> None:
    git(repo, "worktree", "add", "-q", "-b", "one", str(repo / "one"))
    shutil.rmtree(repo / "one")
    assert known(repo)["one"].branch == "one"


def test_a_path_may_be_spelled_in_several_ways(repo: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(repo)
    (main,) = registered(Repository.at(repo))
    assert main.is_at(repo) and main.is_at(tmp_path / "link")
    assert not main.is_at(tmp_path)


def test_one_that_git_was_ended_over_is_unfinished() -> None:
    assert Registered(Path("/x"), "", "", "initializing").is_unfinished
    assert not Registered(Path("/x"), "", "", None).is_unfinished
