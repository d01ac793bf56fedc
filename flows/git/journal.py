"""The journal of a task: what a node needs to clean up after a run that was killed."""

import contextlib
import json
import shutil
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from uuid import uuid4

from ccs.flows.git.aside import Aside, aside
from ccs.flows.git.busy import Hold, alone
from ccs.flows.git.command import GitError, naming, shown
from ccs.flows.git.losses import losses
from ccs.flows.git.refs import ROOT, aside_ref, write_commit
from ccs.flows.git.snapshot import Snapshot
from ccs.flows.node.files import write_whole

_REFS = f"{ROOT}before/"
_VERSION = 1


@dataclass(frozen=True)
class _Record:
    """What the file of a journal holds."""

    snapshot: Snapshot
    run_id: str
    task: str
    ref: str
    """The ref that keeps what was uncommitted at the snapshot; empty when nothing was."""
    ended: tuple[str, ...] = ()


class Journal:
    """A task that is under way, in the journal; it has a share in the working tree until its end."""

    def __init__(self, file: Path, record: _Record, hold: Hold) -> None:
        self.snapshot = record.snapshot
        self.ended = record.ended
        """Ids of tasks whose changes since the snapshot are in the files, too, and that have ended."""
        self._file, self._record, self._hold = file, record, hold

    def aside(self) -> Aside | None:
        """Set aside what the task changed; GitError when other tasks work in the directory."""
        return aside(self.snapshot, self._record.run_id, self._record.task, self._hold)

    def interrupt(self, ended: tuple[str, ...]) -> None:
        """Keep for `resume` which tasks have ended, and give back the share; GitError when it cannot be written."""
        try:
            _write(self._file, replace(self._record, ended=ended))
        finally:
            self._hold.release()

    def leave(self) -> None:
        """Leave what the task changed to the next `recover`, as if this process had been killed."""
        self._hold.release()

    def end(self) -> None:
        """The task's changes are committed, set aside or meant to stay; a second time does nothing."""
        _forget(self._record)
        self._file.unlink(missing_ok=True)
        self._hold.release()


@dataclass(frozen=True)
class Recovered:
    """What became of a journal that a dead run left."""

    sentence: str
    """For the log; empty when there is nothing to say."""
    nameless: str
    """The same without names of files, branches and commits, for the log of whoever cannot redact them."""
    aside: Aside | None = None
    is_busy: bool = False
    """Whether another run works there, so that nothing was done and the journal stays."""


def begin(file: Path, snapshot: Snapshot, run_id: str, task: str) -> Journal:
    """Write the journal of a task that is about to start, whole or not at all, and take a share in the directory.

    Raises GitError when it cannot be written, or when the directory is being cleaned up.
    """
    hold = Hold.take(Path(snapshot.directory), kind="task")
    record = _Record(snapshot, run_id, task, ref="")
    try:
        if snapshot.files != snapshot.base or snapshot.staged != snapshot.base:
            record = replace(record, ref=_protect(snapshot))
        _write(file, record)
    except BaseException:
        _forget(record)
        hold.release()
        raise
    return Journal(file, record, hold)


def resume(file: Path) -> Journal | None:
    """The journal of a task that was interrupted and goes on, with a share in the directory; None without one.

    Raises GitError, as `begin` does.
    """
    record = _read(file)
    return Journal(file, record, Hold.take(Path(record.snapshot.directory), kind="task")) if record else None


def recover(file: Path, own: Hold | None = None) -> Recovered | None:
    """Set aside what the task of a journal left, whose process is gone; None when there is no such journal.

    Nothing is done while another run works in the directory; the caller's `own` share in it does not count.
    Raises GitError when something is in the way; the journal stays then.
    """
    record = _read(file)
    if record is None:
        return None
    snapshot, run_id, task = record.snapshot, record.run_id, record.task
    directory = Path(snapshot.directory)
    whose = f"task {shown(task)} of run {shown(run_id)}"
    if not directory.is_dir():
        file.unlink(missing_ok=True)
        gone = f"{whose} was interrupted, and its directory {shown(directory)} is gone"
        return Recovered(gone, gone)
    repository = snapshot.repository
    with alone(repository, own) as is_alone:
        if not is_alone:
            busy = f"what {whose} left in {shown(directory)} stays there for now: another run works there"
            return Recovered(busy, busy, is_busy=True)
        if not file.exists():  # somebody else was faster
            return None
        begun = aside_ref(run_id, task)  # it may have been killed while it set its work aside
        earlier = repository.git("for-each-ref", "--format=%(refname)", begun, f"{begun}-*").out.split()
        found = aside(snapshot, run_id, task)
        lost = losses(snapshot, run_id, task)
        many = f"{len(lost)} other things are not as they were before it; refs below {begun} keep what would be lost"
        before = [f"what was set aside before it was interrupted is in {naming(earlier, 5)}"] if earlier else []
        said = [*([found.sentence] if found else []), *lost, *before]
        counted = [*([found.nameless] if found else []), *([many] if lost else []), *before]
        _forget(record)
        file.unlink(missing_ok=True)
    if not said:
        return Recovered("", "")
    interrupted = f"{whose} was interrupted: "
    return Recovered(interrupted + "; ".join(said), interrupted + "; ".join(counted), found)


def _read(file: Path) -> _Record | None:
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
        return _Record(snapshot, str(stored["run_id"]), str(stored["task"]), str(stored["ref"]), ended)
    except (ValueError, TypeError, KeyError, AttributeError):
        raise GitError(f"journal {shown(file)} makes no sense: look into it, and delete it") from None


def _write(file: Path, record: _Record) -> None:
    try:
        write_whole(file, json.dumps({"version": _VERSION, **asdict(record)}))
    except OSError as error:
        free = shutil.disk_usage(next(p for p in file.absolute().parents if p.exists())).free
        raise GitError(
            f"journal {shown(file)} cannot be written ({free / 1e9:.1f} GB free): {error.strerror or error}"
        ) from None


def _protect(snapshot: Snapshot) -> str:
    """A ref by which git keeps the trees of the snapshot."""
    repository = snapshot.repository
    staged = write_commit(repository, snapshot.staged, (), "staged before a task of ccs")
    commit = write_commit(repository, snapshot.files, (staged,), "before a task of ccs")
    ref = f"{_REFS}{uuid4().hex}"
    repository.git("update-ref", ref, commit)
    return ref


def _forget(record: _Record) -> None:
    if record.ref.startswith(_REFS) and Path(record.snapshot.directory).is_dir():
        with contextlib.suppress(GitError):  # at worst, some objects are kept for nothing
            record.snapshot.repository.git("update-ref", "-d", record.ref)
