"""Setting aside: nothing of a failed task is lost, and nothing of it is in the way."""

import os
import shlex
from pathlib import Path

import pytest

from ccs.flows.git.aside import Aside, aside
from ccs.flows.git.busy import Hold
from ccs.flows.git.command import GitError
from ccs.flows.git.snapshot import Snapshot
from tests.worlds.git import a_repository, commit_by_hand, content, dirty, furnished, get_back, git, status, write


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return furnished(tmp_path / "the repo")


def set_aside(snapshot: Snapshot) -> Aside:
    found = aside(snapshot, "run-1", "My Task!")
    assert found
    return found


def goes_and_comes_back(repo: Path, snapshot: Snapshot, before: dict[str, str]) -> None:
    """What changed since the snapshot of a clean repository is set aside, and is there again as the user is told."""
    after = content(repo)
    found = set_aside(snapshot)
    assert content(repo) == before
    assert status(repo) == ""
    get_back(found.get_back)
    assert content(repo) == after


def test_nothing_changed_is_nothing_set_aside(repo: Path) -> None:
    snapshot = Snapshot.take(repo)
    write(repo, **{"noise.log": "ignored"})
    assert aside(snapshot, "run", "task") is None
    assert git(repo, "for-each-ref", "refs/ccs") == ""


def test_everything_is_taken_away_and_comes_back(repo: Path) -> None:
    snapshot, head = Snapshot.take(repo), git(repo, "rev-parse", "HEAD")
    before = content(repo)
    write(repo, **{"a.txt": "two\n", "x/new.txt": "n", "line\nbreak": "l", "-dash": "d"})
    (repo / "b.txt").rename(repo / "renamed.txt")
    (repo / "tool.sh").chmod(0o755)
    (repo / "link").unlink()
    (repo / "link").symlink_to("dir")
    (repo / "dir/c.txt").unlink()
    git(repo, "add", "x/new.txt", "tool.sh")
    write(repo, **{"noise.log": "ignored"})
    after = content(repo)
    found = set_aside(snapshot)
    assert content(repo) == {**before, "noise.log": after["noise.log"]}
    assert status(repo) == ""
    assert dirty(repo) == []
    assert git(repo, "diff-files") == git(repo, "diff-index", "HEAD") == ""
    assert not (repo / "x").exists()
    assert found.ref == "refs/ccs/aside/run-1/my-task"
    assert git(repo, "rev-parse", found.ref, f"{found.ref}^") == f"{found.commit}\n{head}"
    assert found.files == (
        "-dash",
        "a.txt",
        "b.txt",
        "dir/c.txt",
        "line\nbreak",
        "link",
        "renamed.txt",
        "tool.sh",
        "x/new.txt",
    )
    assert "\n" not in found.sentence
    git(repo, "gc", "-q", "--prune=now")
    get_back(found.get_back)
    assert content(repo) == after
    assert git(repo, "rev-parse", "HEAD") == head


def test_it_comes_back_on_what_was_committed_since(repo: Path) -> None:
    snapshot = Snapshot.take(repo)
    write(repo, **{"a.txt": "two\n", "new.txt": "n"})
    found = set_aside(snapshot)
    commit_by_hand(repo, **{"b.txt": "since\n"})
    get_back(found.get_back)
    assert (repo / "a.txt").read_text() == "two\n"
    assert (repo / "b.txt").read_text() == "since\n"
    assert (repo / "new.txt").exists()


def test_commits_of_claude_stay(repo: Path) -> None:
    snapshot = Snapshot.take(repo)
    own = commit_by_hand(repo, **{"a.txt": "two\n", "own.txt": "o\n"})
    write(repo, **{"a.txt": "three\n", "own.txt": "more\n", "new.txt": "n"})
    found = set_aside(snapshot)
    assert git(repo, "rev-parse", "HEAD") == own
    assert status(repo) == ""
    assert (repo / "a.txt").read_text() == "two\n"
    get_back(found.get_back)
    assert (repo / "a.txt").read_text() == "three\n"
    assert dirty(repo) == ["a.txt", "new.txt", "own.txt"]


