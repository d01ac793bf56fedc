"""The worktrees of jobs, what became of their work, and the removal of those that nobody needs any more."""

import contextlib
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ccs.flows.git import submodules
from ccs.flows.git.busy import alone, changing
from ccs.flows.git.command import LONG, GitError, run, shown
from ccs.flows.git.folder import refuse_link
from ccs.flows.git.registry import Registered, registered
from ccs.flows.git.repository import Repository
from ccs.flows.git.status import TREES, uncommitted
from ccs.flows.git.worktree import base_of


@dataclass(frozen=True)
class Tree:
    """A worktree below trees/."""

    name: str
    path: Path
    branch: str
    """What is checked out; empty when HEAD is detached."""
    commit: str
    base: str
    """The branch it began at, as far as that is known; or else the one of the main checkout."""
    ahead: int
    behind: int
    """Commits that it has and the base has not, and the other way round."""
    dirty: tuple[str, ...]
    """The paths with uncommitted changes."""
    unmerged: bool
    """Whether there are commits in it, or on the branch of its name, that the base does not have."""
    is_missing: bool
    """Whether its folder was deleted."""
    is_busy: bool
    """Whether a run is under way in it."""
    is_locked: bool
    """Whether somebody said `git worktree lock`."""
    problem: str
    """Why it cannot be looked into, or what is only in it and is not its own; or nothing."""
    last_change: datetime

    def obstacle(self, force: bool, older_than: float | None, now: datetime) -> str:
        """Why it is not to be removed; empty when it may be. `older_than` is in seconds."""
        if self.is_busy:
            return "a run is under way"
        if self.is_locked:
            return "it is locked: git worktree unlock"
        if older_than is not None and (now - self.last_change).total_seconds() < older_than:
            return "it was changed not so long ago"
        if force:
            return ""
        if self.problem:
            return self.problem
        reasons = ["it has uncommitted changes"] * bool(self.dirty) + ["it is not merged"] * self.unmerged
        return " and ".join(reasons)


def trees(directory: Path) -> list[Tree]:
    """The worktrees of jobs in the repository that a directory is in, by name. Raises GitError."""
    repository = Repository.at(directory, bare=True)
    return sorted((_tree(repository, r) for r in _own(repository)), key=lambda tree: tree.name)


def remove(directory: Path, name: str, force: bool, older_than: float | None = None) -> str:
    """Remove a worktree with its branch, having looked again whether it may be; why not, or nothing when it is done.

    With `force` also one with uncommitted changes or commits that are not in its base; never one in which a run is
    under way. Raises GitError.
    """
    repository = Repository.at(directory, bare=True)
    with changing(repository.common_dir):
        known = next((r for r in _own(repository) if r.path.name == name), None)
        if known is None:
            return "it is gone"
        with contextlib.ExitStack() as stack:
            tree = _inside(known.path)
            if tree and not stack.enter_context(alone(tree)):
                return "a run is under way"
            found = _tree(repository, known, look_for_runs=False)
            if why := found.obstacle(force, older_than, datetime.now(UTC)):
                return why
            refuse_link(repository.main / TREES)
            refuse_link(known.path)
            # git's own check is less strict, and with submodules there is no way without force.
            twice = ["--force"] * known.is_unfinished
            repository.git("worktree", "remove", "--force", *twice, str(known.path), timeout=LONG)
        elsewhere = {r.branch for r in registered(repository)}
        if name not in elsewhere and (force or not found.unmerged) and _exists(repository, f"refs/heads/{name}"):
            repository.git("branch", "-D", "--", name)
        with contextlib.suppress(OSError):
            known.path.parent.rmdir()  # when it was the last one
    return ""


def _own(repository: Repository) -> list[Registered]:
    folder = repository.main / TREES
    return [r for r in registered(repository) if r.path.parent == folder or r.path.parent == folder.resolve()]


