"""What killed runs left in a directory: out of the way of the next run; what waiting runs left stays theirs."""

import signal
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest

from ccs.flows.workplace.journals import journal_file
from tests.worlds.flow import Server, run, task
from tests.worlds.git import git
from tests.worlds.processes import PATIENCE

WORK = """
import sys, time
from pathlib import Path
from ccs.flows.git import journal
from ccs.flows.git.snapshot import Snapshot
repo, file, name = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
file.parent.mkdir(parents=True)
journal.begin(file, Snapshot.take(repo), file.parent.name, "some task")
(repo / name).write_text("half done")
print("working", flush=True)
time.sleep(1000)
"""


@pytest.fixture(autouse=True)
def _node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CCS_HOME", str(tmp_path / "ccs"))


def left_by(run_id: str, repository: Path, name: str) -> Path:
    """The journal of a task that was killed after it had written a file, as if its machine had lost its power."""
    file = journal_file(run_id)
    command = [sys.executable, "-c", WORK, str(repository), str(file), name]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert child.stdout
    assert child.stdout.readline() == "working\n"
    child.send_signal(signal.SIGKILL)
    child.communicate(timeout=PATIENCE)
    return file


@pytest.mark.parametrize("name", ["README", "new.txt"])
@pytest.mark.parametrize("allow_dirty", [False, True])
def test_what_a_dead_run_left_is_set_aside_before_the_next_begins(
    server: Server, profile: str, repository: Path, name: str, allow_dirty: bool
) -> None:
    journal = left_by(str(uuid4()), repository, name)
    directory = {"path": str(repository), "allow_dirty": allow_dirty}
    state = run(profile, repository, task("a", {"text": "done"}), working_directory=directory)
    assert state.is_completed(), state.message
    assert "was interrupted: set aside" in server.logs(state, until="set aside")
    assert git(repository, "status", "--porcelain") == ""
    assert not journal.exists()


def test_what_a_waiting_run_left_is_named_and_stays(server: Server, profile: str, repository: Path) -> None:
    flow = server.post("/flows/", name="job")["id"]
    waiting = server.post("/flow_runs/", flow_id=flow, state={"type": "SCHEDULED"})["id"]
    left_by(waiting, repository, "README")
    state = run(profile, repository, task("a", {"text": "done"}))
    assert state.is_failed()
    assert f"what run {waiting} has changed so far" in (state.message or "")
    assert (repository / "README").read_text() == "half done"
