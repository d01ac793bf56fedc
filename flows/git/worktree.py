"""The worktree of a job: made when it is missing, used again when it is there."""

import difflib
import os
import shlex
import time
from dataclasses import dataclass, field
from pathlib import Path

from ccs.flows.git import locks
from ccs.flows.git.busy import Hold, changing
from ccs.flows.git.command import LONG, GitError, naming, run, shown
from ccs.flows.git.folder import entered, opened
from ccs.flows.git.registry import Registered, registered
from ccs.flows.git.repository import Repository
from ccs.flows.git.status import TREES, tracks_trees
from ccs.flows.git.submodules import check_out

_ORIGIN = "origin"


@dataclass(frozen=True)
class PreparedWorktree:
    """A worktree that is ready to work in."""

    path: Path
    """The directory for the tasks: what the given directory is in the main checkout."""
    top: Path
    branch: str
    """The branch that is checked out; empty when HEAD is detached."""
    base: str
    """The branch it began at; origin/main where there was no local main."""
    created: bool
    remarks: tuple[str, ...] = field(default=())
    """What somebody should know: submodules that are not there, another branch, a hook that failed."""


def prepare(directory: Path, name: str, base_branch: str) -> tuple[PreparedWorktree, Hold]:
    """The worktree `trees/<name>` of the repository that `directory` is in, on a branch of that name.

    It is made when it does not exist, at the base branch, and otherwise left as it is; the hold on it is taken before
    anybody could remove it again. Raises GitError.
    """
    repository = Repository.at(directory, bare=True)
    for _ in range(100):
        with changing(repository.common_dir):
            worktree = _prepared(repository, name, base_branch)
            try:
                return worktree, Hold.take(worktree.top, patience=0)
            except GitError:
                pass  # it is being cleaned by somebody who needs this lock for it
        Hold.take(worktree.top).release()
    raise GitError(f"worktree {shown(worktree.top)} is being cleaned up all the time: try again later")


def _prepared(repository: Repository, name: str, base_branch: str) -> PreparedWorktree:
    _check_name(repository, name)
    top = repository.main / TREES / name
    if _is_marked(repository, name):
        _await_end(repository, top)
    known = registered(repository)
    if top.parent.is_symlink() or (top.parent.exists() and not top.parent.is_dir()):
        raise GitError(f"{shown(top.parent)} is no folder, so no worktree can be made in it: move it away")
    _ignore(repository, name)
    remarks: list[str] = []
    here = next((tree for tree in known if tree.is_at(top)), None)
    if here and here.is_unfinished:
        repository.git("worktree", "remove", "--force", "--force", str(top), timeout=LONG)
        here = None
    created = not _is_usable(repository, here, top)
    if created:
        _mark(repository, name)
        base = _create(repository, known, top, base_branch, remarks, forced=here is not None)
    else:
        base = base_of(repository, name) or _recorded(repository, name, base_branch)
        if problem := locks.stale(Repository.at(top).git_dir / "index.lock"):
            raise GitError(problem)
    _mark(repository, name, begun=False)
    tree = Repository.at(top)
    if tree.branch != name:
        remarks.append(f"worktree {shown(top)} has {tree.branch or 'no branch'} checked out instead of branch {name}")
    remarks += check_out(tree, repository)
    path = top / repository.prefix if repository.prefix else top
    if not path.is_dir():
        raise GitError(
            f"worktree {shown(top)} has no folder {shown(repository.prefix)}, which the job works in: "
            f"branch {shown(tree.branch or base)} does not have it. Choose another base branch or working directory"
        )
    return PreparedWorktree(path, top, tree.branch, base, created, tuple(remarks))


def _is_marked(repository: Repository, name: str) -> bool:
    return os.path.lexists(repository.common_dir / "ccs" / f"making-{name}")


def _mark(repository: Repository, name: str, begun: bool = True) -> None:
    """Note for a run after this one that the worktree is being made, or that it is done."""
    marker = repository.common_dir / "ccs" / f"making-{name}"
    try:
        with entered(repository.common_dir, "ccs") as folder:
            if begun:
                os.close(opened(marker, folder, os.O_WRONLY | os.O_CREAT))
            elif os.path.lexists(marker):
                os.unlink(marker.name, dir_fd=folder)
    except OSError as error:
        raise GitError(f"{shown(marker)} cannot be written: {error.strerror or error}") from None


def _await_end(repository: Repository, top: Path) -> None:
    """Wait for the git that a killed run had make the worktree, and that outlived it."""
    deadline = time.monotonic() + LONG
    while process := locks.git_in(repository.place.resolve()):
        if time.monotonic() > deadline:
            raise GitError(f"git ({process}) has been making worktree {shown(top)} for very long: look what keeps it")
        time.sleep(0.2)


def _check_name(repository: Repository, name: str) -> None:
    sound = bool(name) and "/" not in name and not name.startswith(("-", "."))
    if not sound or not repository.ask("check-ref-format", "--branch", name).ok:
        raise GitError(
            f"{shown(name)!r} cannot be the name of a branch: choose another working_directory.worktree.name"
        )


