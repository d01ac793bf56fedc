"""Commits where others have a say: hooks, programs that sign, locks of other git commands."""

import os
import subprocess
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest

from ccs.flows.git.command import GitError
from ccs.flows.git.commit import Committed, commit
from ccs.flows.git.message import Origin
from ccs.flows.git.snapshot import Snapshot, changes
from tests.worlds.git import commit_by_hand, furnished, git, hook, status, write

ORIGIN = Origin(job="nightly", task="tidy up", run="0191-run", session="abc-session", result="# Tidied **all** files")


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return furnished(tmp_path / "repo")


def in_commit(repo: Path, revision: str = "HEAD") -> list[str]:
    return sorted(git(repo, "show", "--format=", "--name-only", "--no-renames", revision).splitlines())


def committed(repo: Path, snapshot: Snapshot) -> Committed:
    return commit(snapshot, ORIGIN)


def test_a_hook_that_refuses(repo: Path) -> None:
    hook(repo, "pre-commit", "echo checking >&2; echo 'a.txt:1: too short' >&2; exit 1")
    snapshot = Snapshot.take(repo)
    write(repo, **{"a.txt": "two\n", "new.txt": "n"})
    with pytest.raises(GitError) as caught:
        committed(repo, snapshot)
    assert "checking | a.txt:1: too short" in str(caught.value)
    assert status(repo) == " M a.txt\n?? new.txt"


def test_a_hook_sees_what_is_to_be_committed(repo: Path) -> None:
    write(repo, **{"mine.txt": "m", "b.txt": "staged\n"})
    git(repo, "add", "b.txt")
    hook(repo, "pre-commit", "git diff --cached --name-only > .git/seen")
    snapshot = Snapshot.take(repo)
    write(repo, **{"a.txt": "two\n"})
    committed(repo, snapshot)
    assert (repo / ".git/seen").read_text() == "a.txt\n"


@pytest.mark.parametrize(
    "script",
    [
        "sed -i s/two/formatted/ a.txt && git add a.txt",
        "grep -q two a.txt || exit 0; sed -i s/two/formatted/ a.txt; echo 'files were modified by this hook'; exit 1",
        "sed -i s/two/formatted/ a.txt",
    ],
    ids=["staged", "refused once", "not staged"],
)
def test_a_hook_that_formats_the_files(repo: Path, script: str) -> None:
    hook(repo, "pre-commit", script)
    snapshot = Snapshot.take(repo)
    write(repo, **{"a.txt": "two\n"})
    assert committed(repo, snapshot).id == git(repo, "rev-parse", "HEAD")
    assert status(repo) == ""
    assert git(repo, "show", "HEAD:a.txt") == "formatted"


def test_a_hook_that_changes_files_at_every_commit(repo: Path) -> None:
    hook(repo, "pre-commit", "echo more >> b.txt")
    snapshot = Snapshot.take(repo)
    write(repo, **{"a.txt": "two\n"})
    assert (committed(repo, snapshot).rest, status(repo)) == (("b.txt",), " M b.txt")


def test_a_hook_may_change_the_message_or_refuse_it(repo: Path) -> None:
    hook(repo, "commit-msg", 'echo "Ticket: 7" >> "$1"')
    snapshot = Snapshot.take(repo)
    write(repo, **{"a.txt": "two\n"})
    committed(repo, snapshot)
    assert git(repo, "log", "-1", "--format=%(trailers:key=Ticket,valueonly)").strip() == "7"
    hook(repo, "commit-msg", "echo bad message; exit 1")
    snapshot = Snapshot.take(repo)
    write(repo, **{"a.txt": "three\n"})
    with pytest.raises(GitError, match="bad message"):
        committed(repo, snapshot)


def test_a_hook_that_hangs_is_ended(repo: Path, tmp_path: Path) -> None:
    hook(repo, "pre-commit", f"sleep 1000 & echo $! > '{tmp_path / 'pid'}'; wait")
    snapshot = Snapshot.take(repo)
    write(repo, **{"a.txt": "two\n"})
    for seconds in (3, 30):  # the hook has to come so far on a busy machine, too
        with pytest.raises(GitError, match="a hook hangs, or the program that signs"):
            commit(snapshot, ORIGIN, timeout=seconds)
        assert status(repo) == " M a.txt"
        if (tmp_path / "pid").exists() and (tmp_path / "pid").read_text():
            break
    state = Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}/stat")
    assert not state.exists() or state.read_text().split()[2] == "Z"


