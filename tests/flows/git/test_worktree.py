"""Worktrees of jobs: made once, used again, and one clear sentence where that cannot be."""

import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ccs.flows.git.busy import Hold
from ccs.flows.git.command import GitError
from ccs.flows.git.repository import Repository
from ccs.flows.git.worktree import prepare
from tests.worlds.git import a_repository, commit_by_hand, dirty, git, hook, prepared, status, write


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return a_repository(tmp_path / "a repo", **{"a.txt": "one\n", "sub/dir/b.txt": "b\n"})


def refusal(directory: Path, name: str = "night", base: str = "main") -> str:
    with pytest.raises(GitError) as caught:
        prepared(directory, name, base)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_it_is_made_on_a_branch_of_its_own(repo: Path) -> None:
    git(repo, "branch", "begin")
    commit_by_hand(repo, **{"a.txt": "two\n"})
    made = prepared(repo, "night", "begin")
    assert (made.path, made.top, made.branch, made.base) == (
        repo / "trees/night",
        repo / "trees/night",
        "night",
        "begin",
    )
    assert made.created
    assert made.remarks == ()
    assert (made.path / "a.txt").read_text() == "one\n"
    assert git(made.path, "branch", "--show-current") == "night"
    assert status(repo) == status(made.path) == ""
    assert not (repo / ".gitignore").exists()
    assert (repo / ".git/info/exclude").read_text().splitlines().count("/trees/") == 1


def test_it_is_used_again_as_it_was_left(repo: Path) -> None:
    made = prepared(repo, "night", "main")
    write(made.path, **{"a.txt": "edited\n", "new.txt": "n"})
    commit_by_hand(repo, **{"c.txt": "c"})
    again = prepared(repo, "night", "main")
    assert (again.path, again.created) == (made.path, False)
    assert (again.path / "a.txt").read_text() == "edited\n"
    assert status(again.path) == " M a.txt\n?? new.txt"


def test_a_directory_below_the_top_is_the_same_one_in_the_worktree(repo: Path) -> None:
    assert prepared(repo / "sub/dir", "night", "main").path == repo / "trees/night/sub/dir"
    assert prepared(repo / "sub", "night", "main").path == repo / "trees/night/sub"
    git(repo, "checkout", "-q", "--orphan", "bare-bones")
    git(repo, "rm", "-q", "-rf", "sub")
    commit_by_hand(repo)
    git(repo, "checkout", "-q", "main")
    assert "has no folder sub/dir/" in refusal(repo / "sub/dir", "other", "bare-bones")


def test_one_that_was_deleted_by_hand_comes_back_with_its_commits(repo: Path) -> None:
    made = prepared(repo, "night", "main")
    tip = commit_by_hand(made.path, **{"work.txt": "w"})
    subprocess.run(["rm", "-r", str(made.path)], check=True)
    again = prepared(repo, "night", "main")
    assert again.created
    assert git(again.path, "rev-parse", "HEAD") == tip
    subprocess.run(["rm", "-r", str(repo / "trees")], check=True)
    assert prepared(repo, "night", "main").created


def test_a_worktree_is_the_same_from_a_worktree(repo: Path, tmp_path: Path) -> None:
    git(repo, "worktree", "add", "-q", "-b", "side", str(tmp_path / "side"))
    assert prepared(tmp_path / "side/sub", "night", "main").path == repo / "trees/night/sub"
    assert prepared(repo / "trees/night", "night", "main").path == repo / "trees/night"
    assert prepared(repo / "trees/night", "second", "main").path == repo / "trees/second"


def test_a_branch_of_a_remote_will_do(repo: Path, tmp_path: Path) -> None:
    git(repo, "branch", "release")
    git(tmp_path, "clone", "-q", str(repo), "clone")
    clone = tmp_path / "clone"
    assert prepared(clone, "one", "release").base == "origin/release"
    assert prepared(clone, "two", "origin/release").base == "origin/release"
    assert git(clone, "config", "--get", "branch.two.remote", ok=False) == ""
    git(clone, "branch", "release", "origin/release")
    assert prepared(clone, "three", "release").base == "release"


