"""Folders below a repository, written to without following links.

A task can put a link in the place of any of them; what is written or deleted through it is outside of the repository.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ccs.flows.git.command import GitError, shown

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


@contextmanager
def entered(base: Path, *names: str) -> Iterator[int]:
    """A descriptor of a folder below `base`, made when it is missing. Raises GitError for a link, and OSError."""
    place, descriptor = base, os.open(base, _FOLDER)
    try:
        for name in names:
            place /= name
            with suppress(FileExistsError):
                os.mkdir(name, dir_fd=descriptor)
            inner = opened(place, descriptor, _FOLDER)
            os.close(descriptor)
            descriptor = inner
        yield descriptor
    finally:
        os.close(descriptor)


def opened(place: Path, folder: int, flags: int, mode: int = 0o666) -> int:
    """A descriptor of what is at a place, in the folder that is open. Raises GitError for a link, and OSError."""
    try:
        return os.open(place.name, flags | os.O_CLOEXEC | os.O_NOFOLLOW, mode, dir_fd=folder)
    except OSError:
        refuse_link(place)
        raise


def refuse_link(place: Path) -> None:
    """Raise GitError when there is a link at the place."""
    if place.is_symlink():
        raise GitError(
            f"{shown(place)} is a symbolic link, and nothing is written or deleted through one: "
            "look where it leads, and remove it"
        )
