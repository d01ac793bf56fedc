"""What is not committed in a working tree, and whether a task may start in it."""

from pathlib import Path

import pytest

from ccs.flows.git.repository import Repository
from ccs.flows.git.status import Status, refusal, tracks_trees, uncommitted
from tests.worlds.git import a_repository, commit_by_hand, furnished, git, write


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return furnished(tmp_path / "repo")


def status(repo: Path) -> Status:
    return Status.of(Repository.at(repo))


def test_a_clean_tree_has_nothing(repo: Path) -> None:
    write(repo, **{"x.log": "ignored\n"})
    assert status(repo) == Status((), (), (), (), (), (), ())
    assert (uncommitted(Repository.at(repo)), refusal(repo)) == ([], None)


def test_changes_are_sorted_by_what_they_are(repo: Path) -> None:
    write(repo, **{"a.txt": "changed\n", "new.txt": "n\n", "dir/staged.txt": "s\n", "x.log": "ignored\n"})
    git(repo, "add", "dir/staged.txt")
    (repo / "b.txt").unlink()
    git(repo, "rm", "-q", "--cached", "dir/c.txt")
    found = status(repo)
    assert found.paths == ("a.txt", "b.txt", "dir/c.txt", "dir/staged.txt", "new.txt")
    assert found.gone == ("b.txt",)
    assert sorted(found.present) == ["a.txt", "dir/c.txt", "dir/staged.txt", "new.txt"]
    assert found.untracked == ("new.txt",)  # the other was taken out of the index only
    assert (found.nested, found.submodules, found.unmerged) == ((), (), ())


def test_a_rename_is_two_paths(repo: Path) -> None:
    git(repo, "mv", "a.txt", "moved.txt")
    assert status(repo).paths == ("a.txt", "moved.txt")


@pytest.mark.parametrize("name", ["a b", "ümlaut", "line\nbreak", '"quoted"', "-option", " blank"])
def test_odd_names_are_as_they_are(repo: Path, name: str) -> None:
    write(repo, **{name: "x\n"})
    assert status(repo).untracked == (name,)


def test_repositories_inside_are_not_files(repo: Path) -> None:
    a_repository(repo / "vendor/inner")
    assert (status(repo).nested, status(repo).paths) == (("vendor/inner/",), ())
    assert uncommitted(Repository.at(repo)) == ["vendor/inner/"]


def test_the_worktrees_of_jobs_are_no_part_of_it(repo: Path) -> None:
    git(repo, "worktree", "add", "-q", "-b", "nightly", str(repo / "trees/nightly"))
    write(repo, **{"trees/left.txt": "x\n"})
    assert status(repo) == Status((), (), (), (), (), (), ())


def test_a_folder_of_that_name_that_is_the_repositorys_own_counts(repo: Path) -> None:
    assert not tracks_trees(Repository.at(repo))
    commit_by_hand(repo, **{"trees/oak.txt": "an oak\n"})
    write(repo, **{"trees/elm.txt": "an elm\n"})
    assert tracks_trees(Repository.at(repo))
    assert status(repo).paths == ("trees/elm.txt",)


def test_a_conflict_is_unmerged(repo: Path) -> None:
    git(repo, "checkout", "-q", "-b", "other")
    commit_by_hand(repo, **{"a.txt": "other\n"})
    git(repo, "checkout", "-q", "main")
    commit_by_hand(repo, **{"a.txt": "main\n"})
    git(repo, "merge", "-q", "other", ok=False)
    assert status(repo).unmerged == ("a.txt",)
    assert "is in the middle of a merge: finish it with `git merge --continue`" in str(refusal(repo))


def test_a_submodule_with_changes_inside(repo: Path, tmp_path: Path) -> None:
    library = a_repository(tmp_path / "library", **{"lib.txt": "lib\n"})
    git(repo, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(library), "lib")
    git(repo, "commit", "-q", "-m", "lib")
    write(repo / "lib", **{"lib.txt": "changed\n"})
    assert status(repo).submodules == ("lib",)
    assert "lib" in str(refusal(repo))


def test_files_that_git_does_not_know_are_in_nobodys_way(repo: Path) -> None:
    write(repo, **{"new.txt": "n\n"})
    assert refusal(repo) is None
    write(repo, **{"a.txt": "changed\n"})
    assert refusal(repo) == (
        f"working directory {repo} has uncommitted changes (a.txt): commit or stash them, "
        "or set working_directory.allow_dirty"
    )