def test_signing_is_respected(repo: Path, tmp_path: Path) -> None:
    signer = tmp_path / "signer"
    signer.write_text(
        '#!/bin/sh\n[ -t 0 ] && exit 9\ncat > /dev/null\necho "[GNUPG:] SIG_CREATED x" >&2\necho SIGNED\n'
    )
    signer.chmod(0o755)
    git(repo, "config", "commit.gpgSign", "true")
    git(repo, "config", "gpg.program", str(signer))
    snapshot = Snapshot.take(repo)
    write(repo, **{"a.txt": "two\n"})
    committed(repo, snapshot)
    assert "gpgsig SIGNED" in git(repo, "cat-file", "commit", "HEAD")
    signer.write_text("#!/bin/sh\necho 'no secret key' >&2; exit 2\n")
    write(repo, **{"a.txt": "three\n"})
    with pytest.raises(GitError, match="gpg failed to sign the data"):
        committed(repo, snapshot)


def test_a_lock_that_a_killed_git_left_is_explained(repo: Path) -> None:
    snapshot = Snapshot.take(repo)
    write(repo, **{"a.txt": "two\n"})
    lock = repo / ".git/index.lock"
    lock.touch()
    os.utime(lock, (1, 1))
    with pytest.raises(GitError, match=r"was left behind by a git command that was killed.*Remove it with: rm "):
        committed(repo, snapshot)
    assert lock.exists()


