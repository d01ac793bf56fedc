"""Refs that keep what no branch has: always new ones, and readable ones."""

from pathlib import Path

import pytest

from ccs.flows.git.command import GitError
from ccs.flows.git.refs import aside_ref, keep, write_commit
from ccs.flows.git.repository import Repository
from tests.worlds.git import a_repository, git


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return a_repository(tmp_path / "repo")


@pytest.mark.parametrize(
    ("run", "task", "ref"),
    [
        ("0a1b-2c", "fix", "refs/ccs/aside/0a1b-2c/fix"),
        ("r", "Fix the tests", "refs/ccs/aside/r/fix-the-tests"),
        ("r", "a..b~c^d:e", "refs/ccs/aside/r/a-b-c-d-e"),
    ],
)
def test_the_ref_of_a_task_is_one_that_git_takes(repo: Path, run: str, task: str, ref: str) -> None:
    assert aside_ref(run, task) == ref
    git(repo, "check-ref-format", ref)


def test_a_commit_of_a_tree_is_by_ccs_and_changes_nothing_else(repo: Path) -> None:
    head = git(repo, "rev-parse", "HEAD")
    made = write_commit(Repository.at(repo), git(repo, "rev-parse", "HEAD^{tree}"), [head], "kept")
    assert git(repo, "show", "-s", "--format=%an %ce %P %s", made) == f"ccs ccs@localhost {head} kept"
    assert git(repo, "rev-parse", "HEAD") == head
    assert git(repo, "status", "--porcelain") == ""


def test_a_name_that_is_taken_is_never_moved(repo: Path) -> None:
    repository, head = Repository.at(repo), git(repo, "rev-parse", "HEAD")
    other = write_commit(repository, git(repo, "rev-parse", "HEAD^{tree}"), [], "another")
    assert keep(repository, "refs/ccs/aside/r/t", head) == "refs/ccs/aside/r/t"
    assert keep(repository, "refs/ccs/aside/r/t", other) == "refs/ccs/aside/r/t-2"
    assert keep(repository, "refs/ccs/aside/r/t", head) == "refs/ccs/aside/r/t-3"
    assert git(repo, "rev-parse", "refs/ccs/aside/r/t", "refs/ccs/aside/r/t-2").split() == [head, other]


def test_what_is_not_there_cannot_be_kept(repo: Path) -> None:
    with pytest.raises(GitError):
        keep(Repository.at(repo), "refs/ccs/aside/r/t", "0123456789" * 4)
    assert git(repo, "for-each-ref", "refs/ccs") == ""
