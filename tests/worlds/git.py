"""Real git repositories for tests."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from ccs.flows.git.repository import Repository
from ccs.flows.git.status import uncommitted
from ccs.flows.git.worktree import PreparedWorktree, prepare


def git(place: Path, *arguments: str, ok: bool = True, **env: str) -> str:
    """Run git as a user would; what it says on stdout."""
    done = subprocess.run(
        ["git", "-C", str(place), *arguments], capture_output=True, text=True, check=False, env={**os.environ, **env}
    )
    assert not ok or done.returncode == 0, (arguments, done.stdout, done.stderr)
    return done.stdout.strip("\n")


def a_repository(place: Path, **files: str) -> Path:
    """A repository with a first commit on main."""
    return _copied(_first_commit, place, files or {"a.txt": "one\n"})


def _first_commit(place: Path, files: dict[str, str]) -> None:
    git(place, "init", "-q", "-b", "main")
    commit_by_hand(place, "first", **files)


_originals = TemporaryDirectory(prefix="ccs-repositories-")
_original: dict[str, Path] = {}


def _copied(make: Callable[[Path, dict[str, str]], None], place: Path, files: dict[str, str]) -> Path:
    """A copy of the repository with these files that was made first: that is one git command instead of six."""
    key = f"{make.__name__} {files}"
    if key not in _original:
        _original[key] = Path(_originals.name) / str(len(_original))
        _original[key].mkdir()
        make(_original[key], files)
    shutil.copytree(_original[key], place, symlinks=True, dirs_exist_ok=True)
    git(place, "update-index", "-q", "--refresh")
    return place


def furnished(place: Path) -> Path:
    """A repository with a file of each kind: texts, a program, a link, one in a folder, and a rule what to ignore."""
    return _copied(_furnish, place, {"a.txt": "one\n", "b.txt": "b\n", "dir/c.txt": "c\n", ".gitignore": "*.log\n"})


def _furnish(place: Path, files: dict[str, str]) -> None:
    _first_commit(place, files)
    (place / "tool.sh").write_text("#!/bin/sh\n")
    (place / "link").symlink_to("a.txt")
    commit_by_hand(place, "second")


def prepared(directory: Path, name: str, base_branch: str) -> PreparedWorktree:
    """The worktree of a job in which nobody works."""
    worktree, hold = prepare(directory, name, base_branch)
    hold.release()
    return worktree


def dirty(place: Path) -> list[str]:
    """The paths with uncommitted changes, as the product sees them."""
    return uncommitted(Repository.at(place))


def write(place: Path, **files: str) -> None:
    """Write files; names as they are."""
    for name, text in files.items():
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def commit_by_hand(place: Path, message: str = "more", **files: str) -> str:
    """Write files and commit everything; the commit."""
    write(place, **files)
    git(place, "add", "-A")
    git(place, "commit", "-q", "-m", message)
    return git(place, "rev-parse", "HEAD")


def status(place: Path) -> str:
    """The short status; empty when clean."""
    return git(place, "status", "--porcelain", "--untracked-files=all")


def hook(place: Path, name: str, script: str) -> None:
    """A hook of the repository."""
    path = Path(git(place, "rev-parse", "--path-format=absolute", "--git-path", "hooks")) / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("#!/bin/sh\n" + script)
    path.chmod(0o755)


def content(place: Path) -> dict[str, str]:
    """Everything in the directory and what it is, also what git ignores."""
    found = {}
    for folder, folders, files in os.walk(place):
        folders[:] = [name for name in folders if name != ".git"]
        for name in [*files, *folders]:
            path = Path(folder) / name
            if path.is_symlink():
                found[str(path.relative_to(place))] = f"-> {path.readlink()}"
            elif path.is_file():
                found[str(path.relative_to(place))] = f"{path.stat().st_mode & 0o100:o} {path.read_bytes()!r}"
    return found


def get_back(line: str) -> None:
    """Do what the user is told to do: the line for a shell that brings back what was set aside."""
    subprocess.run(["/bin/sh", "-c", line], check=True, capture_output=True, cwd="/")
