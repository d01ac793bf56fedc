"""The directory of a run: checked before anything starts; what tasks change in it is committed, or set aside.

Tasks that run in one directory at the same time cannot be told apart by git. They form a group, whose changes are
committed together when the last of them has ended, and only if all of them have succeeded.
"""

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from logging import Logger, LoggerAdapter
from pathlib import Path
from types import TracebackType
from typing import Self

from ccs.flows.git import journal
from ccs.flows.git.aside import SavedError
from ccs.flows.git.busy import Hold
from ccs.flows.git.command import GitError, naming
from ccs.flows.git.commit import Committed, commit
from ccs.flows.git.locks import FileLock
from ccs.flows.git.losses import losses
from ccs.flows.git.message import Origin
from ccs.flows.git.repository import Repository
from ccs.flows.git.snapshot import Snapshot, changes, refusal
from ccs.flows.git.worktree import prepare_held
from ccs.flows.node.identity import node_name
from ccs.flows.record.outcome import WAITING, Outcome, Row
from ccs.flows.record.table import is_over
from ccs.flows.spec.job import Job
from ccs.flows.spec.names import slug
from ccs.flows.spec.task import Task
from ccs.flows.spec.verdict import Reason
from ccs.flows.workplace.directory import WorkplaceError, checked_directory
from ccs.flows.workplace.journals import journal_file, recover, runs_in

Log = Logger | LoggerAdapter[Logger]

_TURN_POLL = 1.0
_UNKNOWN = ("unknown files",)


@dataclass
class _Group:
    """Tasks that work at the same time, or one after another without a pause in between."""

    snapshot: Snapshot
    entry: journal.Journal | None
    running: set[str]
    ended: list[Outcome]


