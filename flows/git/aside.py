"""Setting aside what a failed task left: kept under a ref of its own, and out of the way of the next run."""

import errno
import os
import shlex
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ccs.flows.git.busy import Hold, changing
from ccs.flows.git.command import LONG, GitError, naming, shown
from ccs.flows.git.folder import entered
from ccs.flows.git.index import await_index, scratch_index, write_index
from ccs.flows.git.refs import ROOT, aside_ref, keep, write_commit
from ccs.flows.git.repository import GITLINK, Repository, TreeEntry
from ccs.flows.git.snapshot import Snapshot, with_files
from ccs.flows.git.status import Status


@dataclass(frozen=True)
class Aside:
    """What was set aside."""

    ref: str
    commit: str
    files: tuple[str, ...]
    """Paths from the top of the working tree."""
    get_back: str
    """The line for a shell that brings it back, uncommitted."""

    @property
    def sentence(self) -> str:
        """What happened and how to undo it, in one line."""
        return f"set aside {naming(list(self.files))} as {self.ref}; get it back with: {self.get_back}"

    @property
    def nameless(self) -> str:
        """What happened, without a name that a task made up."""
        many = "a file" if len(self.files) == 1 else f"{len(self.files)} files"
        return f"set aside {many} as {self.ref}; look with: git show --stat {self.ref}"


class SavedError(GitError):
    """Everything is saved under a ref, but still in the files, too."""


def aside(snapshot: Snapshot, run_id: str, task: str, hold: Hold | None = None) -> Aside | None:
    """Save all uncommitted changes since the snapshot and take them out of the working tree and the index.

    Commits stay where they are; what was uncommitted at the snapshot is put back as it was. None when nothing is to
    be set aside. With the `hold` of the task, it is refused while other tasks work in the same directory. Raises
    GitError; the working tree is as it was then, unless it says otherwise.
    """
    repository = snapshot.repository
    if hold and not hold.upgrade():
        raise GitError(
            f"the changes of task {shown(task)} stay in {shown(snapshot.directory)}: "
            "other tasks work there, and theirs cannot be told apart"
        )
    try:
        with changing(repository.common_dir):
            return _set_aside(repository, snapshot, aside_ref(run_id, task), f"{shown(task)} of run {shown(run_id)}")
    finally:
        if hold:
            hold.downgrade()


def _set_aside(repository: Repository, snapshot: Snapshot, ref: str, whose: str) -> Aside | None:
    now = Snapshot.of(repository)
    inner = _submodules_aside(repository, snapshot, now, ref, whose)
    if inner:
        now = Snapshot.of(repository)
    goal = _goal(repository, snapshot, now)
    now = _with_hidden(repository, now, goal)
    files = sorted(repository.difference(goal.files, now.files))
    begun = now.operation if now.operation != snapshot.operation else ""
    nested = sorted(set(now.nested) - set(snapshot.nested))
    if not (files or nested or begun or now.staged != goal.staged):
        return _joined(inner, None)
    commit, parent = _save(repository, snapshot, now, goal, whose)
    ref = keep(repository, ref, commit)
    try:
        _restore(repository, snapshot, now, goal)
    except GitError as error:
        raise SavedError(
            f"the changes of task {whose} are saved as {ref}, but they are still in the files: {error}"
        ) from None
    if begun:
        _end(repository, begun, clean=snapshot.is_clean)
    back = [_way_back(repository, now.head, ref, parent)]  # last, on top of what is moved back
    for path in sorted({*nested, *(set(Status.of(repository).nested) - set(snapshot.nested))}):
        back.insert(0, _move(repository, ref, path))
        files = [f for f in files if f != path.rstrip("/")] + [path]
    return _joined(inner, Aside(ref, commit, tuple(files), " && ".join(back)))


def _joined(inner: Sequence[Aside], outer: Aside | None) -> Aside | None:
    all_of_it = [*([outer] if outer else []), *inner]
    if not all_of_it:
        return None
    files = tuple(dict.fromkeys(path for part in all_of_it for path in part.files))
    commands = [part.get_back for part in all_of_it if part.get_back]
    return replace(all_of_it[0], files=files, get_back=" && ".join(commands))


def _goal(repository: Repository, snapshot: Snapshot, now: Snapshot) -> Snapshot:
    """How the working tree is to be: the commit as it is now, with what was uncommitted at the snapshot."""
    committed = repository.difference(snapshot.base, now.base)
    files, staged = (
        {p: after for p, (_, after) in repository.difference(snapshot.base, tree).items() if p not in committed}
        for tree in (snapshot.files, snapshot.staged)
    )
    return replace(
        now, files=_tree(repository, now.base, files), staged=_tree(repository, now.base, staged), operation=""
    )


def _with_hidden(repository: Repository, now: Snapshot, goal: Snapshot) -> Snapshot:
    """The same with files that the task took out of the index and that .gitignore names: they would be overwritten."""
    missing = [path for path, (_, after) in repository.difference(goal.files, now.files).items() if after is None]
    hidden = [path for path in missing if os.path.lexists(repository.place / path)]
    hidden = [
        path for path in hidden if not (repository.place / path).is_dir() and not _beyond_a_link(repository, path)
    ]
    return replace(now, files=with_files(repository, now.files, hidden)) if hidden else now


def _beyond_a_link(repository: Repository, path: str) -> bool:
    """Whether a folder of the path is a symbolic link: what is behind it is none of the repository's."""
    return any((repository.place / parent).is_symlink() for parent in list(Path(path).parents)[:-1])


def _tree(repository: Repository, base: str, entries: dict[str, TreeEntry | None]) -> str:
    if not entries:
        return base
    with scratch_index(repository, copied=False) as index:
        repository.git("read-tree", base, index=index)
        write_index(repository, entries, index)
        return repository.git("write-tree", index=index).line


