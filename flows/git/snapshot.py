"""A snapshot: everything git would see of a directory at one moment, to tell later what a task did."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ccs.flows.git import locks
from ccs.flows.git.command import LONG, CommandFailedError, GitError, shown
from ccs.flows.git.index import scratch_index, write_index
from ccs.flows.git.programs import distrusted, hooks_of, settings_of, withheld
from ccs.flows.git.repository import Difference, Repository
from ccs.flows.git.status import Status

_STASH = "refs/stash"


@dataclass(frozen=True)
class Snapshot:
    """The state of a working tree. Trees are ids of objects in the repository, so this is small."""

    directory: str
    head: str
    """The commit; empty before the first one."""
    branch: str
    """Empty when HEAD is detached."""
    operation: str
    """A merge, rebase or the like that is under way; or nothing."""
    base: str
    """The tree of the commit."""
    staged: str
    """The tree of the index."""
    files: str
    """The tree of the files, ignored ones left out."""
    nested: tuple[str, ...] = ()
    submodules: tuple[str, ...] = ()
    unmerged: tuple[str, ...] = ()
    git_dir: str = ""
    """The metadata of the working tree; empty when it is not known."""
    top: str = ""
    """The top of the working tree; empty when it is not known."""
    refs: tuple[str, ...] = ()
    """Branches and stashes, to tell what a task did to them; only of a snapshot that was taken before it."""
    hooks: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    """What git would run at a commit, to tell what a task did to it; empty when that does not matter, or is unknown."""

    @property
    def repository(self) -> Repository:
        """The repository as it is now; GitError when the directory has come to belong to another one.

        git goes by the next .git above, so without its own a worktree would be taken for the main checkout.
        """
        found = Repository.at(Path(self.directory))
        if self.git_dir and str(found.git_dir) != self.git_dir:
            raise GitError(
                f"{shown(self.directory)} was left as it is: its repository was {shown(self.git_dir)}, and now git "
                f"finds {shown(found.git_dir)}. Its .git was removed or replaced: put it back, or move the files away"
            )
        if self.top and str(found.top) != self.top:
            raise GitError(
                f"{shown(self.directory)} was left as it is: its working tree was {shown(self.top)}, and now git takes "
                f"{shown(found.top)} for it. Undo it with `git config --unset core.worktree` there"
            )
        return replace(found, withheld=withheld(found, self.settings)) if self.settings else found

    @property
    def distrusted(self) -> str:
        """What has changed since, so that the hooks are not to run; empty when they may, and where there are none."""
        return distrusted(self.repository, self.hooks, self.settings) if self.settings else ""

    @classmethod
    def take(cls, directory: Path, watched: bool = True) -> "Snapshot":
        """The state of the working tree a directory is in; with `watched` also of the programs of its commits.

        Files with uncommitted changes are stored as objects that nothing refers to; the working tree, its index
        and its branches stay as they are. Raises GitError when a file cannot be read, or a lock was left behind.
        """
        repository = Repository.at(directory)
        now = replace(cls.of(repository), refs=branches_and_stashes(repository)[0])
        return replace(now, hooks=hooks_of(repository), settings=settings_of(repository)) if watched else now

    @classmethod
    def of(cls, repository: Repository) -> "Snapshot":
        """The same of a repository that is known."""
        if problem := locks.stale(repository.git_dir / "index.lock"):
            raise GitError(problem)
        head = repository.head
        base = repository.tree_of(head)
        for last in (False, False, True):
            status = Status.of(repository)
            try:
                staged, files = _trees(repository, status) if status.paths else (base, base)
                break
            except CommandFailedError as error:
                if last or not any(word in error.answer.err for word in ("did not match any file", "No such file")):
                    raise  # else a file went away in between, by another task in this directory
        return cls(
            str(repository.directory), head, repository.branch, repository.operation, base, staged, files,
            status.nested, status.submodules, status.unmerged, str(repository.git_dir), str(repository.top),
        )  # fmt: skip

    @property
    def is_clean(self) -> bool:
        """Whether nothing was uncommitted."""
        return self.base == self.staged == self.files and not (self.nested or self.submodules)

    def dirty(self, repository: Repository) -> Difference:
        """What differed from the commit in the files."""
        return repository.difference(self.base, self.files)

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "Snapshot":
        """The snapshot that was stored; TypeError when it is none."""
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in stored.items()}
        return cls(**values)


def branches_and_stashes(repository: Repository) -> tuple[tuple[str, ...], frozenset[str]]:
    """As in `id refs/heads/main` and `id WIP on main: …`; and the branches that other working trees have checked out.

    Those others are not among the first: somebody else works with them.
    """
    said = repository.git("for-each-ref", "--format=%(objectname) %(refname)%00%(worktreepath)", "refs/heads", _STASH)
    found, elsewhere = [], set()
    for line in said.out.split("\n"):
        ref, is_whole, tree = line.partition("\0")
        if tree and Path(tree) != repository.top:
            elsewhere.add(ref.partition(" ")[2])
        elif ref.endswith(_STASH):
            found += repository.git("log", "--walk-reflogs", "--format=%H %gs", _STASH, "--").out.split("\n")[:-1]
        elif is_whole:
            found.append(ref)
    return tuple(found), frozenset(elsewhere)


def _trees(repository: Repository, status: Status) -> tuple[str, str]:
    """The tree of the index and that of the files."""
    with scratch_index(repository) as index:
        conflicts = set(status.unmerged)  # they have no tree; what is in the files stands for them
        _update(repository, index, [p for p in status.present if p in conflicts], conflicts & set(status.gone))
        staged = repository.git("write-tree", index=index).line
        _update(repository, index, status.present, status.gone)
        return staged, repository.git("write-tree", index=index).line


def _update(repository: Repository, index: Path, present: Iterable[str], gone: Iterable[str]) -> None:
    write_index(repository, dict.fromkeys(gone), index)
    paths = "".join(f"{path}\0" for path in present)
    if not paths:
        return
    sparse = ["--sparse"] * (repository.ask("config", "--type=bool", "core.sparseCheckout").line == "true")
    repository.git(
        *("--literal-pathspecs", "add", "--all", "--force", *sparse),
        *("--pathspec-from-file=-", "--pathspec-file-nul"),
        stdin=paths, index=index, timeout=LONG,
    )  # fmt: skip


def with_files(repository: Repository, tree: str, paths: list[str]) -> str:
    """The tree with these files added, as they are in the directory."""
    with scratch_index(repository, copied=False) as index:
        repository.git("read-tree", tree, index=index)
        _update(repository, index, paths, ())
        return repository.git("write-tree", index=index).line


def changes(snapshot: Snapshot) -> list[str]:
    """The files that differ from the snapshot, those in commits made since then included; paths from the top.

    Added, modified, deleted files, changed modes; of a renamed file both names.
    """
    repository = snapshot.repository
    now = Snapshot.of(repository)
    found = {
        *repository.difference(snapshot.files, now.files),
        *repository.difference(snapshot.base, now.base),
        *(set(now.nested) - set(snapshot.nested)),
        *(set(now.submodules) - set(snapshot.submodules)),
    }
    return sorted(found)
