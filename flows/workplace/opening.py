"""How a run comes into its directory: by a worktree, in its turn, and to a clean start."""

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from ccs.flows.git.busy import Hold, RepositoryLock
from ccs.flows.git.repository import Repository
from ccs.flows.git.status import refusal
from ccs.flows.git.worktree import prepare
from ccs.flows.log import Log
from ccs.flows.record.row import TaskRow
from ccs.flows.record.table import is_over
from ccs.flows.spec.job import Job
from ccs.flows.spec.names import slug
from ccs.flows.spec.task import Task
from ccs.flows.spec.verdict import TaskState
from ccs.flows.workplace.directory import WorkplaceError, checked_directory
from ccs.flows.workplace.journals import forget, journal_file, recover, runs_in

_TURN_POLL = 1.0


@dataclass(frozen=True)
class Opening:
    """A directory that a run may work in, and what it holds of it meanwhile."""

    directory: Path
    commits_to: Repository | None
    """None when nothing is to be committed."""
    hold: Hold | None
    """The run's share in the working tree; None outside of git."""
    is_anew: bool
    """Whether what the run had changed before it waited for a usage limit is gone."""


def open_directory(
    job: Job, due: Sequence[Task], run_id: str, earlier: Mapping[str, TaskRow], held: ExitStack, log: Log
) -> Opening:
    """The directory for a run of the tasks `due`; waits for its turn where another run works and commits.

    `earlier` has by task id what the run did before a usage limit interrupted it. What is taken is given back when
    `held` ends. Raises WorkplaceError or GitError when the directory cannot be used as the job wants it.
    """
    spec = job.working_directory
    path = checked_directory(spec)
    hold: Hold | None = None
    is_anew = False
    if spec.worktree.enabled:
        made, hold = prepare(path, spec.worktree.name or slug(job.name), spec.worktree.base_branch)
        held.callback(hold.release)
        for remark in made.remarks:
            log.warning("%s", remark)
        word = "new" if made.created else "existing"
        log.info("%s worktree %s on branch %s", word, made.top, made.branch or "none: detached HEAD")
        path = made.path
        is_anew = made.created and any(
            row["verdict"] == TaskState.WAITING and row["changed"] for row in earlier.values()
        )
        if is_anew:
            log.warning("the worktree was removed while the run waited, with what its tasks had changed")
            forget(run_id)
    repository = Repository.at(path) if spec.require_git else Repository.find(path)
    commits_to = repository if any(task.commit_on_success for task in due) else None
    if commits_to:
        _take_turn(commits_to, path, held, log)
    if repository is not None and hold is None:  # after its turn, or it kept others from cleaning up
        hold = Hold.take(path)
        held.callback(hold.release)
    if commits_to and not journal_file(run_id).exists():  # else its own tasks left it so, to go on
        _check_clean(commits_to, hold, spec.allow_dirty or spec.worktree.enabled, log)
    return Opening(path, commits_to, hold, is_anew)


def _take_turn(repository: Repository, path: Path, held: ExitStack, log: Log) -> None:
    """Have the working tree for this run's commits alone: what two runs change at once cannot be told apart."""
    lock = RepositoryLock(repository.git_dir, "commits")
    if not lock.take():
        log.warning("another run works and commits in %s: this one waits for it to end", path)
        while not lock.take():
            time.sleep(_TURN_POLL)
    held.callback(lock.release)


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