class Workplace:
    """Where the tasks of a run work. To be used as a context manager: it holds the directory meanwhile."""

    def __init__(
        self,
        job: Job,
        run_id: str,
        directory: Path,
        commits_to: Repository | None,
        earlier: Mapping[str, Row],
        held: ExitStack,
        log: Log,
    ) -> None:
        self.job, self.run_id, self.directory, self.log = job, run_id, directory, log
        self.node = node_name()
        self._commits_to, self._earlier = commits_to, earlier
        self.is_anew = False
        """Whether what the run had changed before it waited for a usage limit is gone."""
        self._held = held
        self._lock = threading.Lock()
        self._group: _Group | None = None
        self._hold: Hold | None = None
        self._is_left = False  # what the tasks before changed could be neither committed nor set aside

    @classmethod
    def open(cls, job: Job, due: Sequence[Task], run_id: str, earlier: Mapping[str, Row], log: Log) -> Self:
        """The workplace for a run of the tasks `due`; waits for its turn where another run works and commits.

        `earlier` has by task id what the run did before a usage limit interrupted it. Raises WorkplaceError when the
        directory cannot be used as the job wants it.
        """
        spec = job.working_directory
        path = checked_directory(spec)
        hold: Hold | None = None
        is_anew = False
        try:
            with ExitStack() as stack:
                if spec.worktree.enabled:
                    made, hold = prepare_held(path, spec.worktree.name or slug(job.name), spec.worktree.base_branch)
                    stack.callback(hold.release)
                    for remark in made.remarks:
                        log.warning("%s", remark)
                    word = "new" if made.created else "existing"
                    log.info("%s worktree %s on branch %s", word, made.top, made.branch or "none: detached HEAD")
                    path = made.path
                    is_anew = made.created and any(
                        row["verdict"] == WAITING and row["changed"] for row in earlier.values()
                    )
                    if is_anew:
                        log.warning("the worktree was removed while the run waited, with what its tasks had changed")
                        if entry := journal.resume(journal_file(run_id)):
                            entry.end()
                repository = Repository.at(path) if spec.require_git else Repository.find(path)
                commits_to = repository if any(task.commit_on_success for task in due) else None
                if commits_to:
                    _take_turn(commits_to, path, stack, log)
                if repository is not None and hold is None:  # after its turn, or it kept others from cleaning up
                    hold = Hold.take(path)
                    stack.callback(hold.release)
                if commits_to and not journal_file(run_id).exists():  # else its own tasks left it so, to go on
                    _check_clean(commits_to, hold, spec.allow_dirty or spec.worktree.enabled, log)
                workplace = cls(job, run_id, path, commits_to, earlier, stack.pop_all(), log)
                workplace._hold = hold
                workplace._held.callback(workplace._clean_up)
                workplace.is_anew = is_anew
                return workplace
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
        if is_over and (sentence := recover(self.run_id, self._hold)):
            self.log.warning("%s", sentence)

    def enter(self, task: Task) -> None:
        """A task begins to work. Raises WorkplaceError when the state of the directory cannot be read."""
        with self._lock:
            if self._group is None:
                try:
                    found = Repository.find(self.directory)
                    own = self._commits_to
                    if own and (found is None or (found.git_dir, found.top) != (own.git_dir, own.top)):
                        raise WorkplaceError(
                            f"{self.directory} is not the working tree any more that the run began in: a task removed "
                            "or replaced its .git, or set core.worktree. Put it back, or move the files away"
                        )
                    if found is None:
                        return
                    if self._is_left:
                        done = journal.recover(journal_file(self.run_id), self._hold)
                        self.log.warning("%s", done.sentence if done else "")
                        self._is_left = False
                    entry = self._entry(task) if self._commits_to else None
                    snapshot = entry.snapshot if entry else Snapshot.take(self.directory)
                    self._group = _Group(snapshot, entry, set(), self._ended(entry))
                except GitError as error:
                    raise WorkplaceError(str(error)) from None
            self._group.running.add(task.id)

    def _entry(self, task: Task) -> journal.Journal:
        """The journal of the group that begins; of the one that a usage limit interrupted, if there is one."""
        file = journal_file(self.run_id)
        found = journal.resume(file)
        return found or journal.begin(file, Snapshot.take(self.directory), self.run_id, task.name)

    def _ended(self, entry: journal.Journal | None) -> list[Outcome]:
        """The tasks of an interrupted group that have ended: what becomes of their changes is yet to be decided."""
        tasks = {task.id: task for task in self.job.tasks}
        ids = entry.ended if entry else ()
        return [Outcome.read(tasks[id_], self._earlier[id_]) for id_ in ids if id_ in tasks and id_ in self._earlier]

    def changed(self) -> list[str]:
        """The files that were changed since the task, or one beside it, began; GitError."""
        group = self._group
        return changes(group.snapshot) if group else []

    def leave(self, outcome: Outcome) -> list[Outcome]:
        """A task has ended: the outcomes with what became of the changes, of all tasks that it decides about."""
        with self._lock:
            group = self._group
            if group is None:
                return [outcome]
            group.running.discard(outcome.task.id)
            try:
                outcome = replace(outcome, changed=tuple(changes(group.snapshot)))
            except GitError as error:
                outcome = replace(outcome, changed=_UNKNOWN).noted(str(error))
            group.ended.append(outcome)
            if group.running:
                return [replace(outcome, undecided=outcome.has_changed)]
            if any(o.waits_until for o in group.ended):
                return [self._interrupted(group, outcome)]
            self._group = None
            return self._settled(group)

    def _interrupted(self, group: _Group, last: Outcome) -> Outcome:
        """The run goes on in these files later, with those of the group that have no end yet."""
        if group.entry:
            try:
                group.entry.interrupt(tuple(o.task.id for o in group.ended if not o.waits_until))
            except GitError as error:
                return last.noted(str(error))
        return last if last.waits_until else replace(last, undecided=last.has_changed)

    def _settled(self, group: _Group) -> list[Outcome]:
        settled = group.ended
        if group.entry and any(o.task.commit_on_success for o in group.ended):
            settled = self._decided(group, group.entry)
        try:
            said = losses(group.snapshot, self.run_id, ", ".join(o.task.name for o in group.ended))
        except GitError as error:
            known = any(str(error) in words for o in settled for words in (o.verdict.detail, *o.notes))
            said = () if known else (str(error),)
        for sentence in said:
            self.log.warning("%s", sentence)
        if group.entry and not self._is_left:
            group.entry.end()
        return [o.remarked(*said) for o in settled]

    def _decided(self, group: _Group, entry: journal.Journal) -> list[Outcome]:
        """What is committed, and what is set aside."""
        good = [o for o in group.ended if o.ok]
        failed = [o for o in group.ended if not o.ok and (o.has_changed or not good)]
        try:
            return self._set_aside(group, entry, failed) if failed else self._committed(group, entry)
        except GitError as error:
            self.log.error("%s", error)
            if not isinstance(error, SavedError):
                entry.leave()  # whoever works here next tries again, when the disk may have room
                self._is_left = True
            return [o.failed(Reason.COMMIT, str(error)) if o.ok else o.noted(str(error)) for o in group.ended]

    def _committed(self, group: _Group, entry: journal.Journal) -> list[Outcome]:
        whose = [o for o in group.ended if o.ok and o.has_changed] or [o for o in group.ended if o.ok]
        report = whose[0].report if len(whose) == 1 else None
        origin = Origin(
            job=self.job.name,
            task=", ".join(o.task.name for o in whose),
            run=self.run_id,
            session=", ".join(o.session_id for o in whose if o.session_id),
            result=report.text if report else "",
        )
        try:
            done: Committed = commit(group.snapshot, origin, self.job.commit_author)
        except GitError as error:
            self.log.error("%s", error)
            try:
                kept = _put_aside(entry)
            except GitError as second:
                raise type(second)("; ".join(dict.fromkeys((str(error), str(second))))) from None
            if kept:
                self.log.warning("%s", kept)
            return [_undone(o, str(error), kept) for o in group.ended]
        if done.sentence:
            self.log.info("%s", done.sentence)
        made = ", ".join([*done.own, *([done.id] if done.id else [])])
        kept = _put_aside(entry) if done.rest else ""
        if kept:
            self.log.warning("%s", kept)
        left = [path for path in done.left if path not in done.rest]
        remarks = [*([f"not committed: {naming(left, 5)}"] if left else []), *([done.problem] if done.problem else [])]
        settled = []
        for outcome in group.ended:
            if outcome.has_changed:
                beside = [o.task.name for o in whose if o is not outcome]
                together = [f"committed together with {', '.join(beside)}"] if made and outcome.ok and beside else []
                outcome = replace(outcome.remarked(*together, *remarks), aside=kept)
            settled.append(replace(outcome, commit=made) if outcome.ok and outcome.has_changed else outcome)
        return settled

    def _set_aside(self, group: _Group, entry: journal.Journal, failed: list[Outcome]) -> list[Outcome]:
        kept = _put_aside(entry)
        if not kept:
            return group.ended
        self.log.warning("%s", kept)
        beside = ", ".join(o.task.name for o in failed)
        lost = f"what it changed cannot be told from what {beside} changed at the same time, which failed"
        return [_undone(o, lost, kept) for o in group.ended]

    @contextmanager
    def leaving(self, task: Task) -> Iterator[None]:
        """After the block the task does not count as working here any more, also when the block did not `leave`."""
        try:
            yield
        finally:
            with self._lock:
                if self._group:
                    self._group.running.discard(task.id)


