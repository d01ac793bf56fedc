"""The journal of a task: what a node needs to clean up after a run that was killed."""

import contextlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from ccs.flows.git.aside import Aside, aside
from ccs.flows.git.busy import Alone, Hold
from ccs.flows.git.command import GitError, naming, shown
from ccs.flows.git.losses import losses
from ccs.flows.git.refs import ROOT, aside_ref, write_commit
from ccs.flows.git.repository import Repository
from ccs.flows.git.snapshot import Snapshot
from ccs.flows.node.files import write_whole

_REFS = f"{ROOT}before/"
_VERSION = 1


class Journal:
    """A task that is under way, in the journal; it has a share in the working tree until its end."""

    def __init__(
        self, file: Path, snapshot: Snapshot, run_id: str, task: str, hold: Hold, ref: str, ended: tuple[str, ...] = ()
    ) -> None:
        self.snapshot = snapshot
        self.ended = ended
        """Ids of tasks whose changes since the snapshot are in the files, too, and that have ended."""
        self._file = file
        self._run_id = run_id
        self._task = task
        self._hold = hold
        self._ref = ref

    def aside(self) -> Aside | None:
        """Set aside what the task changed; GitError when other tasks work in the directory."""
        return aside(self.snapshot, self._run_id, self._task, self._hold)

    def interrupt(self, ended: tuple[str, ...]) -> None:
        """Keep for `resume` which tasks have ended, and give back the share; GitError when it cannot be written."""
        try:
            _write(self._file, _text(self.snapshot, self._run_id, self._task, self._ref, ended))
        finally:
            self._hold.release()

    def leave(self) -> None:
        """Leave what the task changed to the next `recover`, as if this process had been killed."""
        self._hold.release()

    def end(self) -> None:
        """The task's changes are committed, set aside or meant to stay; a second time does nothing."""
        _forget(self.snapshot, self._ref)
        self._file.unlink(missing_ok=True)
        self._hold.release()


@dataclass(frozen=True)
class Recovered:
    """What became of a journal that a dead run left."""

    run_id: str
    task: str
    directory: str
    aside: Aside | None
    is_busy: bool
    """Whether another run works there, so that nothing was done and the journal stays."""
    sentence: str
    """For the log; empty when there is nothing to say."""


def begin(file: Path, snapshot: Snapshot, run_id: str, task: str) -> Journal:
    """Write the journal of a task that is about to start, whole or not at all, and take a share in the directory.

    Raises GitError when it cannot be written, or when the directory is being cleaned up.
    """
    repository = snapshot.repository
    hold = Hold.take(Path(snapshot.directory), kind="task")
    ref = ""
    try:
        if snapshot.files != snapshot.base or snapshot.staged != snapshot.base:
            ref = _protect(repository, snapshot)
        _write(file, _text(snapshot, run_id, task, ref))
    except BaseException:
        _forget(snapshot, ref)
        hold.release()
        raise
    return Journal(file, snapshot, run_id, task, hold, ref)


def resume(file: Path) -> Journal | None:
    """The journal of a task that was interrupted and goes on, with a share in the directory; None without one.

    Raises GitError, as `begin` does.
    """
    stored = _read(file)
    if stored is None:
        return None
    hold = Hold.take(Path(stored.snapshot.directory), kind="task")
    return Journal(file, stored.snapshot, stored.run_id, stored.task, hold, stored.ref, stored.ended)


def recover(file: Path, own: Hold | None = None) -> Recovered | None:
    """Set aside what the task of a journal left, whose process is gone; None when there is no such journal.

    Nothing is done while another run works in the directory; the caller's `own` share in it does not count.
    Raises GitError when something is in the way; the journal stays then.
    """
    stored = _read(file)
    if stored is None:
        return None
    snapshot, run_id, task, ref = stored.snapshot, stored.run_id, stored.task, stored.ref
    directory = Path(snapshot.directory)
    whose = f"task {shown(task)} of run {shown(run_id)}"
    if not directory.is_dir():
        file.unlink(missing_ok=True)
        gone = f"{whose} was interrupted, and its directory {shown(directory)} is gone"
        return Recovered(run_id, task, snapshot.directory, None, False, gone)
    with Alone(snapshot.repository, own) as alone:
        if not alone:
            busy = f"what {whose} left in {shown(directory)} stays there for now: another run works there"
            return Recovered(run_id, task, snapshot.directory, None, True, busy)
        if not file.exists():  # somebody else was faster
            return None
        begun = aside_ref(run_id, task)  # it may have been killed while it set its work aside
        earlier = snapshot.repository.git("for-each-ref", "--format=%(refname)", begun, f"{begun}-*").out.split()
        found = aside(snapshot, run_id, task)
        said = [*([found.sentence] if found else []), *losses(snapshot, run_id, task)]
        if earlier:
            said.append(f"what was set aside before it was interrupted is in {naming(earlier, 5)}")
        _forget(snapshot, ref)
        file.unlink(missing_ok=True)
    sentence = f"{whose} was interrupted: {'; '.join(said)}" if said else ""
    return Recovered(run_id, task, snapshot.directory, found, False, sentence)


@dataclass(frozen=True)
class _Stored:
    snapshot: Snapshot
    run_id: str
    task: str
    ref: str
    ended: tuple[str, ...]


def _text(snapshot: Snapshot, run_id: str, task: str, ref: str, ended: tuple[str, ...] = ()) -> str:
    stored = {"version": _VERSION, "run_id": run_id, "task": task, "ref": ref, "ended": ended}
    return json.dumps({**stored, "snapshot": snapshot.to_json()})


def _read(file: Path) -> _Stored | None:
    try:
        text = file.read_text()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise GitError(f"journal {shown(file)} cannot be read: {error.strerror or error}") from None
    try:
        stored = json.loads(text)
        snapshot = Snapshot.from_json(stored["snapshot"])
        ended = tuple(map(str, stored.get("ended", ())))
        return _Stored(snapshot, str(stored["run_id"]), str(stored["task"]), str(stored["ref"]), ended)
    except (ValueError, TypeError, KeyError, AttributeError):
        raise GitError(f"journal {shown(file)} makes no sense: look into it, and delete it") from None


def _protect(repository: Repository, snapshot: Snapshot) -> str:
    """A ref by which git keeps the trees of the snapshot."""
    staged = write_commit(repository, snapshot.staged, (), "staged before a task of ccs")
    commit = write_commit(repository, snapshot.files, (staged,), "before a task of ccs")
    ref = f"{_REFS}{uuid4().hex}"
    repository.git("update-ref", ref, commit)
    return ref


def _forget(snapshot: Snapshot, ref: str) -> None:
    if ref.startswith(_REFS) and Path(snapshot.directory).is_dir():
        with contextlib.suppress(GitError):  # at worst, some objects are kept for nothing
            snapshot.repository.git("update-ref", "-d", ref)


def _write(file: Path, text: str) -> None:
    try:
        write_whole(file, text)
    except OSError as error:
        free = shutil.disk_usage(next(p for p in file.absolute().parents if p.exists())).free
        raise GitError(
            f"journal {shown(file)} cannot be written ({free / 1e9:.1f} GB free): {error.strerror or error}"
        ) from None
