"""Tasks that work in one directory at the same time, which git cannot tell apart, and the end of their changes."""

from collections.abc import Sequence
from dataclasses import replace

from ccs.flows.git.aside import SavedError
from ccs.flows.git.command import GitError
from ccs.flows.git.commit import commit
from ccs.flows.git.journal import Journal
from ccs.flows.git.losses import losses
from ccs.flows.git.message import Origin
from ccs.flows.git.snapshot import Snapshot, changes
from ccs.flows.log import Log
from ccs.flows.record.outcome import Outcome
from ccs.flows.spec.job import Job
from ccs.flows.spec.task import Task
from ccs.flows.workplace.settlement import (
    Commit,
    Effect,
    Interrupt,
    Leave,
    Postpone,
    SetAside,
    decide,
    settled,
    undecided,
)

_UNKNOWN = ("unknown files",)


class Group:
    """Tasks that work at the same time, or one after another without a pause in between.

    Their changes are committed together when the last of them has ended, and only if all of them have succeeded.
    """

    def __init__(
        self, job: Job, run_id: str, snapshot: Snapshot, journal: Journal | None, ended: Sequence[Outcome], log: Log
    ) -> None:
        """`ended` are the tasks of an interrupted group that ended before; without a journal nothing is committed."""
        self.is_settled = False
        """Whether it was decided what becomes of the changes: the next task begins a group of its own."""
        self.is_left = False
        """Whether what the tasks changed could be neither committed nor set aside, and its journal stays."""
        self._job, self._run_id, self._log = job, run_id, log
        self._at_work: set[str] = set()  # ids of tasks
        self._snapshot, self._journal = snapshot, journal
        self._ended = list(ended)
        self._problems: list[str] = []  # what git said, each to be told once

    def changed(self) -> list[str]:
        """The files that were changed since the first task began; GitError."""
        return changes(self._snapshot)

    def enter(self, task: Task) -> None:
        """The task begins to work."""
        self._at_work.add(task.id)

    def abandon(self, task: Task) -> None:
        """The task does not count as working any more, however it ended."""
        self._at_work.discard(task.id)

    def leave(self, outcome: Outcome) -> list[Outcome]:
        """A task has ended: the outcomes with what became of the changes, of all tasks that it decides about."""
        self.abandon(outcome.task)
        try:
            outcome = replace(outcome, changed=tuple(self.changed()))
        except GitError as error:
            self._problems.append(str(error))
            outcome = replace(outcome, changed=_UNKNOWN).noted(str(error))
        self._ended.append(outcome)
        decision = decide(self._ended, others_work=bool(self._at_work), is_journaled=self._journal is not None)
        if isinstance(decision, Postpone):
            return [undecided(outcome, decision)]
        if isinstance(decision, Interrupt):
            return [self._interrupted(outcome, decision)]
        self.is_settled = True
        effect = self._carry_out(decision)
        self._problems += [text for text in (effect.refused, effect.stuck) if text]
        lost = self._losses()
        if self._journal and effect.is_left:
            self._journal.leave()
        elif self._journal:
            self._journal.end()
        self.is_left = effect.is_left
        return [o.remarked(*lost) for o in settled(self._ended, decision, effect)]

    def _interrupted(self, last: Outcome, decision: Interrupt) -> Outcome:
        if self._journal:
            try:
                self._journal.interrupt(decision.ended)
            except GitError as error:
                return last.noted(str(error))
        return undecided(last, decision)

    def _carry_out(self, decision: Leave | Commit | SetAside) -> Effect:
        if not self._journal or isinstance(decision, Leave):
            return Effect()
        if isinstance(decision, SetAside):
            return self._set_aside(self._journal, Effect())
        try:
            done = commit(self._snapshot, self._origin(decision.whose), self._job.commit_author)
        except GitError as error:
            self._log.error("%s", error)
            return self._set_aside(self._journal, Effect(refused=str(error)))
        if done.sentence:
            self._log.info("%s", done.sentence)
        effect = Effect(committed=done)
        return self._set_aside(self._journal, effect) if done.rest else effect

    def _set_aside(self, journal: Journal, effect: Effect) -> Effect:
        """The effect with what else came of it: what is not committed is set aside."""
        try:
            found = journal.aside()
        except GitError as error:
            self._log.error("%s", error)
            return replace(effect, stuck=str(error), is_saved=isinstance(error, SavedError))
        if not found:
            return effect
        self._log.warning("%s", found.sentence)
        return replace(effect, aside=found.sentence)

    def _losses(self) -> tuple[str, ...]:
        """What the tasks took from others without being asked to, in sentences."""
        try:
            said = losses(self._snapshot, self._run_id, ", ".join(o.task.name for o in self._ended))
        except GitError as error:
            said = () if str(error) in self._problems else (str(error),)
        for sentence in said:
            self._log.warning("%s", sentence)
        return said

    def _origin(self, whose: Sequence[Outcome]) -> Origin:
        report = whose[0].report if len(whose) == 1 else None
        return Origin(
            job=self._job.name,
            task=", ".join(o.task.name for o in whose),
            run=self._run_id,
            session=", ".join(o.session_id for o in whose if o.session_id),
            result=report.text if report else "",
        )