def test_a_branch_of_another_remote_unless_there_are_two(repo: Path, tmp_path: Path) -> None:
    git(repo, "branch", "release")
    clone = a_repository(tmp_path / "other", x="x")
    git(clone, "remote", "add", "fork", str(repo))
    git(clone, "fetch", "-q", "--all")
    assert prepared(clone, "one", "release").base == "fork/release"
    git(clone, "remote", "add", "third", str(repo))
    git(clone, "fetch", "-q", "--all")
    said = refusal(clone, "two", "release")
    assert "did you mean fork/release or third/release?" in said


def test_a_base_branch_that_is_not_there_is_named_with_similar_ones(repo: Path) -> None:
    git(repo, "branch", "develop")
    assert "did you mean develop?" in refusal(repo, base="develp")
    git(repo, "branch", "-m", "main", "trunk")
    said = refusal(repo)
    assert "there is no branch 'main' in" in said
    assert "it has develop and trunk." in said
    assert not (repo / "trees/night").exists()


def test_a_branch_that_is_checked_out_elsewhere(repo: Path, tmp_path: Path) -> None:
    assert f"branch main is checked out in {repo}" in refusal(repo, "main")
    git(repo, "worktree", "add", "-q", "-b", "night", str(tmp_path / "elsewhere"))
    assert f"branch night is checked out in {tmp_path / 'elsewhere'}" in refusal(repo)
    subprocess.run(["rm", "-r", str(tmp_path / "elsewhere")], check=True)
    assert "worktree prune" in refusal(repo)


def test_something_else_in_its_place(repo: Path, tmp_path: Path) -> None:
    write(repo, **{"trees/night/notes.txt": "mine"})
    assert "exists and is no worktree of this repository" in refusal(repo)
    a_repository(repo / "trees/nested")
    assert "exists and is no worktree of this repository" in refusal(repo, "nested")
    write(repo, **{"trees/file": "mine"})
    assert "exists and is no worktree of this repository" in refusal(repo, "file")
    (repo / "trees/link").symlink_to(tmp_path)
    assert "exists and is no worktree of this repository" in refusal(repo, "link")
    (repo / "trees/empty").mkdir()
    assert prepared(repo, "empty", "main").created


def test_a_folder_for_worktrees_that_is_none(repo: Path, tmp_path: Path) -> None:
    (repo / "trees").symlink_to(tmp_path)
    assert "is no folder" in refusal(repo)


@pytest.mark.parametrize("name", ["", "a..b", "x.lock", "-n", "a/b", "..", "a b", "end."])
def test_a_name_that_is_none(repo: Path, name: str) -> None:
    assert "cannot be the name of a branch" in refusal(repo, name)


def test_a_repository_without_a_commit(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "-b", "main")
    assert "has no commit yet" in refusal(tmp_path)


def test_no_repository(tmp_path: Path) -> None:
    said = refusal(tmp_path)
    assert "cannot be used: it is not inside a git repository. Run `git init` there" in said


def test_a_detached_head_and_a_branch_in_the_way(repo: Path) -> None:
    git(repo, "checkout", "-q", "--detach")
    assert prepared(repo, "night", "main").branch == "night"
    git(repo, "branch", "deep/er")
    assert "deep/er" in refusal(repo, "deep")


