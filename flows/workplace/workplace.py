"""The directory of a run, held as long as it works there; what its tasks change is committed, or set aside."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import Self

from ccs.flows.git import journal
from ccs.flows.git.command import GitError
from ccs.flows.git.repository import Repository
from ccs.flows.git.snapshot import Snapshot
from ccs.flows.log import Log
from ccs.flows.node.identity import node_name
from ccs.flows.record.outcome import Outcome
from ccs.flows.record.row import TaskRow
from ccs.flows.spec.job import Job
from ccs.flows.spec.task import Task
from ccs.flows.workplace.directory import WorkplaceError
from ccs.flows.workplace.group import Group
from ccs.flows.workplace.journals import journal_file, recover
from ccs.flows.workplace.opening import Opening, open_directory


class Workplace:
    """Where the tasks of a run work. To be used as a context manager: it holds the directory meanwhile.

    Its methods may be called from the threads of the tasks.
    """

    def __init__(
        self, job: Job, run_id: str, opening: Opening, earlier: Mapping[str, TaskRow], held: ExitStack, log: Log
    ) -> None:
        self.job, self.run_id, self.log = job, run_id, log
        self.node = node_name()
        self.directory = opening.directory
        self.is_anew = opening.is_anew
        """Whether what the run had changed before it waited for a usage limit is gone."""
        self._commits_to, self._hold = opening.commits_to, opening.hold
        self._earlier = earlier
        self._held = held
        self._held.callback(self._clean_up)
        self._lock = threading.Lock()
        self._group: Group | None = None
        self._is_left = False  # what the tasks before changed could be neither committed nor set aside

    @classmethod
    def open(cls, job: Job, due: Sequence[Task], run_id: str, earlier: Mapping[str, TaskRow], log: Log) -> Self:
        """The workplace for a run of the tasks `due`; waits for its turn where another run works and commits.

        `earlier` has by task id what the run did before a usage limit interrupted it. Raises WorkplaceError when the
        directory cannot be used as the job wants it.
        """
        try:
            with ExitStack() as held:
                opening = open_directory(job, due, run_id, earlier, held, log)
                return cls(job, run_id, opening, earlier, held.pop_all(), log)
        except GitError as error:
            raise WorkplaceError(str(error)) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._held.close()

    def _clean_up(self) -> None:
        """Set aside what a task left before a usage limit after which it could not go on."""
        is_over = self._group is None and journal_file(self.run_id).exists()
        if is_over and (sentence := recover(self.run_id, self._hold, is_own=True)):
            self.log.warning("%s", sentence)

    def enter(self, task: Task) -> None:
        """A task begins to work. Raises WorkplaceError when the state of the directory cannot be read."""
        with self._lock:
            if self._group is None:
                try:
                    self._group = self._begun(task)
                except GitError as error:
                    raise WorkplaceError(str(error)) from None
            if self._group:
                self._group.enter(task)

    def _begun(self, task: Task) -> Group | None:
        """The group that begins with a task; the interrupted one, if there is one. None outside of git."""
        found = Repository.find(self.directory)
        own = self._commits_to
        if own and (found is None or (found.git_dir, found.top) != (own.git_dir, own.top)):
            raise WorkplaceError(
                f"{self.directory} is not the working tree any more that the run began in: a task removed "
                "or replaced its .git, or set core.worktree. Put it back, or move the files away"
            )
        if found is None:
            return None
        if self._is_left:
            if done := journal.recover(journal_file(self.run_id), self._hold):
                if done.is_busy:  # this task would be committed with what the last one left
                    raise WorkplaceError(f"{done.sentence}. Run the task again when that one has ended")
                self.log.warning("%s", done.sentence)
            self._is_left = False
        if not own:
            return Group(self.job, self.run_id, self._snapshot(), None, (), self.log)
        file = journal_file(self.run_id)
        kept = journal.resume(file) or journal.begin(file, self._snapshot(), self.run_id, task.name)
        return Group(self.job, self.run_id, kept.snapshot, kept, self._ended(kept.ended), self.log)

    def _snapshot(self) -> Snapshot:
        return Snapshot.take(self.directory, watched=not self.job.working_directory.run_changed_hooks)

    def _ended(self, ids: Sequence[str]) -> list[Outcome]:
        """The tasks of an interrupted group that have ended: what becomes of their changes is yet to be decided."""
        tasks = {task.id: task for task in self.job.tasks}
        return [Outcome.read(tasks[id_], self._earlier[id_]) for id_ in ids if id_ in tasks and id_ in self._earlier]

    def changed(self) -> list[str]:
        """The files that were changed since the task, or one beside it, began; GitError."""
        group = self._group
        return group.changed() if group else []

    def leave(self, outcome: Outcome) -> list[Outcome]:
        """A task has ended: the outcomes with what became of the changes, of all tasks that it decides about.

        Its own is the last of them.
        """
        with self._lock:
            if self._group is None:
                return [outcome]
            group = self._group
            try:
                return group.leave(outcome)
            finally:
                if group.is_settled:
                    self._group, self._is_left = None, group.is_left

    @contextmanager
    def leaving(self, task: Task) -> Iterator[None]:
        """After the block the task does not count as working here any more, also when the block did not `leave`."""
        try:
            yield
        finally:
            with self._lock:
                if self._group:
                    self._group.abandon(task)