def test_a_second_time_gets_a_name_of_its_own(repo: Path) -> None:
    snapshot = Snapshot.take(repo)
    write(repo, **{"a.txt": "two\n"})
    first = set_aside(snapshot)
    write(repo, **{"a.txt": "three\n"})
    second = set_aside(snapshot)
    assert (first.ref, second.ref) == ("refs/ccs/aside/run-1/my-task", "refs/ccs/aside/run-1/my-task-2")
    assert git(repo, "show", f"{first.ref}:a.txt") == "two"


def test_what_was_uncommitted_before_is_exactly_as_it_was(repo: Path) -> None:
    write(repo, **{"a.txt": "mine\n", "mine.txt": "m\n", "b.txt": "staged\n", "changed.txt": "before\n"})
    git(repo, "add", "b.txt")
    write(repo, **{"b.txt": "staged\nand not\n"})
    (repo / "tool.sh").unlink()
    write(repo, **{"intended.txt": "i"})
    git(repo, "add", "--intent-to-add", "intended.txt")
    before, said, staged = content(repo), status(repo), git(repo, "diff", "--cached")
    snapshot = Snapshot.take(repo)
    write(repo, **{"a.txt": "mine, changed\n", "dir/c.txt": "theirs\n", "theirs.txt": "t\n", "tool.sh": "back again\n"})
    (repo / "changed.txt").unlink()
    git(repo, "add", "-A")
    after = content(repo)
    found = set_aside(snapshot)
    assert content(repo) == before
    assert sorted(status(repo).replace("?? intended", " A intended").splitlines()) == sorted(said.splitlines())
    assert git(repo, "diff", "--cached") == staged
    assert found.files == ("a.txt", "changed.txt", "dir/c.txt", "theirs.txt", "tool.sh")
    git(repo, "gc", "-q", "--prune=now")
    get_back(found.get_back)
    assert content(repo) == after


def test_what_the_task_staged_and_changed_again_is_kept_too(repo: Path) -> None:
    snapshot = Snapshot.take(repo)
    write(repo, **{"a.txt": "staged\n"})
    git(repo, "add", "a.txt")
    write(repo, **{"a.txt": "and changed\n"})
    found = set_aside(snapshot)
    assert git(repo, "show", f"{found.ref}:a.txt") == "and changed"
    assert git(repo, "show", f"{found.ref}^^2:a.txt") == "staged"
    get_back(found.get_back)
    assert (repo / "a.txt").read_text() == "and changed\n"


def test_changes_of_the_user_that_the_task_threw_away_come_back(repo: Path) -> None:
    write(repo, **{"a.txt": "mine\n", "mine.txt": "m\n"})
    before = content(repo)
    snapshot = Snapshot.take(repo)
    git(repo, "checkout", "-q", "--", "a.txt")
    git(repo, "clean", "-q", "-f")
    set_aside(snapshot)
    assert content(repo) == before


def test_changes_of_the_user_that_claude_committed_stay_committed(repo: Path) -> None:
    write(repo, **{"a.txt": "mine\n", "mine.txt": "m\n"})
    snapshot = Snapshot.take(repo)
    commit_by_hand(repo)
    write(repo, **{"a.txt": "more\n"})
    found = set_aside(snapshot)
    assert status(repo) == ""
    assert (repo / "a.txt").read_text() == "mine\n"
    get_back(found.get_back)
    assert (repo / "a.txt").read_text() == "more\n"


def test_a_merge_that_the_task_left_unfinished(repo: Path) -> None:
    git(repo, "checkout", "-q", "-b", "other")
    commit_by_hand(repo, **{"a.txt": "other\n", "clean.txt": "c\n"})
    git(repo, "checkout", "-q", "main")
    commit_by_hand(repo, **{"a.txt": "main\n"})
    snapshot = Snapshot.take(repo)
    git(repo, "merge", "-q", "other", ok=False)
    found = set_aside(snapshot)
    assert status(repo) == ""
    assert not (repo / ".git/MERGE_HEAD").exists()
    assert "<<<<<<<" in git(repo, "show", f"{found.ref}:a.txt")
    get_back(found.get_back)
    assert "<<<<<<<" in (repo / "a.txt").read_text()


