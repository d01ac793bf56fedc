"""A git repository on this node: where its parts are, and git run in it with clear errors."""

import os
import re
import shlex
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypedDict, Unpack

from ccs.flows.git import locks
from ccs.flows.git.command import (
    Answer,
    CommandFailedError,
    GitError,
    GitMissingError,
    GitTimeoutError,
    NoRepositoryError,
    reason,
    run,
    shown,
)
from ccs.flows.git.settings import as_environment
from ccs.flows.node.identity import node_name

TreeEntry = tuple[str, str]
"""Mode and id of what a tree has at a path."""

GITLINK = "160000"
"""The mode of a submodule."""

Difference = dict[str, tuple[TreeEntry | None, TreeEntry | None]]
"""For each path that differs between two trees what is there before and after."""

DIFF = ("diff-tree", "-r", "-z", "--no-ext-diff", "--no-textconv")
"""The command that compares two trees."""

_OPERATIONS = {
    "rebase-merge": "rebase",
    "rebase-apply/applying": "am",
    "rebase-apply": "rebase",
    "MERGE_HEAD": "merge",
    "CHERRY_PICK_HEAD": "cherry-pick",
    "REVERT_HEAD": "revert",
    "sequencer": "cherry-pick",
}


class Options(TypedDict, total=False):
    """What `run` takes beside the arguments of git."""

    stdin: str
    env: Mapping[str, str] | None
    timeout: float
    hooks: bool


@dataclass(frozen=True)
class Repository:
    """A repository, seen from a directory in it."""

    directory: Path
    git_dir: Path
    """The metadata of this working tree."""
    common_dir: Path
    """The metadata that all working trees share."""
    top: Path | None
    """The top of this working tree; None in a bare repository, and inside the metadata."""
    prefix: str
    """The directory as seen from the top; empty, or with a slash at its end."""
    withheld: tuple[tuple[str, str], ...] = ()
    """Settings by which git does not run what a task has set up."""

    @classmethod
    def at(cls, directory: Path, bare: bool = False) -> "Repository":
        """The repository a directory is in; with `bare`, a bare one will do. GitError where there is none."""
        where = f"working directory {shown(directory)} on node {node_name()}"
        kind, places = ("--is-inside-work-tree", "--is-bare-repository"), ("--absolute-git-dir", "--git-common-dir")
        in_it = ("--show-toplevel", "--show-prefix")
        try:
            if found := _without_git(directory):
                return cls._bare(directory, found, bare, where)
            inside = run(directory, "rev-parse", *kind, *places, *in_it, timeout=60)
            if inside.ok and len(parts := inside.out.splitlines()) == 6:
                return cls._found(directory, *parts[2:])
            inside = run(directory, "rev-parse", *kind, timeout=60)  # not in a working tree, or an odd path
        except GitTimeoutError:
            raise GitError(f"{where}: git did not answer within a minute") from None
        if not inside.ok:
            raise _refusal(where, inside.err)
        in_tree, is_bare = (word == "true" for word in inside.out.split())
        if not in_tree and not (bare and is_bare):
            if is_bare and (directory / ".git").is_dir():
                raise GitError(
                    f"{where} cannot be used: its repository says that it is bare. "
                    f"If it is not, say so with `git -C {shlex.quote(str(directory))} config core.bare false`"
                )
            raise _has_no_files(where) if is_bare else _refusal(where, "")
        return cls._found(directory, *(run(directory, "rev-parse", w).line for w in (*places, *(in_it * in_tree))))

    @classmethod
    def _bare(cls, directory: Path, git_dir: Path, bare: bool, where: str) -> "Repository":
        """The repository that a folder is, which has no .git. GitError when it is none that somebody meant.

        In a working tree anybody can commit such a folder, with a configuration that runs programs.
        """
        asked = ("-c", "safe.bareRepository=all", "rev-parse", "--is-inside-work-tree", "--is-bare-repository")
        said = run(git_dir, *asked, timeout=60)
        if not said.ok or said.out.split() != ["false", "true"]:
            raise _refusal(where, said.err)
        if not bare:
            raise _has_no_files(where)
        above = git_dir.parent
        while other := _without_git(above):
            above = other.parent
        around = run(above, "rev-parse", "--show-toplevel", timeout=60)
        if around.ok:
            raise GitError(
                f"{where} cannot be used: {shown(git_dir)} is a bare repository among the files of "
                f"{shown(around.line)}, whose configuration may be anybody's. Move it out of there, or name another"
            )
        return cls(directory, git_dir, git_dir, None, "")

    @classmethod
    def _found(cls, directory: Path, git_dir: str, common: str, top: str = "", prefix: str = "") -> "Repository":
        own, shared = Path(git_dir).resolve(), (directory / common).resolve()
        if not own.is_relative_to(shared):
            raise GitError(
                f"{shown(own)}, the metadata of {shown(top)}, is outside of {shown(shared)}, which it belongs to: "
                f"look for a symbolic link in {shown(shared / 'worktrees')}"
            )
        return cls(directory, own, shared, Path(top) if top else None, prefix)

    @classmethod
    def find(cls, directory: Path) -> "Repository | None":
        """The repository a directory is in; None without one, and without git. GitError where git refuses it."""
        try:
            return cls.at(directory)
        except (GitMissingError, NoRepositoryError):
            return None

    @property
    def place(self) -> Path:
        """Where git runs: the top of the working tree, or the bare repository."""
        return self.top or self.common_dir

    @cached_property
    def main(self) -> Path:
        """The top of the main checkout; of a bare repository its folder, or the one around a hidden folder."""
        if self.top and self.git_dir == self.common_dir:
            return self.top
        configured = self.shared("config", "--get", "core.worktree")
        if configured.ok:
            return (self.common_dir / configured.line).resolve()
        return self.common_dir.parent if self.common_dir.name.startswith(".") else self.common_dir

    @cached_property
    def config_is_bare(self) -> bool:
        """Whether the repository is bare, whatever working trees are linked to it."""
        return self.shared("config", "--type=bool", "--get", "core.bare").line == "true"

    def shared(self, *arguments: str) -> Answer:
        """What git says of the repository as such, whatever working tree this one is."""
        return run(self.common_dir, *arguments, git_dir=self.common_dir)

    def ask(self, *arguments: str, index: Path | None = None, **options: Unpack[Options]) -> Answer:
        """Run git, whatever comes of it; with `index` instead of the index of this working tree."""
        if index:
            options["env"] = {**(options.get("env") or {}), "GIT_INDEX_FILE": str(index)}
        if self.withheld:
            options["env"] = {**(options.get("env") or {}), **as_environment(self.withheld)}
        return run(self.place, *arguments, git_dir=None if self.top else self.common_dir, **options)

    def git(self, *arguments: str, index: Path | None = None, **options: Unpack[Options]) -> Answer:
        """Run git, which must succeed; GitError with git's reason, or with what to do about a lock, when it fails."""
        deadline = time.monotonic() + locks.PATIENCE
        while True:
            answer = self.ask(*arguments, index=index, **options)
            lock = None if answer.ok else self._lock_named(answer)
            if lock is None or locks.stale(lock) or time.monotonic() > deadline:
                break
            time.sleep(0.1)  # claude's own git commands know nothing of the lock of ccs
        if not answer.ok:
            raise self.failure(" ".join(w for w in arguments[:2] if not w.startswith("-")), answer)
        return answer

    def failure(self, what: str, answer: Answer) -> CommandFailedError:
        """The error for a command that failed."""
        lock = self._lock_named(answer)
        why = locks.explained(lock) if lock else reason(answer.err or answer.out)
        return CommandFailedError(f"`git {what}` failed in {shown(self.place)}: {why}", answer)

    def _lock_named(self, answer: Answer) -> Path | None:
        lock = locks.named(answer.err)
        return self.place / lock if lock else None

    @property
    def head(self) -> str:
        """The commit that is checked out; empty before the first one."""
        return self.ask("rev-parse", "--verify", "--quiet", "HEAD^{commit}").line

    @property
    def branch(self) -> str:
        """The branch that is checked out; empty when HEAD is detached."""
        return self.ask("symbolic-ref", "--quiet", "HEAD").line.removeprefix("refs/heads/")

    @property
    def operation(self) -> str:
        """What has been begun here and not finished: merge, rebase, am, cherry-pick or revert; or nothing."""
        return next((name for mark, name in _OPERATIONS.items() if (self.git_dir / mark).exists()), "")

    def tree_of(self, commit: str) -> str:
        """The tree of a commit; the empty tree for no commit."""
        if not commit:
            return self.git("hash-object", "-w", "-t", "tree", "--stdin").line
        return self.git("rev-parse", "--verify", f"{commit}^{{tree}}").line

    def difference(self, before: str, after: str) -> Difference:
        """What differs between two trees or commits, by path."""
        if before == after:
            return {}
        fields = self.git(*DIFF, "--raw", "--no-abbrev", "--no-renames", before, after).fields
        found: Difference = {}
        for meta, path in zip(fields[::2], fields[1::2], strict=True):
            old_mode, new_mode, old, new, _ = meta.removeprefix(":").split(" ")
            found[path] = (
                (None if old_mode == "000000" else (old_mode, old)),
                (None if new_mode == "000000" else (new_mode, new)),
            )
        return found