def _save(repository: Repository, snapshot: Snapshot, now: Snapshot, goal: Snapshot, whose: str) -> tuple[str, str]:
    """The commit with everything, and its parent: the difference of the two is what is set aside.

    The parent is the commit that is checked out; or, where that says too little, a commit of the goal, whose further
    parents are what else there was: the files at the snapshot, and what the task staged and then changed again.
    """
    parents = [now.head] if now.head else []
    more = []
    if snapshot.files != snapshot.base:
        earlier = [snapshot.head] if snapshot.head else []
        more.append(write_commit(repository, snapshot.files, earlier, f"uncommitted before {whose}"))
    own = repository.difference(goal.staged, now.staged)  # staged by the task, and then changed again in the files?
    if any(own[path][1] for path in own.keys() & repository.difference(now.staged, now.files).keys()):
        more.append(write_commit(repository, now.staged, parents, f"staged by {whose}"))
    if more:
        parents = [write_commit(repository, goal.files, [*parents, *more], f"beneath {whose}")]
    return write_commit(repository, now.files, parents, f"set aside: {whose}"), "".join(parents)


def _restore(repository: Repository, snapshot: Snapshot, now: Snapshot, goal: Snapshot) -> None:
    """Make files and index what they are to be; git refuses when a file is not as it was saved."""
    entries = {p: after for p, (_, after) in repository.difference(now.staged, goal.staged).items()}
    if entries:
        await_index(repository)
    if now.files != goal.files:
        with scratch_index(repository) as index:
            repository.git("read-tree", "--reset", now.files, index=index)
            repository.ask("update-index", "-q", "--refresh", index=index, timeout=LONG)
            said = repository.ask("read-tree", "-m", "-u", now.files, goal.files, index=index, timeout=LONG)
        if not said.ok:
            raise repository.failure("read-tree", said)
    unmerged = set(now.unmerged) - set(snapshot.unmerged)
    if unmerged:
        wanted = repository.difference(repository.tree_of(""), goal.staged)
        entries |= {path: wanted.get(path, (None, None))[1] for path in unmerged}
    write_index(repository, entries)
    repository.ask("update-index", "-q", "--refresh", timeout=LONG)
    again = Snapshot.of(repository)
    if rest := sorted(repository.difference(goal.files, again.files)):
        raise GitError(f"{naming(rest)} cannot be written, or changed at that moment")


def _end(repository: Repository, operation: str, clean: bool) -> None:
    """End what the task began and did not finish. A rebase goes back to its branch, which it has not moved yet."""
    if operation in ("rebase", "am") and clean:
        repository.git(operation, "--abort", timeout=LONG)
    else:
        repository.git(operation, "--quit")


def _way_back(repository: Repository, head: str, ref: str, parent: str) -> str:
    git = f"git -C {shlex.quote(str(repository.place))}"
    if parent != head:  # cherry-pick knows commits only, and not what was uncommitted before
        options = "--binary --no-renames --no-ext-diff --no-textconv"
        return f"{git} diff {options} {parent} {ref} | {git} apply"
    return f"{git} cherry-pick --no-commit {ref}"


def _move(repository: Repository, ref: str, path: str) -> str:
    """Move a repository that the task made out of the working tree; the command that moves it back."""
    assert repository.top
    source = repository.top / path.rstrip("/")
    target = repository.common_dir / "ccs" / ref.removeprefix(ROOT) / path.rstrip("/")
    try:
        with (
            entered(repository.top, *Path(path).parts[:-1]) as here,
            entered(repository.common_dir, *target.relative_to(repository.common_dir).parts[:-1]) as there,
        ):
            _rename(source, here, target, there)
    except (OSError, GitError) as error:
        raise GitError(
            f"{shown(source)}, a repository that the task made, cannot be moved to {shown(target)}: "
            f"{getattr(error, 'strerror', None) or error}. All the rest is set aside as {ref}"
        ) from None
    return f"mkdir -p {shlex.quote(str(source.parent))} && mv {shlex.quote(str(target))} {shlex.quote(str(source))}"


def _rename(source: Path, here: int, target: Path, there: int) -> None:
    """Move a folder out of one that is open into another one."""
    try:
        os.rename(source.name, target.name, src_dir_fd=here, dst_dir_fd=there)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        shutil.move(source, target)


def _submodules_aside(repository: Repository, snapshot: Snapshot, now: Snapshot, ref: str, whose: str) -> list[Aside]:
    """The same in submodules that were clean, which then go back to the commit that they were at."""
    assert repository.top
    done = []
    moved = {p: before for p, (before, _) in repository.difference(snapshot.files, now.files).items()}
    was = {p: entry for p, entry in moved.items() if entry and entry[0] == GITLINK}
    for path in sorted({*was, *(set(now.submodules) - set(snapshot.submodules))}):
        place = repository.top / path
        if not (place / ".git").exists():
            continue
        inner = Repository.at(place)
        head, inner_branch = inner.head, inner.branch
        tree = inner.tree_of(head)
        start = Snapshot(str(place), head, inner_branch, "", base=tree, staged=tree, files=tree)
        part = _set_aside(inner, start, ref, whose)
        entry = was.get(path)
        if head and entry and entry[1] != head and path not in repository.difference(snapshot.base, now.base):
            kept = keep(inner, f"{ref}-head", head)
            inner.git("checkout", "--quiet", "--detach", entry[1], timeout=LONG)
            back = f"git -C {shlex.quote(str(place))} checkout --quiet {shlex.quote(inner_branch or head)}"
            done.append(Aside(kept, head, (path,), back))
        if part:
            done.append(replace(part, files=tuple(f"{path}/{file}" for file in part.files)))
    return done
