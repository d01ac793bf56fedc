"""Files of this machine: paths as users write them, and files written whole or not at all."""

import os
from pathlib import Path
from shutil import copymode


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


def write_whole(path: Path, text: str, mode: int = 0o666) -> None:
    """Have the file hold the text: its mode, and a link to it, stay; a new one gets `mode`, less the umask. OSError."""
    place = path.resolve()
    partial = place.with_name(f".{place.name}.{os.getpid()}.part")
    try:
        partial.unlink(missing_ok=True)
        partial.touch(mode)
        partial.write_text(text, encoding="utf-8")
        if place.exists():
            copymode(place, partial)
        partial.replace(place)
    finally:
        partial.unlink(missing_ok=True)
