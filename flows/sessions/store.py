"""Sessions of tasks: which one a task had last, its file kept for later runs, and its use by one run at a time.

The file of a session is what `claude` makes of a conversation. What is kept of it is without the profile's secrets.
"""

import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Literal

import httpx

from ccs.flows.claude.session import projects, session_file
from ccs.flows.claude.stream import Record
from ccs.flows.node.files import private_folder, whole
from ccs.flows.node.identity import ATTEMPT_MARK
from ccs.flows.node.locks import FileLock
from ccs.flows.node.processes import marked
from ccs.flows.server.claims import claim
from ccs.flows.server.names import session_claim
from ccs.flows.sessions.storage import FolderStorage, Storage, StorageError, shared_storage
from ccs.flows.spec.names import slug

KEPT = 5
"""Sessions of a task that are kept, the newest ones."""

Mode = Literal["new", "reuse", "fork"]

_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_INDEX = "sessions.json"
_MAX_SLUG = 200  # claude cuts longer ones, and finds a session in a folder of any name


@dataclass(frozen=True)
class KeptSession:
    """A session whose file is kept; `kept_at` is in UTC, in ISO 8601."""

    id: str
    kept_at: str
    node: str


@dataclass(frozen=True)
class SessionOpening:
    """How the next attempt of a task begins.

    `resume` is what `claude --resume` takes, or empty for a new session. A fork gets an id of its own; otherwise the
    attempt has the id `session_id`. `said` tells why it is not what was asked for, if it is not.
    """

    resume: str = ""
    is_fork: bool = False
    session_id: str = ""
    said: str = ""