def test_bare_repositories(repo: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--bare", str(repo), "shared.git")
    made = prepared(tmp_path / "shared.git", "night", "main")
    assert made.path == tmp_path / "shared.git/trees/night"
    assert prepared(made.path / "sub", "night", "main").path == made.path / "sub"
    git(tmp_path, "clone", "-q", "--bare", str(repo), "project/.bare")
    assert prepared(tmp_path / "project/.bare", "night", "main").path == tmp_path / "project/trees/night"
    with pytest.raises(GitError, match="is a bare repository, which has no files"):
        Repository.at(tmp_path / "shared.git")


def test_submodules_come_from_the_main_checkout_or_are_named(repo: Path, tmp_path: Path) -> None:
    local = a_repository(tmp_path / "lib", **{"lib.txt": "lib"})
    for name in ("lib", "absent"):
        git(repo, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(local), name)
    commit_by_hand(repo)
    subprocess.run(["rm", "-r", str(repo / ".git/modules/absent")], check=True)
    made = prepared(repo, "night", "main")
    assert (made.path / "lib/lib.txt").read_text() == "lib"
    assert git(made.path / "lib", "remote", "get-url", "origin") == str(local)
    assert made.remarks == (
        "submodules absent are not checked out in the worktree: `git submodule update --init` does it",
    )
    assert status(made.path) == ""


def test_a_repository_that_is_a_submodule(repo: Path, tmp_path: Path) -> None:
    local = a_repository(tmp_path / "lib", **{"lib.txt": "lib"})
    git(repo, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(local), "lib")
    commit_by_hand(repo)
    made = prepared(repo / "lib", "night", "main")
    assert made.path == repo / "lib/trees/night"
    assert prepared(made.path, "night", "main").path == made.path
    assert status(repo) == ""


def test_a_repository_that_was_moved_with_its_worktrees(repo: Path, tmp_path: Path) -> None:
    write(prepared(repo, "night", "main").path, **{"new.txt": "kept"})
    moved = repo.rename(tmp_path / "moved")
    again = prepared(moved, "night", "main")
    assert again.path == moved / "trees/night"
    assert not again.created
    assert status(again.path) == "?? new.txt"


def test_one_whose_making_was_killed_is_made_anew(repo: Path) -> None:
    made = prepared(repo, "night", "main")
    (repo / ".git/worktrees/night/locked").write_text("initializing")
    (repo / ".git/worktrees/night/index").unlink()
    (made.path / "a.txt").unlink()
    again = prepared(repo, "night", "main")
    assert again.created
    assert status(again.path) == ""


def test_a_git_that_outlives_the_run_which_made_the_worktree_is_waited_for(repo: Path, tmp_path: Path) -> None:
    hook(repo, "post-checkout", f"touch '{tmp_path}/begun'; while [ ! -e '{tmp_path}/go' ]; do sleep 0.1; done")
    code = "import sys; from pathlib import Path; from ccs.flows.git.worktree import prepare; prepare(*sys.argv[1:])"
    code = code.replace("*sys.argv[1:]", "Path(sys.argv[1]), 'night', 'main'")
    child = subprocess.Popen([sys.executable, "-c", code, str(repo)])
    while not (tmp_path / "begun").exists():
        assert child.poll() is None
        time.sleep(0.05)
    child.kill()
    child.wait()
    with ThreadPoolExecutor(1) as beside:
        waiting = beside.submit(prepared, repo, "night", "main")
        assert not waiting.done()
        (tmp_path / "go").touch()
        assert waiting.result(60).branch == "night"
    assert not list((repo / ".git/ccs").glob("making-*"))
    assert git(repo, "config", "branch.night.ccsBase") == "main"


def test_a_lock_that_a_killed_git_left_is_explained_and_stays(repo: Path) -> None:
    made = prepared(repo, "night", "main")
    lock = repo / ".git/worktrees/night/index.lock"
    lock.touch()
    assert prepared(repo, "night", "main").path == made.path  # it may be in use
    os.utime(lock, (time.time() - 7300, time.time() - 7300))
    said = refusal(repo)
    assert "2 hours old and no process holds it open" in said
    assert f"rm '{lock}'" in said
    with lock.open():
        assert prepared(repo, "night", "main").path == made.path
    assert lock.exists()


def test_a_hook_that_fails_is_mentioned(repo: Path) -> None:
    hook(repo, "post-checkout", "exit 3")
    made = prepared(repo, "night", "main")
    assert made.remarks == ("the repository's post-checkout hook failed in the new worktree",)
    assert status(made.path) == ""


def test_another_branch_in_it_is_mentioned(repo: Path) -> None:
    made = prepared(repo, "night", "main")
    git(made.path, "checkout", "-q", "-b", "elsewhere")
    assert "has elsewhere checked out instead of branch night" in prepared(repo, "night", "main").remarks[0]


def test_eight_at_once_of_one_name_and_of_eight(repo: Path) -> None:
    with ThreadPoolExecutor(8) as crowd:
        same = list(crowd.map(lambda _: prepared(repo, "night", "main"), range(8)))
        many = list(crowd.map(lambda n: prepared(repo, f"night-{n}", "main"), range(8)))
    assert [w.created for w in same].count(True) == 1
    assert {w.path for w in same} == {repo / "trees/night"}
    assert all(w.created for w in many)
    assert all(status(w.path) == "" for w in many)
    assert (repo / ".git/info/exclude").read_text().count("/trees/") == 1


def test_processes_at_once(repo: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from ccs.flows.git.worktree import prepare; "
        "print(prepare(Path(sys.argv[1]), sys.argv[2], 'main')[0].path)"
    )
    started = [
        subprocess.Popen([sys.executable, "-c", code, str(repo), f"n{n % 4}"], stdout=subprocess.PIPE, text=True)
        for n in range(8)
    ]
    said = [child.communicate(timeout=120)[0].strip() for child in started]
    assert said == [str(repo / f"trees/n{n % 4}") for n in range(8)]


def test_the_callers_git_variables_lead_nowhere_else(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = a_repository(tmp_path / "other")
    for name, value in {
        "GIT_DIR": str(other / ".git"),
        "GIT_WORK_TREE": str(other),
        "GIT_INDEX_FILE": str(other / "index"),
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "core.bare",
        "GIT_CONFIG_VALUE_0": "true",
    }.items():
        monkeypatch.setenv(name, value)
    assert prepared(repo, "night", "main").path == repo / "trees/night"
    assert not (other / "trees").exists()


def test_odd_settings_of_the_user_change_nothing(repo: Path) -> None:
    for key, value in {
        "color.ui": "always",
        "status.showUntrackedFiles": "no",
        "checkout.defaultRemote": "x",
        "submodule.recurse": "true",
        "worktree.guessRemote": "true",
        "core.quotePath": "true",
    }.items():
        git(repo, "config", key, value)
    assert prepared(repo, "night", "main").created
    assert not prepared(repo, "night", "main").created


def test_a_path_with_odd_characters(tmp_path: Path) -> None:
    repo = a_repository(tmp_path / "line\nbreak ümlaut 'quoted'", **{"ä b/c.txt": "c"})
    made = prepared(repo / "ä b", "night", "main")
    assert made.path == repo / "trees/night/ä b"
    assert not prepared(repo / "ä b", "night", "main").created
    assert "line\\nbreak" in refusal(repo, "other", "nothing like it")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give files away")
def test_a_repository_of_another_user(repo: Path) -> None:
    for folder, _, files in os.walk(repo):
        for name in (".", *files):
            os.chown(Path(folder) / name, 12345, 12345)
    said = refusal(repo)
    assert "belongs to another user" in said
    assert f"git config --global --add safe.directory '{repo}'" in said


def test_the_folder_of_worktrees_stays_clean_where_the_repository_wants_it_seen(repo: Path) -> None:
    commit_by_hand(repo, **{".gitignore": "!trees/\n"})
    prepared(repo, "night", "main")
    assert dirty(repo) == []


def test_a_hold_comes_with_it(repo: Path) -> None:
    made, hold = prepare(repo, "night", "main")
    other = Hold.take(made.path)
    assert not hold.upgrade()
    other.release()
    assert hold.upgrade()
    waited = threading.Thread(target=lambda: prepared(repo, "night", "main"))
    waited.start()
    hold.downgrade()
    waited.join(60)
    assert not waited.is_alive()
    hold.release()
    hold.release()
