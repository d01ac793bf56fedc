"""Snapshots: what is uncommitted in a directory, and what changed since."""

import os
import subprocess
import time
from dataclasses import asdict
from functools import partial
from pathlib import Path

import pytest

from ccs.flows.git import journal
from ccs.flows.git.aside import aside
from ccs.flows.git.command import GitError, NoRepositoryError, naming, run
from ccs.flows.git.commit import commit
from ccs.flows.git.index import scratch_index, write_index
from ccs.flows.git.message import Origin
from ccs.flows.git.repository import Repository
from ccs.flows.git.snapshot import Snapshot, changes
from ccs.flows.git.status import refusal
from tests.worlds.git import a_repository, commit_by_hand, dirty, git, prepared, status, write


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    files = {"a.txt": "one\n", "b.txt": "b\n", "dir/c.txt": "c\n", ".gitignore": "*.log\n", "tool.sh": "#!/bin/sh\n"}
    return a_repository(tmp_path / "repo", **files)


def test_a_clean_directory_is_not_refused(repo: Path) -> None:
    write(repo, **{"noise.log": "ignored"})
    (repo / "empty").mkdir()
    assert dirty(repo) == []
    assert refusal(repo) is None
    assert Snapshot.take(repo).is_clean


def test_uncommitted_changes_are_named(repo: Path) -> None:
    write(repo, **{"a.txt": "two\n", "new.txt": "n", "dir/deep/new.txt": "n"})
    git(repo, "rm", "-q", "--cached", "b.txt")
    (repo / "tool.sh").unlink()
    assert dirty(repo / "dir") == ["a.txt", "b.txt", "dir/deep/new.txt", "new.txt", "tool.sh"]
    assert refusal(repo / "dir") == (
        f"working directory {repo / 'dir'} has uncommitted changes (a.txt, b.txt and tool.sh): "
        "commit or stash them, or set working_directory.allow_dirty"
    )
    assert not Snapshot.take(repo).is_clean


def test_files_that_git_does_not_know_are_in_nobodys_way(repo: Path) -> None:
    write(repo, **{"new.txt": "n"})
    assert dirty(repo) == ["new.txt"]
    assert refusal(repo) is None


def test_names_in_a_sentence_are_on_one_line() -> None:
    assert naming(["a\nb"]) == "a\\nb"
    assert naming(["a", "b", "c"]) == "a, b and c"
    assert naming(list("abcde")) == "a, b and 3 more"


def test_a_rebase_under_way_is_refused(repo: Path) -> None:
    commit_by_hand(repo, **{"a.txt": "two\n"})
    git(repo, "rebase", "-q", "-i", "HEAD~1", GIT_SEQUENCE_EDITOR="sed -i 1s/pick/edit/")
    assert "in the middle of a rebase: finish it with `git rebase --continue`" in str(refusal(repo))


def test_a_snapshot_leaves_no_trace(repo: Path) -> None:
    write(repo, **{"a.txt": "two\n", "new.txt": "n"})
    git(repo, "add", "a.txt")
    write(repo, **{"a.txt": "three\n"})
    before = (status(repo), (repo / ".git/index").read_bytes())
    snapshot = Snapshot.take(repo)
    assert (status(repo), (repo / ".git/index").read_bytes()) == before
    assert changes(snapshot) == []
    assert Snapshot.from_json(asdict(snapshot)) == snapshot
    assert list((repo / ".git/ccs").iterdir()) == []


def test_a_change_of_the_same_size_in_the_same_moment_is_seen(repo: Path) -> None:
    for number in range(20):
        write(repo, **{"a.txt": f"{number:03}\n"})
        git(repo, "add", "a.txt")
        write(repo, **{"a.txt": f"{number + 1:03}\n"})
        snapshot = Snapshot.take(repo)
        assert git(repo, "show", f"{snapshot.files}:a.txt") == f"{number + 1:03}"


def test_what_was_reverted_is_no_change(repo: Path) -> None:
    snapshot = Snapshot.take(repo)
    commit_by_hand(repo, **{"a.txt": "two\n"})
    git(repo, "revert", "--no-edit", "HEAD")
    assert changes(snapshot) == []


