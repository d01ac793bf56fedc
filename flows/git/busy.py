"""Who works in a directory: shares that runs and tasks have in a working tree, gone when their process is."""

from pathlib import Path
from types import TracebackType

from ccs.flows.git.command import GitError, shown
from ccs.flows.git.locks import RepositoryLock
from ccs.flows.git.repository import Repository

_PATIENCE = 120.0
"""Seconds to wait while what a dead run left is set aside, or the worktree is looked at to be removed."""

_KINDS = ("run", "task")


class Hold:
    """A share in a working tree: while anybody has one, nobody removes the tree or restores its files."""

    def __init__(self, lock: RepositoryLock) -> None:
        self._lock = lock

    @classmethod
    def take(cls, directory: Path, kind: str = "run", patience: float = _PATIENCE) -> "Hold":
        """A share of a run, or of a task with `kind`, beside those that others have.

        Raises GitError when the tree is being cleaned up for longer than `patience` seconds.
        """
        lock = _lock(Repository.at(directory), kind)
        if not lock.take(shared=True, patience=patience):
            raise GitError(
                f"{shown(directory)} is being cleaned up by another ccs process for {patience:.0f} s: try again later"
            )
        if not lock.path.exists():  # removed while this waited
            lock.release()
            raise GitError(f"{shown(directory)} was removed just now by `ccs worktrees prune`: run the job again")
        return cls(lock)

    def is_alone(self) -> bool:
        """Whether nobody else has a share of this kind; none is given then, until `share` or `release`."""
        return self._lock.is_mine_alone()

    def share(self) -> None:
        """Let others have shares again."""
        self._lock.share()

    def release(self) -> None:
        """End it; a second time does nothing."""
        self._lock.release()

    def __enter__(self) -> "Hold":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


class Alone:
    """The whole of a working tree, as long as no run and no task has a share in it."""

    def __init__(self, repository: Repository, own: Hold | None = None) -> None:
        self._own = own
        self._locks = [_lock(repository, kind) for kind in (_KINDS[1:] if own else _KINDS)]

    def __enter__(self) -> bool:
        """Whether it is to be had; shares are not given any more then. The caller's `own` share does not count."""
        if (self._own is None or self._own.is_alone()) and all(k.take() for k in self._locks):
            return True
        self._release()
        return False

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._release()

    def _release(self) -> None:
        for lock in self._locks:
            lock.release()
        if self._own:
            self._own.share()


def _lock(repository: Repository, kind: str) -> RepositoryLock:
    return RepositoryLock(repository.git_dir, kind)
