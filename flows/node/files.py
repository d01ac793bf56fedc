"""Writing a file whole or not at all, in the place of the one that was there."""

import os
from pathlib import Path
from shutil import copymode


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