def _undone(outcome: Outcome, why: str, kept: str) -> Outcome:
    """The outcome of a task whose changes, if there are any, were set aside and not committed."""
    if not outcome.has_changed:
        return outcome
    if outcome.ok and outcome.task.commit_on_success:
        outcome = outcome.failed(Reason.COMMIT, why)
    return replace(outcome, aside=kept)


def _put_aside(entry: journal.Journal) -> str:
    """What was set aside, in a sentence, empty for nothing; GitError when that cannot be done."""
    done = entry.aside()
    return done.sentence if done else ""


def _check_clean(repository: Repository, own: Hold | None, may_be_dirty: bool, log: Log) -> None:
    """Raise WorkplaceError for uncommitted changes; what a run left that is over is set aside first.

    Also where changes are allowed: what a task left that was killed is no state to start from.
    """
    waiting = []
    for run_id in runs_in(repository):
        if not is_over(run_id):
            waiting.append(run_id)
        elif sentence := recover(run_id, own):
            log.warning("%s", sentence)
    if not (problem := refusal(repository.directory)):
        return
    if waiting:
        raise WorkplaceError(
            f"working directory {repository.directory} holds what run {', '.join(waiting)} has changed so far, which "
            "waits and goes on there: run this job after it, end it with `ccs runs stop`, or give the job a worktree "
            "of its own"
        )
    if not may_be_dirty:
        raise WorkplaceError(problem)


def _take_turn(repository: Repository, path: Path, stack: ExitStack, log: Log) -> None:
    """Have the working tree for this run's commits alone: what two runs change at once cannot be told apart."""
    lock = FileLock(repository.git_dir / "ccs" / "commits")
    if not lock.take(shared=False, patience=0):
        log.warning("another run works and commits in %s: this one waits for it to end", path)
        while not lock.take(shared=False, patience=0):
            time.sleep(_TURN_POLL)
    stack.callback(lock.release)
