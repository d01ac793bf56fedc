"""Locks on files of this machine, by which processes of ccs stay out of each other's way."""

import errno
import fcntl
import os
import time
from pathlib import Path

_POLL = 0.02
_TAKEN = (errno.EAGAIN, errno.EACCES, errno.EINTR)


class FileLock:
    """An flock on a file, gone with this object's release or with the process, however it ends.

    With `is_passing` the file goes with its holder, too.
    """

    def __init__(self, path: Path, *, is_passing: bool = False) -> None:
        self.path = path
        self._is_passing = is_passing
        self._descriptor: int | None = None

    def take(self, *, shared: bool = False, patience: float = 0.0) -> bool:
        """Whether the lock was to be had within so many seconds; OSError when the file cannot be made or locked."""
        deadline = time.monotonic() + patience
        descriptor = self._opened()
        try:
            while not _is_locked(descriptor, shared):
                if time.monotonic() >= deadline:
                    os.close(descriptor)
                    return False
                time.sleep(_POLL)
        except BaseException:
            os.close(descriptor)
            raise
        if self._is_passing and not os.fstat(descriptor).st_nlink:  # its last holder has removed it meanwhile
            os.close(descriptor)
            return self.take(shared=shared, patience=deadline - time.monotonic())
        self._descriptor = descriptor
        return True

    def _opened(self) -> int:
        return os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)

    def upgrade(self) -> bool:
        """Whether the lock, held and shared, was to be had alone at once; it stays shared otherwise."""
        if self._descriptor is None:
            return False
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            fcntl.flock(self._descriptor, fcntl.LOCK_SH)  # a conversion that fails has let go of the old lock
            return False
        return True

    def downgrade(self) -> None:
        """Share the lock again."""
        if self._descriptor is not None:
            fcntl.flock(self._descriptor, fcntl.LOCK_SH)

    def release(self) -> None:
        """Let go; a second time does nothing."""
        if self._descriptor is None:
            return
        if self._is_passing:
            self.path.unlink(missing_ok=True)
        os.close(self._descriptor)
        self._descriptor = None


def _is_locked(descriptor: int, shared: bool) -> bool:
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in _TAKEN:
            raise
        return False
    return True
