"""What a task took out of its place with git: said, and to be had again."""

import subprocess
from pathlib import Path

import pytest

from ccs.flows.git.commit import commit
from ccs.flows.git.losses import losses
from ccs.flows.git.message import Origin
from ccs.flows.git.snapshot import Snapshot
from tests.worlds.git import a_repository, commit_by_hand, furnished, git, status, write


def after(place: Path, script: str, commits: bool = True) -> tuple[str, ...]:
    """What is said after a task that was this script, and whose changes are committed."""
    snapshot = Snapshot.take(place)
    sh(place, script)
    if commits:
        commit(snapshot, Origin("j", "t", "r"))
    return losses(snapshot, "r", "t")


def sh(place: Path, script: str) -> None:
    subprocess.run(["/bin/sh", "-ec", script], cwd=place, check=True, capture_output=True)


def get_back(sentence: str) -> None:
    """Paste the line that was told into a shell."""
    sh(Path("/"), sentence.partition(" with: ")[2])


@pytest.fixture(params=["plain", "worktree"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A checkout of a repository, or a worktree of it."""
    main = furnished(tmp_path / "a repo")
    if request.param == "plain":
        return main
    tree = main / "trees" / "night"
    git(main, "worktree", "add", "-q", "-b", "night", str(tree))
    return tree


@pytest.mark.parametrize(
    "script",
    [
        "echo more >> a.txt; echo new > new.txt",
        "git checkout -q -b side; git commit -q --allow-empty -m x; git checkout -q -",
        "echo more >> a.txt; git commit -qam own; git commit -q --amend -m 'own, in better words'",
        "echo more >> a.txt; git stash -q; git stash pop -q",
        "git branch old; git branch -D old",
        "B=$(git branch --show-current); echo 1 > n; git add n; git commit -qm 1; git checkout -q --detach HEAD~2;"
        " git commit -q --allow-empty -m base; git branch -f new HEAD; git checkout -q $B; git rebase -q new",
    ],
)
def test_what_is_still_there_is_not_worth_a_word(place: Path, script: str) -> None:
    assert after(place, script) == ()
    assert git(place, "for-each-ref", "refs/ccs") == ""


def test_what_went_into_the_stash_is_named_with_the_way_back(place: Path) -> None:
    write(place, **{"earlier.txt": "somebody's\n"})
    git(place, "stash", "-u")
    (said,) = after(place, "echo more >> a.txt; echo new > new.txt; git stash -q -u")
    assert said.startswith("a.txt and new.txt went into the stash and stayed there, in no commit: get it back with: ")
    assert status(place) == ""
    get_back(said)
    assert sorted(status(place).split("\n")) == [" M a.txt", "?? new.txt"]
    assert len(git(place, "stash", "list").splitlines()) == 1


def test_a_stash_of_somebody_else_beside_the_task_is_not_the_tasks(tmp_path: Path) -> None:
    main = a_repository(tmp_path / "repo")
    git(main, "worktree", "add", "-q", "-b", "night", str(tree := tmp_path / "night"))
    assert after(tree, f"echo more >> {main}/a.txt; git -C {main} stash -q") == ()


@pytest.mark.parametrize("script", ["git stash pop -q", "git stash drop -q", "git stash clear"])
def test_a_stash_that_was_there_before_is_kept(place: Path, script: str) -> None:
    write(place, **{"a.txt": "somebody's\n"})
    git(place, "stash", "push", "-m", "it's mine")
    (said,) = after(place, script)
    assert "it's mine\" is not in the stash any more, and kept as refs/ccs/aside/r/t-stash" in said
    git(place, "reset", "-q", "--hard", "HEAD")
    get_back(said)
    assert git(place, "show", "stash@{0}:a.txt") == "somebody's"
    assert "it's mine" in git(place, "stash", "list")


@pytest.mark.parametrize(
    "script",
    [
        "git reset -q --hard HEAD~1",
        "echo more >> a.txt; git commit -q --amend -am 'what was yours'",
        "git checkout -q --orphan fresh; git commit -qm fresh; git branch -q -D $B; git branch -q -m $B",
        "git update-ref -d HEAD",
    ],
)
def test_commits_that_no_branch_has_any_more_are_kept(place: Path, script: str) -> None:
    branch = git(place, "branch", "--show-current")
    lost = commit_by_hand(place, "precious", **{"precious.txt": "p\n"})
    (said,) = after(place, f"B={branch}; {script}")
    assert f'of {branch}, "precious", ' in said
    assert "and kept as refs/ccs/aside/r/t-commits: look with: " in said
    assert git(place, "rev-parse", "refs/ccs/aside/r/t-commits") == lost
    get_back(said)


def test_a_branch_that_was_deleted_with_its_commits_is_kept(place: Path) -> None:
    git(place, "checkout", "-q", "-b", "feature")
    lost = commit_by_hand(place, "featured", **{"f.txt": "f\n"})
    git(place, "checkout", "-q", "-")
    (said,) = after(place, "git branch -q -D feature")
    assert 'a commit of feature, "featured", is in no branch any more' in said
    assert git(place, "rev-parse", "refs/ccs/aside/r/t-commits") == lost


@pytest.mark.parametrize(
    ("script", "now"), [("git checkout -q -b other", "branch other"), ("git checkout -q --detach", "no branch")]
)
def test_that_the_next_run_begins_on_another_branch_is_said(place: Path, script: str, now: str) -> None:
    branch = git(place, "branch", "--show-current")
    assert after(place, f"{script}; echo new > n.txt") == (
        f"{place} was on branch {branch} before the task and is on {now} since",
    )


@pytest.mark.parametrize(
    "script",
    ["git reset -q --hard; git clean -qfd", "git checkout -q a.txt; rm u.txt", "git rm -qf a.txt; rm u.txt"],
)
@pytest.mark.parametrize("commits", [True, False])
def test_what_somebody_had_not_committed_is_kept_when_the_task_undoes_it(
    place: Path, script: str, commits: bool
) -> None:
    write(place, **{"a.txt": "mine\n", "u.txt": "mine, too\n"})
    (said,) = after(place, f"{script}; echo new > n.txt", commits)
    assert said.startswith("a.txt and u.txt, uncommitted before the task, was overwritten or deleted by it, and kept")
    get_back(said)
    assert ((place / "a.txt").read_text(), (place / "u.txt").read_text()) == ("mine\n", "mine, too\n")


@pytest.mark.parametrize(
    "script",
    [
        "echo more >> a.txt; echo more >> u.txt",
        "git add -A; git commit -qm 'everything that was there'",
        "echo more >> a.txt; git add -A; git commit -qm 'everything that was there, and more'",
        "mv u.txt moved.txt",
        "git stash -q -u; echo b > b.txt; git stash pop -q",
    ],
)
def test_to_go_on_with_what_somebody_had_not_committed_is_no_loss(place: Path, script: str) -> None:
    write(place, **{"a.txt": "mine\n", "u.txt": "mine, too\n"})
    assert after(place, script) == ()


def test_what_was_stashed_that_somebody_had_not_committed_is_said_once(place: Path) -> None:
    write(place, **{"a.txt": "mine\n", "u.txt": "mine, too\n"})
    (said,) = after(place, "git stash -q -u; echo new > n.txt")
    get_back(said)
    assert (place / "u.txt").read_text() == "mine, too\n"


def test_a_repository_within_that_is_gone_is_named(place: Path) -> None:
    a_repository(place / "inner")
    assert after(place, "rm -rf inner") == ("inner/, a repository that was there before the task, is gone",)


def test_in_a_repository_without_any_commit(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "-b", "main")
    write(tmp_path, **{"u.txt": "mine\n"})
    (said,) = after(tmp_path, "rm u.txt; echo new > n.txt; git add n.txt; git commit -qm first")
    get_back(said)
    assert (tmp_path / "u.txt").read_text() == "mine\n"