def test_nothing_is_committed_while_another_git_keeps_the_index(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot, head = Snapshot.take(repo), git(repo, "rev-parse", "HEAD")
    write(repo, **{"a.txt": "two\n", "new.txt": "new\n"})
    monkeypatch.setattr("ccs.flows.git.locks.PATIENCE", 0.5)
    (repo / ".git/index.lock").touch()
    with pytest.raises(GitError, match=r"is at work with .*index.lock: try again later"):
        committed(repo, snapshot)
    assert git(repo, "rev-parse", "HEAD") == head


def test_when_the_index_cannot_follow_a_commit_that_is_said_and_the_commit_stays(
    repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ccs.flows.git.locks.PATIENCE", 0.5)
    hook(repo, "post-commit", "touch .git/index.lock")
    snapshot = Snapshot.take(repo)
    write(repo, **{"a.txt": "two\n", "new.txt": "new\n"})
    result = committed(repo, snapshot)
    assert result.id == git(repo, "rev-parse", "HEAD")
    assert (in_commit(repo), git(repo, "rev-list", "--count", "HEAD"), result.left) == (["a.txt", "new.txt"], "3", ())
    (repo / ".git/index.lock").unlink()
    subprocess.run(["/bin/sh", "-c", result.problem.partition("up to date with: ")[2]], check=True, capture_output=True)
    assert status(repo) == ""


def test_a_file_that_cannot_be_read_is_one_sentence(repo: Path) -> None:
    git(repo, "config", "filter.broken.clean", "false")
    git(repo, "config", "filter.broken.required", "true")
    snapshot = Snapshot.take(repo)
    write(repo, **{"a.txt": "two\n"})
    write(repo, **{".gitattributes": "a.txt filter=broken\n"})
    with pytest.raises(GitError) as caught:
        committed(repo, snapshot)
    assert "\n" not in str(caught.value)


PROOF = "echo hook >> ../proof"


def _in_git(repo: Path) -> None:
    hook(repo, "pre-commit", PROOF)


def _as_a_link(repo: Path) -> None:
    commit_by_hand(repo, **{"checks/lint.sh": "#!/bin/sh\n" + PROOF})
    (repo / "checks/lint.sh").chmod(0o755)
    commit_by_hand(repo)
    (repo / ".git/hooks").mkdir(exist_ok=True)
    (repo / ".git/hooks/pre-commit").symlink_to("../../checks/lint.sh")


def _in_the_tree(repo: Path, folder: str = ".githooks", called: str = ".githooks/pre-commit") -> None:
    git(repo, "config", "core.hooksPath", folder)
    script = "#!/bin/sh\n" + (PROOF if called == f"{folder}/pre-commit" else f"sh {called}")
    write(repo, **{called: "#!/bin/sh\n" + PROOF, f"{folder}/pre-commit": script})
    (repo / folder / "pre-commit").chmod(0o755)
    git(repo, "add", "-A")
    git(repo, "commit", "-q", "--no-verify", "-m", "hooks")


def _of_husky(repo: Path) -> None:
    write(repo, **{".husky/_/.gitignore": "*"})
    _in_the_tree(repo, ".husky/_", ".husky/pre-commit")


@pytest.mark.parametrize(
    ("begin", "change", "named"),
    [
        (_in_git, lambda repo: hook(repo, "pre-commit", "echo evil >> ../proof"), ".git/hooks/pre-commit"),
        (_in_git, lambda repo: hook(repo, "post-commit", "echo evil >> ../proof"), ".git/hooks/post-commit"),
        (_in_git, lambda repo: (repo / ".git/hooks/pre-commit").unlink(), ".git/hooks/pre-commit"),
        (_in_git, lambda repo: (repo / ".git/hooks/pre-commit").chmod(0o644), ".git/hooks/pre-commit"),
        (_in_git, lambda repo: write(repo, **{".git/hooks/inner/x.sh": "x"}), ".git/hooks/inner/x.sh"),
        (_as_a_link, lambda repo: write(repo, **{"checks/lint.sh": "echo evil >> ../proof"}), ".git/hooks/pre-commit"),
        (_in_the_tree, lambda repo: write(repo, **{".githooks/pre-commit": "exit 1"}), ".githooks/pre-commit"),
        (_in_the_tree, lambda repo: write(repo, **{".githooks/more": "x"}), ".githooks/more"),
        (_of_husky, lambda repo: write(repo, **{".husky/pre-commit": "exit 1"}), ".husky/pre-commit"),
        (_of_husky, lambda repo: write(repo, **{".husky/_/pre-commit": "exit 1"}), ".husky/_/pre-commit"),
        (_in_git, lambda repo: git(repo, "config", "core.hooksPath", "dir"), ".git/hooks/pre-commit and dir/c.txt"),
        (_in_git, lambda repo: git(repo, "config", "core.hooksPath", "/dev/null"), ".git/hooks/pre-commit"),
        (_in_git, lambda repo: git(repo, "config", "lfs.customtransfer.x.path", "x"), "git's configuration"),
        (_in_git, lambda repo: write(repo, **{".git/config.worktree": "", "more.conf": ""}), None),
        (_in_git, lambda repo: git(repo, "config", "branch.main.remote", "origin"), None),
    ],
    ids=[
        *(
            "changed",
            "added",
            "deleted",
            "not to be run",
            "beside",
            "behind a link",
            "in the tree",
            "beside in the tree",
        ),
        *("husky", "husky's own", "elsewhere", "nowhere", "configuration", "other files", "a branch"),
    ],
)
def test_hooks_that_a_task_changed_do_not_run(
    repo: Path, begin: Callable[[Path], None], change: Callable[[Path], object], named: str | None
) -> None:
    begin(repo)
    watched, unwatched = Snapshot.take(repo), Snapshot.take(repo, watched=False)
    write(repo, **{"a.txt": "two\n"})
    change(repo)
    (repo.parent / "proof").unlink(missing_ok=True)
    assert (unwatched.distrusted, unwatched.repository.withheld) == ("", ())
    done = committed(repo, Snapshot.from_json(asdict(watched)))
    assert "a.txt" in done.files
    if named is None:
        assert (done.left_out, (repo.parent / "proof").read_text()) == ("", "hook\n")
    else:
        assert done.left_out.startswith(f"committed without hooks: {named} changed while the task worked, and ")
        assert done.left_out in done.sentence
        assert not (repo.parent / "proof").exists()


def test_hooks_that_a_task_changed_run_when_that_is_asked_for(repo: Path) -> None:
    snapshot = Snapshot.take(repo, watched=False)
    write(repo, **{"a.txt": "two\n"})
    hook(repo, "pre-commit", PROOF)
    assert committed(repo, snapshot).left_out == ""
    assert (repo.parent / "proof").read_text() == "hook\n"


def test_without_hooks_nothing_is_said_of_them(repo: Path) -> None:
    snapshot = Snapshot.take(repo)
    write(repo, **{"a.txt": "two\n"})
    git(repo, "config", "a.b", "c")
    assert committed(repo, snapshot).left_out == ""


@pytest.mark.parametrize("name", ["x", "a=b"])
def test_a_filter_that_a_task_set_up_does_not_run(repo: Path, name: str) -> None:
    git(repo, "config", "filter.own.clean", "echo own >> ../own; cat")
    snapshot = Snapshot.take(repo)
    git(repo, "config", f"filter.{name}.clean", "echo evil >> ../proof; cat")
    git(repo, "config", f"filter.{name}.required", "true")
    write(repo, **{".gitattributes": f"a.txt filter={name}\nb.txt filter=own\n", "a.txt": "2\n", "b.txt": "2\n"})
    assert changes(snapshot) == [".gitattributes", "a.txt", "b.txt"]
    done = committed(repo, snapshot)
    assert done.files == (".gitattributes", "a.txt", "b.txt")
    assert done.left_out.startswith(f"committed without filter {name}: git's configuration changed")
    assert not (repo.parent / "proof").exists()
    assert "own" in (repo.parent / "own").read_text()


def test_a_program_that_a_task_set_up_does_not_sign(repo: Path, tmp_path: Path) -> None:
    snapshot = Snapshot.take(repo)
    write(repo, **{"a.txt": "two\n"})
    git(repo, "config", "commit.gpgSign", "true")
    git(repo, "config", "gpg.program", f"{tmp_path}/none")
    assert committed(repo, snapshot).left_out.startswith("committed without a signature: git's configuration changed")
