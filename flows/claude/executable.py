"""Finding the `claude` executable on a node."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

INSTALL = "install it with `npm install -g @anthropic-ai/claude-code`, or set CCS_CLAUDE to its path"

_USUAL_PLACES = (
    "~/.local/bin/claude",
    "~/.claude/local/claude",
    "/usr/local/bin/claude",
    "/opt/homebrew/bin/claude",
    "~/.npm-global/bin/claude",
    "~/.bun/bin/claude",
    "~/.volta/bin/claude",
    "/usr/bin/claude",
)


@dataclass(frozen=True)
class Executable:
    """The `claude` that attempts run."""

    path: Path


class ExecutableNotFound(Exception):  # noqa: N818 - the name says what happened
    """No usable `claude`; the message is one sentence that ends with what to do."""


def find_executable(explicit: str | None, environ: Mapping[str, str]) -> Executable:
    """The `claude` to run: the explicit path, else CCS_CLAUDE, else PATH, else the usual places.

    Raises ExecutableNotFound. A path that somebody named is used or refused, never passed over.
    """
    for source, named in (("--claude", explicit), ("CCS_CLAUDE", environ.get("CCS_CLAUDE"))):
        if named:
            return Executable(_checked(source, named, environ))
    home = environ.get("HOME") or str(Path.home())
    found = shutil.which("claude", path=environ.get("PATH", os.defpath))
    if found:
        return Executable(Path(found).absolute())
    for place in _USUAL_PLACES:
        path = Path(place.replace("~", home, 1))
        if _is_executable(path):
            return Executable(path)
    raise ExecutableNotFound(f"claude was not found on PATH nor in the usual places: {INSTALL}")


def _checked(source: str, named: str, environ: Mapping[str, str]) -> Path:
    home = environ.get("HOME") or str(Path.home())
    path = Path(home + named[1:] if named.startswith("~/") else named).absolute()
    if _is_executable(path):
        return path
    if path.is_dir():
        problem = "is a directory"
    elif path.exists():
        problem = "is not executable"
    else:
        problem = "does not exist"
    raise ExecutableNotFound(f"{source} names {named}, which {problem}: correct it, or unset it and {INSTALL}")


def _is_executable(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)