def _ignore(repository: Repository, name: str) -> None:
    """Have git overlook the folder of the worktrees, without touching a file that is tracked.

    The line is for the worktrees, too: where the repository has a folder of that name, new files in it are to be seen.
    """
    if repository.config_is_bare:
        return
    exclude = repository.common_dir / "info" / "exclude"
    line = f"/{TREES}{name}/" if tracks_trees(repository) else f"/{TREES}"
    try:
        text = exclude.read_bytes() if exclude.exists() else b""
        if line.encode() not in text.splitlines():
            with entered(repository.common_dir, "info") as folder:
                descriptor = opened(exclude, folder, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
            with os.fdopen(descriptor, "ab") as file:
                file.write((b"\n" if text and not text.endswith(b"\n") else b"") + line.encode() + b"\n")
    except OSError as error:
        raise GitError(f"{shown(exclude)} cannot be written: {error.strerror or error}") from None


def _is_usable(repository: Repository, here: Registered | None, top: Path) -> bool:
    """Whether the worktree is there; GitError when something else is in its place."""
    if not os.path.lexists(top):
        return False
    if top.is_dir() and not top.is_symlink():
        if _is_linked(repository, top):
            return True
        if (
            (top / ".git").is_file()
            and repository.ask("worktree", "repair", str(top)).ok
            and _is_linked(repository, top)
        ):
            return True  # the repository was moved with its worktrees
        if here is None and not any(top.iterdir()):
            return False
    raise GitError(
        f"{shown(top)} exists and is no worktree of this repository: "
        "move it away, or choose another working_directory.worktree.name"
    )


def _is_linked(repository: Repository, top: Path) -> bool:
    said = run(top, "rev-parse", "--show-toplevel")
    if not said.ok or not Path(said.line).samefile(top):
        return False
    common = run(top, "rev-parse", "--git-common-dir").line
    return (top / common).resolve() == repository.common_dir


def _create(
    repository: Repository, known: list[Registered], top: Path, base_branch: str, remarks: list[str], forced: bool
) -> str:
    name = top.name
    base_ref, base = _base(repository, base_branch)
    if other := next((tree for tree in known if tree.branch == name and not tree.is_at(top)), None):
        if not other.path.exists():
            raise GitError(
                f"branch {name} belongs to a worktree at {shown(other.path)}, which is gone: "
                f"forget it with `git -C {shlex.quote(str(repository.place))} worktree prune`"
            )
        raise GitError(
            f"branch {name} is checked out in {shown(other.path)}, and no branch can be in two places: "
            "switch to another branch there, or choose another working_directory.worktree.name"
        )
    exists = repository.ask("rev-parse", "--verify", "--quiet", f"refs/heads/{name}").ok
    begin = [str(top), name] if exists else ["--no-track", "-b", name, str(top), base_ref]
    said = repository.ask("worktree", "add", *(["--force"] if forced else []), *begin, timeout=LONG, hooks=True)
    if not said.ok:
        made = next((tree for tree in registered(repository) if tree.is_at(top)), None)
        if made is None or made.is_unfinished or not top.is_dir() or not _is_linked(repository, top):
            raise repository.failure("worktree add", said)
        remarks.append("the repository's post-checkout hook failed in the new worktree")
    return _recorded(repository, name, base)


def _recorded(repository: Repository, name: str, base: str) -> str:
    repository.git("config", f"branch.{name}.ccsBase", base)
    return base


def base_of(repository: Repository, name: str) -> str:
    """The branch that a worktree began at; empty when ccs did not make it."""
    return repository.ask("config", "--get", f"branch.{name}.ccsBase").line


def _base(repository: Repository, wanted: str) -> tuple[str, str]:
    """The base branch as a full name and as a user says it."""
    refs = repository.git("for-each-ref", "--format=%(refname)", "refs/heads", "refs/remotes").out.split("\n")[:-1]
    if not refs:
        raise GitError(
            f"repository {shown(repository.main)} has no commit yet, so no worktree can begin anywhere: "
            "commit something there first"
        )
    for full in (f"refs/heads/{wanted}", f"refs/remotes/{wanted}", f"refs/remotes/{_ORIGIN}/{wanted}"):
        if full in refs:
            return full, full.split("/", 2)[2]
    remotes = repository.git("remote").out.split()
    elsewhere = [f"refs/remotes/{r}/{wanted}" for r in remotes if f"refs/remotes/{r}/{wanted}" in refs]
    if len(elsewhere) == 1:
        return elsewhere[0], elsewhere[0].split("/", 2)[2]
    names = [ref.split("/", 2)[2] for ref in refs if not ref.endswith("/HEAD")]
    if elsewhere:
        close = [ref.split("/", 2)[2] for ref in elsewhere]
    else:
        close = difflib.get_close_matches(wanted, names, 3, 0.5)
    hint = f"did you mean {' or '.join(map(shown, close))}?" if close else f"it has {naming(names, 5)}."
    raise GitError(
        f"there is no branch {shown(wanted)!r} in {shown(repository.main)} for the worktree to begin at: {hint} "
        "Change working_directory.worktree.base_branch"
    )
