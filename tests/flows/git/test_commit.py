"""Commits: what a task changed is committed, and nothing that somebody else had begun."""

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from ccs.flows.git.command import GitError
from ccs.flows.git.commit import Committed, commit
from ccs.flows.git.message import Origin
from ccs.flows.git.snapshot import Snapshot, changes
from tests.worlds.git import a_repository, commit_by_hand, dirty, furnished, git, status, write

ORIGIN = Origin(
    job="nightly", task="tidy up", run="0191-run", session="abc-session", result="# Tidied **all** files\n\nx"
)


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return furnished(tmp_path / "repo")


def in_commit(repo: Path, revision: str = "HEAD") -> list[str]:
    out = git(repo, "show", "-z", "--format=", "--name-only", "--no-renames", revision)
    return sorted(out.split("\0")[:-1])


def done(repo: Path, snapshot: Snapshot, author: str = "") -> Committed:
    return commit(snapshot, ORIGIN, author)


def test_all_kinds_of_changes_are_seen_and_committed(repo: Path) -> None:
    snapshot = Snapshot.take(repo)
    write(repo, **{"a.txt": "two\n", "x/y/new.txt": "n", "noise.log": "ignored"})
    (repo / "b.txt").rename(repo / "renamed.txt")
    (repo / "tool.sh").chmod(0o755)
    (repo / "link").unlink()
    (repo / "link").symlink_to("dir")
    (repo / "dir/c.txt").unlink()
    (repo / "nothing").mkdir()
    expected = ["a.txt", "b.txt", "dir/c.txt", "link", "renamed.txt", "tool.sh", "x/y/new.txt"]
    assert changes(snapshot) == expected
    result = done(repo, snapshot)
    assert result.id == git(repo, "rev-parse", "HEAD")
    assert (list(result.files), result.own, result.left) == (expected, (), ())
    assert in_commit(repo) == expected
    assert status(repo) == ""
    assert git(repo, "diff-files") == git(repo, "diff-index", "HEAD") == ""
    assert git(repo, "ls-tree", "HEAD", "tool.sh").startswith("100755")
    assert (repo / "noise.log").exists()
    assert changes(snapshot) == expected


def test_nothing_changed_is_no_commit(repo: Path) -> None:
    snapshot = Snapshot.take(repo)
    head = git(repo, "rev-parse", "HEAD")
    (repo / "a.txt").write_text("one\n")
    os.utime(repo / "a.txt", (1, 1))
    result = done(repo, snapshot)
    assert (result.id, result.files, result.own, result.left, changes(snapshot), result.sentence) == (
        None,
        (),
        (),
        (),
        [],
        "",
    )
    assert git(repo, "rev-parse", "HEAD") == head


def test_the_message(repo: Path) -> None:
    snapshot = Snapshot.take(repo)
    write(repo, **{"a.txt": "two\n"})
    done(repo, snapshot)
    assert git(repo, "log", "-1", "--format=%s") == "nightly/tidy up: Tidied **all** files"
    trailers = git(repo, "log", "-1", "--format=%(trailers:only)").splitlines()
    assert [line for line in trailers if line] == [
        *("Ccs-Job: nightly", "Ccs-Task: tidy up", "Ccs-Run: 0191-run", "Claude-Session: abc-session"),
    ]
    assert git(repo, "log", "-1", "--format=%an <%ae>") == "test <test@localhost>"


def test_odd_names_cannot_forge_trailers(repo: Path) -> None:
    snapshot = Snapshot.take(repo)
    write(repo, **{"a.txt": "two\n"})
    odd = Origin(job="#1: ümlaut\udcff", task="x\n\nCcs-Run: forged", run="real", result="\n  \nCcs-Run: forged " * 20)
    commit(snapshot, odd)
    assert git(repo, "log", "-1", "--format=%(trailers:key=Ccs-Run,valueonly)").strip() == "real"
    subject = git(repo, "log", "-1", "--format=%s")
    assert subject.startswith("#1: ümlaut?/x Ccs-Run: forged: Ccs-Run: forged")
    assert len(subject) < 140
    assert git(repo, "log", "-1", "--format=%(trailers:key=Ccs-Task,valueonly)").strip() == "x Ccs-Run: forged"


def test_the_author_can_be_chosen(repo: Path) -> None:
    snapshot = Snapshot.take(repo)
    write(repo, **{"a.txt": "two\n"})
    done(repo, snapshot, "Night Shift <night@example.com>")
    names = git(repo, "log", "-1", "--format=%an <%ae> %cn")
    assert names == "Night Shift <night@example.com> test"