def test_a_change_of_the_mode_is_one(repo: Path) -> None:
    snapshot = Snapshot.take(repo)
    (repo / "tool.sh").chmod(0o755)
    assert changes(snapshot) == ["tool.sh"]


def test_a_file_that_goes_away_meanwhile_is_looked_for_once_more(repo: Path) -> None:
    commit_by_hand(repo, **{".gitattributes": "b.txt filter=race\n"})
    git(repo, "config", "filter.race.clean", "rm -f tool.sh; cat")  # while git stores the file before it
    write(repo, **{"b.txt": "more\n", "tool.sh": "more\n"})
    snapshot = Snapshot.take(repo)
    assert [*snapshot.dirty(snapshot.repository)] == ["b.txt", "tool.sh"]
    assert snapshot.dirty(snapshot.repository)["tool.sh"][1] is None


def test_no_git_repository_is_none_where_that_is_asked_for(repo: Path, tmp_path: Path) -> None:
    assert Repository.find(tmp_path) is None
    found = Repository.find(repo / "dir")
    assert found
    assert (found.top, found.prefix) == (repo, "dir/")
    with pytest.raises(
        NoRepositoryError, match=f"^working directory {tmp_path} on node .+: it is not inside a git rep"
    ):
        Repository.at(tmp_path)


def test_a_directory_that_came_to_belong_to_another_repository_is_left_alone(repo: Path, tmp_path: Path) -> None:
    tree = prepared(repo, "night", "main").top
    snapshot = Snapshot.take(tree)
    entry = journal.begin(tmp_path / "open.json", snapshot, "r", "t")
    (tree / ".git").unlink()  # for git it is a folder of the main checkout then
    write(repo, **{"a.txt": "changed by the user\n"})
    for tries in (changes, partial(commit, origin=Origin("j", "t", "r")), partial(aside, run_id="r", task="t")):
        with pytest.raises(GitError, match=r"Its \.git was removed or replaced"):
            tries(snapshot)
    entry.end()
    assert status(repo) == " M a.txt"


def test_without_git_it_is_said(repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(GitError, match="git is not installed on node"):
        Repository.at(repo)
    assert Repository.find(repo) is None


def test_a_lock_of_another_git_is_waited_for(repo: Path) -> None:
    lock = repo / ".git/index.lock"
    lock.touch()
    child = subprocess.Popen(["sh", "-c", 'sleep 1; rm "$0"', str(lock)])
    write_index(Repository.at(repo), {"b.txt": None})
    child.wait()
    assert status(repo) == "D  b.txt\n?? b.txt"


def test_a_lock_of_the_configuration_is_explained(repo: Path) -> None:
    lock = repo / ".git/config.lock"
    lock.touch()
    os.utime(lock, (1, 1))
    with pytest.raises(GitError, match=r"config\.lock was left behind"):
        Repository.at(repo).git("config", "a.b", "c")


def test_what_a_hook_leaves_in_the_background_is_not_waited_for(repo: Path, tmp_path: Path) -> None:
    began = time.monotonic()
    said = run(repo, "-c", f"alias.x=!sleep 600 & echo $! > '{tmp_path / 'pid'}'", "x")
    assert said.ok
    assert time.monotonic() - began < 300
    os.kill(int((tmp_path / "pid").read_text()), 9)


def test_an_index_of_another_task_that_goes_at_that_moment_is_in_nobodys_way(repo: Path) -> None:
    (repo / ".git/ccs").mkdir()
    (repo / ".git/ccs/index-gone").symlink_to("nowhere")  # listed, and not there
    with scratch_index(Repository.at(repo)) as index:
        assert index.exists()


def test_an_index_that_cannot_be_copied_is_one_sentence(repo: Path) -> None:
    (repo / ".git/index").unlink()
    (repo / ".git/index").mkdir()  # as little to be copied as with a full disk
    with pytest.raises(GitError, match=r"\.git/ccs cannot be written to: "), scratch_index(Repository.at(repo)):
        pass