def _inside_of(repository: Repository, tree: Repository) -> str:
    """What would be lost with a worktree and is not seen in it: another one inside, commits in its submodules."""
    assert tree.top
    for other in registered(repository):
        if other.path != tree.top and other.path.exists() and other.path.resolve().is_relative_to(tree.top.resolve()):
            return f"worktree {shown(other.path)} is inside"
    for name, path in submodules.named(tree):
        place, main = tree.top / path, repository.common_dir / "modules" / name
        if (place / ".git").exists():
            tips = run(place, "rev-parse", "HEAD", "--branches", "--tags").out.split()
            if any(
                not _has(place, None, tip, "--remotes") and not _has(main, main, tip, "--all", "HEAD") for tip in tips
            ):
                return f"submodule {shown(path)} has commits that are nowhere else"
    return ""


def _has(place: Path, git_dir: Path | None, commit: str, *tips: str) -> bool:
    """Whether the commit is below one of the tips in the repository at a place."""
    said = run(place, "rev-list", "--max-count=1", commit, "--not", *tips, git_dir=git_dir)
    return said.ok and not said.out


def _inside(path: Path) -> Repository | None:
    if not path.is_dir():
        return None
    try:
        tree = Repository.at(path)
    except GitError:
        return None
    return tree if tree.top and tree.top.samefile(path) else None


def _tree(repository: Repository, known: Registered, look_for_runs: bool = True) -> Tree:
    name, tree, is_missing = known.path.name, _inside(known.path), not known.path.is_dir()
    problem = "" if tree or is_missing else "its .git does not lead to this repository"
    changed: list[str] = []
    is_busy = False
    if tree:
        with contextlib.suppress(GitError), contextlib.ExitStack() as stack:  # one who may only read cannot know
            is_busy = look_for_runs and not stack.enter_context(alone(tree))
        try:
            changed = uncommitted(tree)
            problem = f"a {tree.operation} is under way" if tree.operation else _inside_of(repository, tree)
        except GitError as error:
            problem = str(error)
    base = base_of(repository, name) or _main_branch(repository)
    bases = _refs_of(repository, base)
    ahead, behind = _apart(repository, known.head, bases[0]) if bases else (0, 0)
    tips = [tip for tip in (known.head, f"refs/heads/{name}") if tip and _exists(repository, tip)]
    return Tree(
        name=name, path=known.path, branch=known.branch, commit=known.head, base=base, ahead=ahead, behind=behind,
        dirty=tuple(changed), unmerged=any(not _is_in(repository, tip, bases) for tip in tips),
        is_missing=is_missing, is_busy=is_busy, is_locked=known.locked is not None and not known.is_unfinished,
        problem=problem, last_change=_last_change(repository, known, tree, changed),
    )  # fmt: skip


def _main_branch(repository: Repository) -> str:
    return repository.shared("symbolic-ref", "--quiet", "--short", "HEAD").line


def _refs_of(repository: Repository, base: str) -> list[str]:
    """The branch and what else has its commits for good: its local and its remote-tracking counterparts."""
    short = base.partition("/")[2]
    names = [f"refs/heads/{base}", f"refs/remotes/{base}", f"refs/remotes/origin/{base}", f"refs/heads/{short}"]
    return [name for name in names if base and not name.endswith("/") and _exists(repository, name)]


def _exists(repository: Repository, commit: str) -> bool:
    return repository.ask("rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}").ok


def _is_in(repository: Repository, commit: str, bases: list[str]) -> bool:
    return any(repository.ask("merge-base", "--is-ancestor", commit, base).ok for base in bases)


def _apart(repository: Repository, commit: str, base: str) -> tuple[int, int]:
    said = repository.ask("rev-list", "--left-right", "--count", f"{commit}...{base}", "--", timeout=LONG)
    counts = said.out.split() if said.ok else ["0", "0"]
    return int(counts[0]), int(counts[1])


def _last_change(repository: Repository, known: Registered, tree: Repository | None, changed: list[str]) -> datetime:
    """When its branch, or one of its files that is uncommitted, was last changed."""
    if tree:
        places = [tree.git_dir / "HEAD", tree.git_dir / "logs/HEAD", *(known.path / path for path in changed)]
        times = [place.lstat().st_mtime for place in places if os.path.lexists(place)]
    else:
        times = [float(said) for said in repository.ask("log", "-1", "--format=%ct", known.head, "--").out.split()]
    return datetime.fromtimestamp(max(times, default=0.0), UTC)