@pytest.mark.parametrize("edited", [False, True])
def test_a_rebase_that_the_task_left_unfinished(repo: Path, edited: bool) -> None:
    commit_by_hand(repo, **{"a.txt": "two\n"})
    head = commit_by_hand(repo, **{"a.txt": "three\n"})
    snapshot = Snapshot.take(repo)
    git(repo, "rebase", "-q", "-i", "HEAD~2", GIT_SEQUENCE_EDITOR="sed -i 1s/pick/edit/")
    reworded = git(repo, "commit", "-q", "--amend", "-m", "reworded") or git(repo, "rev-parse", "HEAD")
    if edited:
        write(repo, **{"b.txt": "edited\n"})
    found = set_aside(snapshot)
    assert git(repo, "symbolic-ref", "--short", "HEAD") == "main"
    assert git(repo, "rev-parse", "HEAD") == head
    assert status(repo) == ""
    assert git(repo, "rev-parse", f"{found.ref}^") == reworded
    if edited:
        get_back(found.get_back)
        assert (repo / "b.txt").read_text() == "edited\n"


def test_a_cherry_pick_that_the_task_left_unfinished(repo: Path) -> None:
    git(repo, "checkout", "-q", "-b", "other")
    picked = commit_by_hand(repo, **{"a.txt": "other\n"})
    git(repo, "checkout", "-q", "main")
    commit_by_hand(repo, **{"a.txt": "main\n"})
    snapshot = Snapshot.take(repo)
    git(repo, "cherry-pick", picked, ok=False)
    set_aside(snapshot)
    assert status(repo) == ""
    assert not (repo / ".git/CHERRY_PICK_HEAD").exists()


@pytest.mark.parametrize("has_commit", [False, True])
def test_a_repository_that_the_task_made_is_moved_away(repo: Path, has_commit: bool) -> None:
    snapshot, before = Snapshot.take(repo), content(repo)
    nested = repo / "x y/nested"
    if has_commit:
        a_repository(nested)
        git(repo, "add", "x y/nested")
    else:
        nested.mkdir(parents=True)
        git(nested, "init", "-q")
        write(nested, f="f")
    write(repo, **{"a.txt": "two\n"})
    after = content(repo)
    found = set_aside(snapshot)
    assert content(repo) == before
    assert dirty(repo) == []
    assert found.files == ("a.txt", "x y/nested/")
    get_back(found.get_back)
    assert content(repo) == after
    assert (nested / ".git").is_dir()


def test_a_file_that_the_task_hid_from_git(repo: Path) -> None:
    snapshot, before = Snapshot.take(repo), content(repo)
    git(repo, "rm", "-q", "--cached", "b.txt")
    write(repo, **{".gitignore": "*.log\nb.txt\n", "b.txt": "changed\n"})
    goes_and_comes_back(repo, snapshot, before)


def test_a_file_in_the_place_of_a_folder_and_the_other_way_round(repo: Path) -> None:
    snapshot, before = Snapshot.take(repo), content(repo)
    (repo / "b.txt").unlink()
    write(repo, **{"b.txt/inner.txt": "i"})
    (repo / "dir/c.txt").unlink()
    (repo / "dir").rmdir()
    write(repo, dir="a file")
    goes_and_comes_back(repo, snapshot, before)


def test_a_link_to_somewhere_else_in_the_place_of_a_folder(repo: Path, tmp_path: Path) -> None:
    write(tmp_path / "outside", **{"c.txt": "somebody else's\n"})
    before, snapshot = content(repo), Snapshot.take(repo)
    (repo / "dir/c.txt").unlink()
    (repo / "dir").rmdir()
    (repo / "dir").symlink_to(tmp_path / "outside")
    found = set_aside(snapshot)
    assert content(repo) == before
    assert content(tmp_path / "outside") == {"c.txt": '0 b"somebody else\'s\\n"'}
    get_back(found.get_back)
    assert (repo / "dir").is_symlink()


