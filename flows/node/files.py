"""Files of this machine: paths as users write them, files written whole or not at all, folders for their owner."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import copymode
from typing import IO

PRIVATE = 0o600
"""The mode of a file that its owner alone can read."""


class UnknownUserError(Exception):
    """A path is in the home of a user that this machine does not have; the message is one sentence."""


def expanded(path: str) -> Path:
    """The path with the home of a user in place of ~ or ~name; UnknownUserError when there is no such user here."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise UnknownUserError(
            f"{path!r} begins with the name of a user that is not on this machine: write it out"
        ) from None


@contextmanager
def whole(file: Path, mode: int = PRIVATE) -> Iterator[IO[bytes]]:
    """Writes a file that appears, durable, when it is complete, in the place of the one that was there. OSError.

    The old file's mode, and a link to it, stay; a new one gets `mode`, less the umask. Missing folders are made, for
    their owner alone.
    """
    place = file.resolve()
    private_folder(place.parent)
    partial = place.with_name(f".{os.urandom(8).hex()}.part")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(descriptor, "wb") as target:
            yield target
            target.flush()
            make_durable(descriptor)
        if place.exists():
            copymode(place, partial)
        partial.replace(place)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def write_whole(file: Path, text: str, mode: int = PRIVATE) -> None:
    """Have the file hold the text, as `whole` does. OSError."""
    with whole(file, mode) as target:
        target.write(text.encode())


def make_durable(descriptor: int) -> None:
    """Have the disk hold what was written. OSError, but not where a device has no such thing."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP):
            raise


def private_folder(path: Path) -> None:
    """Make a folder and those above it, where they are missing, for their owner alone. OSError."""
    for folder in (*reversed(path.parents), path):
        if not folder.exists():  # mkdir(parents=True) would make them readable by all
            folder.mkdir(mode=0o700, exist_ok=True)