def test_without_any_identity_ccs_commits_itself(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.delenv("EMAIL", raising=False)
    snapshot = Snapshot.take(repo)
    write(repo, **{"a.txt": "two\n"})
    done(repo, snapshot)
    assert git(repo, "log", "-1", "--format=%an %cn") == "ccs ccs"
    assert status(repo) == ""
    snapshot = Snapshot.take(repo)
    write(repo, **{"a.txt": "three\n"})
    done(repo, snapshot, "Night Shift <night@example.com>")
    assert git(repo, "log", "-1", "--format=%cn <%ce>") == "Night Shift <night@example.com>"


def test_what_was_uncommitted_before_stays_so(repo: Path) -> None:
    write(repo, **{"a.txt": "mine\n", "mine.txt": "m", "b.txt": "staged\n"})
    git(repo, "add", "b.txt")
    write(repo, **{"dir/c.txt": "in both\n"})
    snapshot = Snapshot.take(repo)
    write(repo, **{"tool.sh": "theirs", "theirs.txt": "t", "dir/c.txt": "in both, and more\n"})
    assert changes(snapshot) == ["dir/c.txt", "theirs.txt", "tool.sh"]
    result = done(repo, snapshot)
    assert in_commit(repo) == list(result.files) == ["theirs.txt", "tool.sh"]
    assert result.left == ("dir/c.txt",)
    assert "not committed: dir/c.txt" in result.sentence
    assert status(repo) == " M a.txt\nM  b.txt\n M dir/c.txt\n?? mine.txt"
    assert git(repo, "show", ":b.txt") == "staged"


def test_what_was_staged_in_part_stays_staged_in_part(repo: Path) -> None:
    write(repo, **{"a.txt": "staged\n"})
    git(repo, "add", "a.txt")
    write(repo, **{"a.txt": "staged\nand not\n"})
    write(repo, **{"intended.txt": "i"})
    git(repo, "add", "--intent-to-add", "intended.txt")
    before = status(repo)
    snapshot = Snapshot.take(repo)
    write(repo, **{"b.txt": "theirs\n"})
    assert done(repo, snapshot).files == ("b.txt",)
    assert status(repo) == before
    assert git(repo, "show", ":a.txt") == "staged"


def test_a_file_of_the_user_that_the_task_renamed_is_not_committed(repo: Path) -> None:
    write(repo, **{"a.txt": "mine, and long enough to be known again\n" * 5})
    snapshot = Snapshot.take(repo)
    (repo / "a.txt").rename(repo / "moved.txt")
    write(repo, **{"b.txt": "theirs\n"})
    result = done(repo, snapshot)
    assert result.files == ("b.txt",)
    assert result.left == ("a.txt", "moved.txt")


def test_what_the_task_staged_is_committed(repo: Path) -> None:
    snapshot = Snapshot.take(repo)
    write(repo, **{"a.txt": "two\n", "new.txt": "n"})
    git(repo, "add", "-A")
    write(repo, **{"new.txt": "newer"})
    git(repo, "rm", "-q", "b.txt")
    assert done(repo, snapshot).files == ("a.txt", "b.txt", "new.txt")
    assert status(repo) == ""
    assert git(repo, "show", "HEAD:new.txt") == "newer"


def test_what_the_task_staged_and_took_back_is_not_left_in_the_index(repo: Path) -> None:
    write(repo, **{"b.txt": "mine\n"})
    git(repo, "add", "b.txt")
    write(repo, **{"b.txt": "b\n"})
    snapshot = Snapshot.take(repo)
    git(repo, "rm", "-q", "--cached", "dir/c.txt")
    write(repo, **{"a.txt": "two\n"})
    git(repo, "add", "a.txt")
    write(repo, **{"a.txt": "one\n"})
    assert done(repo, snapshot).id is None
    assert status(repo) == "MM b.txt"


def test_commits_of_claude_are_counted_and_the_rest_is_committed(repo: Path) -> None:
    snapshot = Snapshot.take(repo)
    own = [commit_by_hand(repo, **{"a.txt": "two\n"}), commit_by_hand(repo, **{"own.txt": "o"})]
    assert changes(snapshot) == ["a.txt", "own.txt"]
    write(repo, **{"rest.txt": "r"})
    result = done(repo, snapshot)
    assert list(result.own) == own
    assert result.files == ("rest.txt",)
    assert changes(snapshot) == ["a.txt", "own.txt", "rest.txt"]


def test_when_claude_committed_everything_nothing_is_left_to_do(repo: Path) -> None:
    snapshot = Snapshot.take(repo)
    own = commit_by_hand(repo, **{"a.txt": "two\n"})
    result = done(repo, snapshot)
    assert (result.id, result.own, changes(snapshot)) == (None, (own,), ["a.txt"])
    assert result.sentence == f"claude committed itself on main: {own[:12]}"


def test_a_commit_of_claude_that_it_took_back_is_committed(repo: Path) -> None:
    snapshot = Snapshot.take(repo)
    commit_by_hand(repo, **{"a.txt": "two\n"})
    git(repo, "reset", "-q", "--soft", "HEAD~1")
    assert done(repo, snapshot).files == ("a.txt",)


def test_the_branch_that_claude_changed_to(repo: Path) -> None:
    snapshot = Snapshot.take(repo)
    git(repo, "checkout", "-q", "-b", "feature")
    write(repo, **{"a.txt": "two\n"})
    result = done(repo, snapshot)
    assert result.branch == "feature"
    assert "on feature" in result.sentence


@pytest.mark.parametrize(
    "name", ["-dash", "with space", "line\nbreak", "ümlaut", ":(top)x", "a*?[b]", '"quoted"', "\\", "#", "😀"]
)
def test_odd_file_names(repo: Path, name: str) -> None:
    snapshot = Snapshot.take(repo)
    write(repo, **{name: "x", f"folder of {name}/{name}": "y"})
    assert sorted(changes(snapshot)) == sorted([name, f"folder of {name}/{name}"])
    assert done(repo, snapshot).id
    assert status(repo) == ""
    (repo / name).unlink()
    assert dirty(repo) == [name]
    assert done(repo, snapshot).files == (name,)


def test_a_file_name_that_is_no_text(repo: Path) -> None:
    snapshot = Snapshot.take(repo)
    (repo / os.fsdecode(b"latin-\xe9")).write_text("x")
    result = done(repo, snapshot)
    assert result.id
    assert result.sentence.encode()
    assert status(repo) == ""


def test_a_file_becomes_a_folder_and_a_folder_a_link(repo: Path) -> None:
    write(repo, **{".gitignore": "*.log\nb.txt/build\n"})
    snapshot = Snapshot.take(repo)
    (repo / "b.txt").unlink()
    write(repo, **{"b.txt/inner.txt": "i", "b.txt/build": "ignored"})
    subprocess.run(["mv", str(repo / "dir"), str(repo / "moved")], check=True)
    (repo / "dir").symlink_to("moved")
    result = done(repo, snapshot)
    assert result.files == ("b.txt", "b.txt/inner.txt", "dir", "dir/c.txt", "moved/c.txt")
    assert status(repo) == " M .gitignore"


def test_ignored_files_are_never_committed(repo: Path) -> None:
    snapshot = Snapshot.take(repo)
    write(repo, **{"secret.log": "s", "a.txt": "two\n", "kept.txt": "k"})
    git(repo, "add", "-f", "secret.log")
    result = done(repo, snapshot)
    assert result.files == ("a.txt", "kept.txt")
    assert result.left == ("secret.log",)
    git(repo, "reset", "-q")
    git(repo, "rm", "-q", "--cached", "kept.txt")
    write(repo, **{".gitignore": "*.log\nkept.txt\n"})
    assert done(repo, snapshot).files == (".gitignore", "kept.txt")
    assert git(repo, "ls-files", "kept.txt") == ""
    assert status(repo) == ""


@pytest.mark.parametrize("has_commit", [False, True])
def test_a_repository_that_the_task_made_is_left(repo: Path, has_commit: bool) -> None:
    snapshot = Snapshot.take(repo)
    nested = repo / "x/nested"
    if has_commit:
        a_repository(nested)
    else:
        nested.mkdir(parents=True)
        git(nested, "init", "-q")
        write(nested, f="f")
    write(repo, **{"a.txt": "two\n"})
    assert changes(snapshot) == ["a.txt", "x/nested/"]
    result = done(repo, snapshot)
    assert (result.files, result.left) == (("a.txt",), ("x/nested/",))
    if has_commit:
        git(repo, "add", "x/nested")
        assert done(repo, snapshot).left == ("x/nested",)


def test_submodules(repo: Path, tmp_path: Path) -> None:
    library = a_repository(tmp_path / "library", **{"lib.txt": "lib\n"})
    git(repo, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(library), "lib")
    git(repo, "commit", "-q", "-m", "lib")
    snapshot = Snapshot.take(repo)
    assert snapshot.is_clean
    write(repo / "lib", **{"lib.txt": "changed\n"})
    assert dirty(repo) == ["lib"]
    assert changes(snapshot) == ["lib"]
    result = done(repo, snapshot)
    assert (result.id, result.left) == (None, ("lib",))
    moved = commit_by_hand(repo / "lib")
    assert done(repo, snapshot).files == ("lib",)
    assert moved in git(repo, "ls-tree", "HEAD", "lib")
    git(repo, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(library), "second")
    assert done(repo, snapshot).files == (".gitmodules", "second")
    assert status(repo) == ""


def test_the_first_commit_of_a_repository(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "-b", "main")
    snapshot = Snapshot.take(tmp_path)
    write(tmp_path, **{"a.txt": "a"})
    assert dirty(tmp_path) == ["a.txt"]
    result = done(tmp_path, snapshot)
    assert result.files == ("a.txt",)
    assert status(tmp_path) == ""
    assert git(tmp_path, "rev-list", "--count", "HEAD") == "1"


def test_a_detached_head(repo: Path) -> None:
    git(repo, "checkout", "-q", "--detach")
    snapshot = Snapshot.take(repo)
    write(repo, **{"a.txt": "two\n"})
    result = done(repo, snapshot)
    assert result.id == git(repo, "rev-parse", "HEAD")
    assert "on a detached HEAD" in result.sentence


def test_in_the_middle_of_a_merge_nothing_is_committed(repo: Path) -> None:
    git(repo, "checkout", "-q", "-b", "other")
    commit_by_hand(repo, **{"a.txt": "other\n"})
    git(repo, "checkout", "-q", "main")
    commit_by_hand(repo, **{"a.txt": "main\n"})
    snapshot = Snapshot.take(repo)
    git(repo, "merge", "-q", "other", ok=False)
    write(repo, **{"b.txt": "two\n"})
    assert changes(snapshot) == ["a.txt", "b.txt"]
    with pytest.raises(GitError, match="cannot be committed: the task left a merge unfinished"):
        done(repo, snapshot)
    conflicted = Snapshot.take(repo)
    assert conflicted.unmerged == ("a.txt",)
    with pytest.raises(GitError, match=r"cannot be committed: a merge is under way in .*`git merge --abort`"):
        done(repo, replace(snapshot, operation="merge"))
    git(repo, "add", "-A")
    git(repo, "commit", "-q", "--no-edit")
    assert len(done(repo, snapshot).own) == 2


def test_a_large_file(repo: Path) -> None:
    snapshot = Snapshot.take(repo)
    git(repo, "config", "core.bigFileThreshold", "1m")
    with (repo / "huge.bin").open("wb") as file:
        file.truncate(50_000_000)
    assert done(repo, snapshot).files == ("huge.bin",)


def test_in_a_worktree(repo: Path, tmp_path: Path) -> None:
    git(repo, "worktree", "add", "-q", "-b", "side", str(tmp_path / "side"))
    snapshot = Snapshot.take(tmp_path / "side/dir")
    write(tmp_path / "side", **{"a.txt": "two\n", "dir/new.txt": "n"})
    result = done(tmp_path / "side", snapshot)
    assert (result.branch, result.files) == ("side", ("a.txt", "dir/new.txt"))
    assert status(repo) == status(tmp_path / "side") == ""


def test_sparse_checkouts(repo: Path) -> None:
    git(repo, "sparse-checkout", "set", "dir")
    snapshot = Snapshot.take(repo)
    assert snapshot.is_clean
    write(repo, **{"dir/c.txt": "two\n", "outside/new.txt": "n"})
    assert done(repo, snapshot).files == ("dir/c.txt", "outside/new.txt")
    assert git(repo, "show", "HEAD:a.txt") == "one"
    assert git(repo, "status", "--porcelain") == ""


def test_thirty_tasks_at_once_in_one_directory(repo: Path) -> None:
    def work(number: int) -> tuple[Committed, list[str]]:
        snapshot = Snapshot.take(repo)
        write(repo, **{f"file-{number}.txt": str(number)})
        return commit(snapshot, Origin("crowd", f"task {number}", "run")), changes(snapshot)

    with ThreadPoolExecutor(30) as crowd:
        results = list(crowd.map(work, range(30)))
    assert {name for result, _ in results for name in result.files} == {f"file-{n}.txt" for n in range(30)}
    assert all(f"file-{n}.txt" in changed for n, (_, changed) in enumerate(results))
    assert status(repo) == ""
    git(repo, "fsck", "--no-dangling")