class SessionStore:
    """The sessions of all tasks, kept on this node and, where one is given, in a storage that all nodes share.

    `shared` is the address of that storage or empty; `redact` takes secrets out of a line of a session's file; `warn`
    is told what does not work, for the run goes on without it.
    Clocks of nodes that share a storage must agree to some seconds, as the session that was kept last is the last one.
    """

    def __init__(
        self,
        state_folder: Path,
        shared: str,
        *,
        node: str,
        redact: Callable[[bytes], bytes],
        warn: Callable[[str], None],
    ) -> None:
        self._locks = state_folder / "sessions" / "locks"
        self._node, self._redact, self._warn = node, redact, warn
        self._local = FolderStorage(state_folder)
        self._shared: Storage | None = shared_storage(shared) if shared else None

    @property
    def _storages(self) -> list[Storage]:
        return [self._local] if self._shared is None else [self._local, self._shared]

    def last(self, job: str, task_id: str) -> KeptSession | None:
        """The session the task had last, on whatever node."""
        return next(iter(self._sessions(job, task_id, self._storages)), None)

    def keep(self, job: str, task_id: str, session_id: str, environment: Mapping[str, str]) -> bool:
        """Keep the session as the task's last one, after an attempt; whether `claude` left a file of it.

        `environment` is that of the attempt: it says where `claude` keeps its files.
        """
        file = session_file(session_id, environment)
        if file is None:
            return False
        session = KeptSession(session_id, datetime.now(UTC).isoformat(timespec="microseconds"), self._node)
        with self._forgiving(), self._redacted(file) as kept:
            for storage in self._storages:
                with self._forgiving():
                    others = [s for s in _index_of(storage, job, task_id) if s.id != session_id]
                    storage.put(f"{_folder_of(job, task_id)}/{session_id}.jsonl", kept)
                    _write_index(storage, job, task_id, [session, *others[: KEPT - 1]])
                    for old in others[KEPT - 1 :]:
                        storage.remove(f"{_folder_of(job, task_id)}/{old.id}.jsonl")
        return True

    @contextmanager
    def _redacted(self, file: Path) -> Iterator[Path]:
        with tempfile.NamedTemporaryFile(prefix="ccs-") as copy, file.open("rb") as lines:
            copy.writelines(map(self._redact, lines))
            copy.flush()
            yield Path(copy.name)

    def keep_transcripts(self, run_id: str, files: Iterable[Path | None]) -> None:
        """Copy files of an attempt to the shared storage, if there is one."""
        for file in files:
            if self._shared is not None and file is not None:
                with self._forgiving():
                    self._shared.put(f"runs/{run_id}/{file.name}", file)

    @contextmanager
    def opened(
        self, job: str, task_id: str, mode: Mode, environment: Mapping[str, str], cwd: Path, *, continues: str = ""
    ) -> Iterator[SessionOpening]:
        """Make ready what the task is to begin with, for its use alone as long as the block runs.

        `continues` is the id of the session that must be gone on with, whatever the mode: a run that was suspended
        has begun it. A session that another run uses is never waited for: what is kept of it is forked. One that is
        gone everywhere is replaced by a new one.
        """
        with ExitStack() as stack:
            yield self._open(stack, job, task_id, "reuse" if continues else mode, environment, cwd, continues)

    def _open(
        self,
        stack: ExitStack,
        job: str,
        task_id: str,
        mode: Mode,
        environment: Mapping[str, str],
        cwd: Path,
        continues: str,
    ) -> SessionOpening:
        if mode == "new":
            return SessionOpening()
        last = self.last(job, task_id)
        wanted = continues or (last.id if last else "")
        if not wanted:
            return SessionOpening(said="the task has no earlier session: it begins a new one")
        kept = self._fetch(job, task_id, wanted, Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ccs-"))))
        said = ""
        if mode == "reuse":
            try:
                if not self._hold(stack, wanted):
                    said = f"session {wanted} is used by another run: this one works on a fork of it"
                elif self._install(kept, wanted, environment, cwd):
                    return SessionOpening(wanted, session_id=wanted)
            except OSError as error:
                said = f"session {wanted} cannot be gone on with, but a fork of it can: {error}"
        kept = kept or session_file(wanted, environment)
        if kept is None:
            return SessionOpening(said=f"nothing is left of session {wanted}: the task begins a new one")
        return SessionOpening(str(kept), is_fork=True, session_id=wanted, said=said)

    def _sessions(self, job: str, task_id: str, storages: Iterable[Storage]) -> list[KeptSession]:
        """What storages know of the task's sessions, the newest first."""
        found: list[KeptSession] = []
        for storage in storages:
            with self._forgiving():
                found += _index_of(storage, job, task_id)
        return sorted(found, key=lambda s: s.kept_at, reverse=True)

    def _fetch(self, job: str, task_id: str, session_id: str, folder: Path) -> Path | None:
        """A copy of the session's file, in the folder, from the storage that has the newest one."""

        def age(storage: Storage) -> str:
            return next((s.kept_at for s in self._sessions(job, task_id, [storage]) if s.id == session_id), "")

        target = folder / f"{session_id}.jsonl"
        for storage in sorted(self._storages, key=age, reverse=True):
            with self._forgiving():
                if storage.get(f"{_folder_of(job, task_id)}/{session_id}.jsonl", target):
                    return target
        return None

    def _install(self, kept: Path | None, session_id: str, environment: Mapping[str, str], cwd: Path) -> bool:
        """Give `claude` the kept file, unless its own goes further; whether it has one then.

        Its own goes further when somebody went on by hand, or an attempt died before its session was kept. One that
        went another way is put aside.
        """
        own = session_file(session_id, environment)
        if kept is None:
            return own is not None
        if own is not None:
            if self._begins_with(own, kept):
                return True
            if not self._begins_with(kept, own):
                own.replace(own.with_suffix(".jsonl.aside"))
        folder = re.sub(r"[^A-Za-z0-9]", "-", os.path.realpath(cwd))[:_MAX_SLUG]
        with kept.open("rb") as source, whole(own or projects(environment) / folder / f"{session_id}.jsonl") as target:
            shutil.copyfileobj(source, target)
        return True

    def _begins_with(self, file: Path, beginning: Path) -> bool:
        with file.open("rb") as lines, beginning.open("rb") as first:
            return all(self._redact(next(lines, b"")) == self._redact(line) for line in first)

    def _hold(self, stack: ExitStack, session_id: str) -> bool:
        """Use the session alone until the stack is left; False when another run uses it."""
        private_folder(self._locks)
        lock = FileLock(self._locks / session_id, is_passing=True)
        if not lock.take():
            return False
        stack.callback(lock.release)
        if marked(ATTEMPT_MARK, session_id):  # a killed run let go of the lock, and its claude is just being ended
            return False
        if self._shared is None:
            return True
        try:
            claimed = claim(session_claim(session_id), self._node, self._warn)
        except httpx.HTTPError as error:
            self._warn(f"the server does not say whether another node uses session {session_id}: {error}")
            return False
        if claimed is None:
            return False
        stack.enter_context(claimed)
        return True

    @contextmanager
    def _forgiving(self) -> Iterator[None]:
        try:
            yield
        except (StorageError, OSError) as problem:
            self._warn(str(problem))


def _folder_of(job: str, task_id: str) -> str:
    """The folder of a task: names may look alike as slugs, and ids may occur in a copy of the job."""
    return f"sessions/{slug(job)[:60]}-{sha256(job.encode()).hexdigest()[:8]}/{task_id}"


def _index_of(storage: Storage, job: str, task_id: str) -> list[KeptSession]:
    index = Record.parse(storage.read(f"{_folder_of(job, task_id)}/{_INDEX}") or b"") or Record({})
    sessions = [KeptSession(e.text("id"), e.text("kept_at"), e.text("node")) for e in index.records("sessions")]
    return [s for s in sessions if _ID.fullmatch(s.id)]


def _write_index(storage: Storage, job: str, task_id: str, sessions: list[KeptSession]) -> None:
    with tempfile.TemporaryDirectory(prefix="ccs-") as folder:
        index = Path(folder) / _INDEX
        index.write_text(json.dumps({"sessions": [asdict(s) for s in sessions]}, indent=1) + "\n")
        storage.put(f"{_folder_of(job, task_id)}/{_INDEX}", index)