def _without_git(directory: Path) -> Path | None:
    """The folder, this one or one above, that git takes for a repository although it is no `.git`; None without one.

    git looks in each folder for `.git` first, and then whether it has what a bare repository has.
    """
    place = directory.resolve()
    for folder in (place, *place.parents):
        if (folder / ".git").is_file() or _is_git_dir(folder / ".git"):
            return None
        if _is_git_dir(folder):
            return folder
    return None


def _is_git_dir(folder: Path) -> bool:
    try:
        has_all = (folder / "objects").is_dir() and (folder / "refs").is_dir()
        return os.path.lexists(folder / "HEAD") and (has_all or (folder / "commondir").is_file())
    except OSError:  # not for this user to see: git says so
        return False


def _has_no_files(where: str) -> GitError:
    return GitError(
        f"{where} cannot be used: it is a bare repository, which has no files. "
        "Set working_directory.worktree.enabled, or name a checkout of it"
    )


def _refusal(where: str, stderr: str) -> GitError:
    said = stderr.strip().partition("\n")[0].removeprefix("fatal: ")
    if found := re.match(r"detected dubious ownership .* at '(.*)'|unsafe repository \('(.*)' is owned", said):
        directory = found[1] or found[2]
        return GitError(
            f"{where} cannot be used: it belongs to another user, and git trusts only its own user's repositories. "
            f"Run `git config --global --add safe.directory {shlex.quote(directory)}` there as the node's user"
        )
    is_none = not said or "not a git repository" in said
    why = "it is not inside a git repository" if is_none else shown(said)
    return (NoRepositoryError if is_none else GitError)(
        f"{where} cannot be used: {why}. Run `git init` there, or set working_directory.require_git to false"
    )
