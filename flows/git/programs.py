"""The programs that git runs for a commit of ours: hooks, filters, and what signs; and which of them a task changed.

A task that may only edit files would otherwise have us run what it wrote.
"""

import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from ccs.flows.git.command import naming
from ccs.flows.git.repository import Repository

_DATA = re.compile(r"branch\..*|submodule\..*|lfs\.repositoryformatversion|lfs\..*\.access")
"""Settings that git and git-lfs write by themselves, or another run of ours: no program of a commit goes by them."""
_FILTER = re.compile(r"filter\.(.*)\.(?:clean|smudge|process)", re.DOTALL)
_MERGE = re.compile(r"merge\.(.*)\.driver", re.DOTALL)
_SIGNING = re.compile(r"gpg\..*|commit\.gpgsign|user\.signingkey", re.DOTALL)

Setting = tuple[str, str]
"""A key of git's configuration, and its value."""


def hooks_of(repository: Repository) -> tuple[str, ...]:
    """The folder of the hooks, and the digest and the path of each file in it."""
    place = repository.place / repository.ask("rev-parse", "--git-path", "hooks", hooks=True).line
    if place.name == "_":  # husky keeps there what git calls, and beside it what that calls
        place = place.parent
    files = ((os.path.relpath(file, repository.place), _digest(file)) for file in _files(place))
    return (str(place), *sorted(f"{digest} {path}" for path, digest in files))


def settings_of(repository: Repository) -> tuple[str, ...]:
    """The digests of the settings of git there; they may hold secrets."""
    return tuple(sorted({_digest_of(setting) for setting in _settings(repository)}))


def distrusted(repository: Repository, hooks: Sequence[str], settings: Sequence[str]) -> str:
    """What has changed since there were these hooks and settings, so that hooks are not to run; empty for nothing.

    Empty also where there is no hook, then as now.
    """
    now = hooks_of(repository)
    if len(now) == len(hooks) == 1:
        return ""
    if changed := sorted({line.partition(" ")[2] for line in {*now[1:]} ^ {*hooks[1:]}}):
        return naming(changed)
    return "git's configuration" if now[0] != hooks[0] or {*settings_of(repository)} ^ {*settings} else ""


def withheld(repository: Repository, settings: Sequence[str]) -> tuple[Setting, ...]:
    """What keeps git from running programs that were set up since there were these settings."""
    found: dict[str, str] = {}
    for key, value in _settings(repository):
        if _digest_of((key, value)) in settings:
            continue
        if its := _FILTER.fullmatch(key):
            found |= {f"filter.{its[1]}.{part}": "" for part in ("clean", "smudge", "process")}
            found[f"filter.{its[1]}.required"] = "false"
        elif _MERGE.fullmatch(key):
            found[key] = "false"
        elif _SIGNING.fullmatch(key):
            found["commit.gpgSign"] = "false"
    return tuple(found.items())


def _settings(repository: Repository) -> Iterator[Setting]:
    fields = repository.git("config", "--list", "-z", "--show-scope").fields
    for scope, record in zip(fields[::2], fields[1::2], strict=True):
        key, _, value = record.partition("\n")
        if scope != "command" and not _DATA.fullmatch(key):
            yield key, value


def _digest_of(setting: Setting) -> str:
    return hashlib.sha256("\n".join(setting).encode("utf-8", "surrogateescape")).hexdigest()[:32]


def _files(folder: Path) -> Iterator[Path]:
    """The files below a folder, also those that links lead to; not the samples of git."""
    seen: set[str] = set()
    for place, folders, names in os.walk(folder, followlinks=True):
        known = os.path.realpath(place)
        folders[:] = [name for name in folders if name != ".git" and known not in seen]
        seen.add(known)
        yield from (Path(place, name) for name in names if not name.endswith(".sample"))


def _digest(file: Path) -> str:
    """Of what a file holds and whether it may be run; of nothing when it cannot be read."""
    try:
        if not file.is_file():  # a pipe would be waited for
            return "-"
        with file.open("rb") as content:
            read = hashlib.file_digest(content, "sha256").hexdigest()[:32]
        return f"{read}{'+x' if os.access(file, os.X_OK) else ''}"
    except OSError:
        return "-"