def test_submodules(repo: Path, tmp_path: Path) -> None:
    library = a_repository(tmp_path / "library", **{"lib.txt": "lib\n"})
    for name in ("lib", "second lib"):
        git(repo, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(library), name)
    git(repo, "commit", "-q", "-m", "lib")
    snapshot, before = Snapshot.take(repo), content(repo)
    own = commit_by_hand(repo / "lib", **{"lib.txt": "own\n"})
    write(repo / "lib", **{"lib.txt": "more\n"})
    write(repo / "second lib", **{"new.txt": "n"})
    write(repo, **{"a.txt": "two\n"})
    after = content(repo)
    found = set_aside(snapshot)
    assert content(repo) == before
    assert status(repo) == ""
    assert own in git(repo / "lib", "for-each-ref", "refs/ccs")
    assert set(found.files) == {"a.txt", "lib", "lib/lib.txt", "second lib/new.txt"}
    get_back(found.get_back)
    assert content(repo) == after


def test_a_branch_of_a_submodule_whose_name_a_shell_would_run(repo: Path, tmp_path: Path) -> None:
    library = a_repository(tmp_path / "library", **{"lib.txt": "lib\n"})
    git(repo, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(library), "lib")
    git(repo, "commit", "-q", "-m", "lib")
    snapshot = Snapshot.take(repo)
    git(repo / "lib", "checkout", "-q", "-b", "x;touch${IFS}run")
    own = commit_by_hand(repo / "lib", **{"lib.txt": "own\n"})
    found = set_aside(snapshot)
    get_back(f"cd {shlex.quote(str(tmp_path))}; {found.get_back}")
    assert not (tmp_path / "run").exists()
    assert git(repo / "lib", "rev-parse", "HEAD") == own


def test_in_a_repository_without_a_commit(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "-b", "main")
    snapshot = Snapshot.take(tmp_path)
    write(tmp_path, **{"a.txt": "a\n", "b.txt": "b\n"})
    git(tmp_path, "add", "a.txt")
    found = set_aside(snapshot)
    assert content(tmp_path) == {}
    assert status(tmp_path) == ""
    get_back(found.get_back)
    assert sorted(content(tmp_path)) == ["a.txt", "b.txt"]


def test_on_a_detached_head_and_in_a_worktree(repo: Path, tmp_path: Path) -> None:
    git(repo, "worktree", "add", "-q", "--detach", str(tmp_path / "side"))
    snapshot = Snapshot.take(tmp_path / "side/dir")
    write(tmp_path / "side", **{"a.txt": "two\n"})
    found = set_aside(snapshot)
    assert status(tmp_path / "side") == ""
    git(repo, "worktree", "remove", str(tmp_path / "side"))
    assert git(repo, "show", f"{found.ref}:a.txt") == "two"


def test_line_ends_and_filters(repo: Path) -> None:
    commit_by_hand(repo, **{".gitattributes": "*.txt text eol=crlf\n"})
    git(repo, "rm", "-q", "--cached", "-r", ".")
    git(repo, "reset", "-q", "--hard")
    snapshot, before = Snapshot.take(repo), content(repo)
    assert b"one\r\n" in (repo / "a.txt").read_bytes()
    (repo / "a.txt").write_bytes(b"two\r\n")
    goes_and_comes_back(repo, snapshot, before)


def test_when_it_cannot_be_saved_nothing_is_touched(repo: Path) -> None:
    snapshot = Snapshot.take(repo)
    write(repo, **{"a.txt": "two\n", "new.txt": "n"})
    after, said = content(repo), status(repo)
    git(repo, "update-ref", "refs/ccs/aside", "HEAD")  # where a folder is needed
    with pytest.raises(GitError, match="update-ref"):
        aside(snapshot, "run", "task")
    git(repo, "update-ref", "-d", "refs/ccs/aside")
    (repo / ".git/index.lock").touch()
    os.utime(repo / ".git/index.lock", (1, 1))
    with pytest.raises(GitError, match="was left behind"):
        aside(snapshot, "run", "task")
    assert (content(repo), status(repo)) == (after, said)


def test_not_while_other_tasks_work_in_the_directory(repo: Path) -> None:
    snapshot = Snapshot.take(repo)
    write(repo, **{"a.txt": "two\n"})
    with Hold.take(repo, "task") as own:
        other = Hold.take(repo / "dir", "task")
        with pytest.raises(GitError, match="other tasks work there"):
            aside(snapshot, "run", "task", own)
        other.release()
        assert aside(snapshot, "run", "task", own)
        Hold.take(repo, "task").release()
