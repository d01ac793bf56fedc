"""Who works in a repository: locks by which runs stay out of each other's way, gone when their process is."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Literal

from ccs.flows.git.command import GitError, shown
from ccs.flows.git.folder import entered, opened
from ccs.flows.git.repository import Repository
from ccs.flows.node.locks import FileLock

_CHANGING = 1800.0
"""Seconds to wait for another task that changes the repository; its hooks may be slow."""

_CLEANING = 120.0
"""Seconds to wait while what a dead run left is set aside, or the worktree is looked at to be removed."""

Kind = Literal["run", "task"]


class RepositoryLock(FileLock):
    """A lock in the folder of ccs in a git directory; whatever is in its way is a GitError."""

    def __init__(self, git_dir: Path, name: str) -> None:
        super().__init__(git_dir / "ccs" / name)

    def take(self, *, shared: bool = False, patience: float = 0.0) -> bool:
        """Whether the lock was to be had within so many seconds; GitError when it cannot be made or locked."""
        try:
            return super().take(shared=shared, patience=patience)
        except OSError as error:
            raise GitError(
                f"{shown(self.path)} cannot be locked, which keeps runs out of each other's way: "
                f"{error.strerror or error}. Let the node's user write to the repository"
            ) from None

    def _opened(self) -> int:
        folder = self.path.parent
        with entered(folder.parent, folder.name) as inside:
            return opened(self.path, inside, os.O_RDWR | os.O_CREAT)


@contextmanager
def changing(common_dir: Path) -> Iterator[None]:
    """Hold the repository's lock while its metadata is changed: one task of this machine at a time."""
    lock = RepositoryLock(common_dir, "lock")
    if not lock.take(patience=_CHANGING):
        raise GitError(
            f"another task has been changing {shown(common_dir)} for {_CHANGING / 60:.0f} minutes: "
            "look there for a git command or a hook that hangs"
        )
    try:
        yield
    finally:
        lock.release()


class Hold:
    """A share in a working tree: while anybody has one, nobody removes the tree or restores its files."""

    def __init__(self, lock: FileLock) -> None:
        self._lock = lock

    @classmethod
    def take(cls, directory: Path, kind: Kind = "run", patience: float = _CLEANING) -> "Hold":
        """A share of a run, or of a task with `kind`, beside those that others have.

        Raises GitError when the tree is being cleaned up for longer than `patience` seconds.
        """
        lock = RepositoryLock(Repository.at(directory).git_dir, kind)
        if not lock.take(shared=True, patience=patience):
            raise GitError(
                f"{shown(directory)} is being cleaned up by another ccs process for {patience:.0f} s: try again later"
            )
        if not lock.path.exists():  # removed while this waited
            lock.release()
            raise GitError(f"{shown(directory)} was removed just now by `ccs worktrees prune`: run the job again")
        return cls(lock)

    def upgrade(self) -> bool:
        """Whether nobody else has a share of this kind; nobody gets one then, until `downgrade` or `release`."""
        return self._lock.upgrade()

    def downgrade(self) -> None:
        """Let others have shares again."""
        self._lock.downgrade()

    def release(self) -> None:
        """End it; a second time does nothing."""
        self._lock.release()

    def __enter__(self) -> "Hold":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


@contextmanager
def alone(repository: Repository, own: Hold | None = None) -> Iterator[bool]:
    """Whether no run and no task has a share in the working tree; nobody gets one then, until the end of the block.

    The caller's `own` share does not count.
    """
    kinds: tuple[Kind, ...] = ("task",) if own else ("run", "task")
    locks = [RepositoryLock(repository.git_dir, kind) for kind in kinds]
    try:
        yield (own is None or own.upgrade()) and all(lock.take() for lock in locks)
    finally:
        for lock in locks:
            lock.release()
        if own:
            own.downgrade()
