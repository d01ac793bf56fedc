"""The journal of a task: what a killed one left is set aside by it, once, and by nobody else while it works."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest

from ccs.flows.git import journal
from ccs.flows.git.busy import Hold
from ccs.flows.git.command import GitError
from ccs.flows.git.snapshot import Snapshot
from tests.worlds.git import content, dirty, furnished, get_back, git, write


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return furnished(tmp_path / "the repo")


def test_the_journal_is_there_while_a_task_is_under_way(repo: Path, tmp_path: Path) -> None:
    file = tmp_path / "state/journal/x.json"
    snapshot = Snapshot.take(repo)
    entry = journal.begin(file, snapshot, "run", "task")
    assert json.loads(file.read_text())["run_id"] == "run"
    assert [p.name for p in file.parent.iterdir()] == ["x.json"]
    write(repo, **{"a.txt": "two\n"})
    recovered = journal.recover(file)
    assert recovered
    assert recovered.is_busy
    assert dirty(repo) == ["a.txt"]
    assert entry.aside()
    entry.end()
    entry.end()
    assert not file.exists()
    assert journal.recover(file) is None
    assert dirty(repo) == []


WORK = """
import sys, time
from pathlib import Path
from ccs.flows.git import journal
from ccs.flows.git.snapshot import Snapshot
repo, file = Path(sys.argv[1]), Path(sys.argv[2])
entry = journal.begin(file, Snapshot.take(repo), "dead-run", "some task")
(repo / "a.txt").write_text("two\\n")
(repo / "new.txt").write_text("n")
print("working", flush=True)
time.sleep(1000)
"""


def killed(repo: Path, file: Path) -> None:
    """A task that is killed in the middle of its work."""
    child = subprocess.Popen([sys.executable, "-c", WORK, str(repo), str(file)], stdout=subprocess.PIPE, text=True)
    assert child.stdout
    assert child.stdout.readline() == "working\n"
    recovered = journal.recover(file)
    assert recovered
    assert recovered.is_busy
    child.send_signal(signal.SIGKILL)
    child.communicate()


def test_what_a_killed_run_left_is_set_aside(repo: Path, tmp_path: Path) -> None:
    write(repo, **{"mine.txt": "m"})
    before = content(repo)
    killed(repo, tmp_path / "j.json")
    git(repo, "gc", "-q", "--prune=now")
    git(repo, "update-ref", "refs/ccs/aside/dead-run/some-task", "HEAD")  # it died while it set its work aside
    recovered = journal.recover(tmp_path / "j.json")
    assert recovered
    assert recovered.aside
    assert recovered.aside.ref == "refs/ccs/aside/dead-run/some-task-2"
    assert recovered.sentence.startswith("task some task of run dead-run was interrupted: set aside a.txt and new.txt")
    assert recovered.sentence.endswith("set aside before it was interrupted is in refs/ccs/aside/dead-run/some-task")
    assert content(repo) == before
    assert not (tmp_path / "j.json").exists()
    assert "before" not in git(repo, "for-each-ref", "refs/ccs")
    get_back(recovered.aside.get_back)
    assert (repo / "a.txt").read_text() == "two\n"


def test_what_a_killed_run_left_stays_while_another_run_works_there(repo: Path, tmp_path: Path) -> None:
    killed(repo, tmp_path / "j.json")
    with Hold.take(repo) as own:
        found = journal.recover(tmp_path / "j.json")
        assert found
        assert found.is_busy
        assert "another run works there" in found.sentence
        other = Hold.take(repo)
        busy = journal.recover(tmp_path / "j.json", own)
        assert busy
        assert busy.is_busy
        other.release()
        assert dirty(repo) == ["a.txt", "new.txt"]
        done = journal.recover(tmp_path / "j.json", own)
        assert done
        assert done.aside
        Hold.take(repo).release()
    assert dirty(repo) == []


def test_a_journal_of_a_directory_that_is_gone(repo: Path, tmp_path: Path) -> None:
    killed(repo, tmp_path / "j.json")
    repo.rename(tmp_path / "elsewhere")
    found = journal.recover(tmp_path / "j.json")
    assert found
    assert "is gone" in found.sentence
    assert not (tmp_path / "j.json").exists()


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"snapshot": {}, "run_id": 1, "task": 2, "ref": ""}', "null"])
def test_a_journal_that_makes_no_sense(tmp_path: Path, text: str) -> None:
    file = tmp_path / f"{uuid4()}.json"
    file.write_text(text)
    with pytest.raises(GitError, match="makes no sense"):
        journal.recover(file)
    assert file.exists()


def test_a_journal_that_cannot_be_written(repo: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(GitError, match="cannot be written"):
        journal.begin(tmp_path / "file/j.json", Snapshot.take(repo), "run", "task")
    with Hold.take(repo, "task") as hold:
        assert hold.upgrade()
