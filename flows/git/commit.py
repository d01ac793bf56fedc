"""The commit of a task: what it changed, and nothing of what was uncommitted before."""

import contextlib
import shlex
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import IO

from ccs.flows.git import locks
from ccs.flows.git.busy import changing
from ccs.flows.git.command import LONG, Answer, GitError, GitTimeoutError, naming, shown
from ccs.flows.git.index import await_index, scratch_index, write_index
from ccs.flows.git.message import Origin
from ccs.flows.git.repository import Repository, TreeEntry
from ccs.flows.git.selection import changed_inside, select
from ccs.flows.git.snapshot import Snapshot
from ccs.flows.git.status import way_out
from ccs.flows.node.identity import node_name

_MOST = 200
"""Commits of claude that are listed."""


@dataclass(frozen=True)
class Committed:
    """What became of the changes of a task."""

    id: str | None
    """The commit; None when there was nothing (more) to commit."""
    files: tuple[str, ...]
    """The files in it."""
    own: tuple[str, ...]
    """The commits that claude made itself since the snapshot, oldest first."""
    left: tuple[str, ...]
    """What the task changed and is not committed: uncommitted before, ignored, or a repository of its own."""
    branch: str
    """Where the commits are; empty when HEAD is detached."""
    rest: tuple[str, ...]
    """Those of `left` that would be in the way of the next run: hooks have changed them once more after the commit of
    what they changed before, or they are submodules with changes inside."""
    problem: str
    """Why the index does not have what is committed, and what to do; or nothing."""
    left_out: str = ""
    """The programs that a commit would have run, and did not; or nothing."""

    @property
    def sentence(self) -> str:
        """What happened, in one line; empty when nothing did."""
        where = f"on {shown(self.branch)}" if self.branch else "on a detached HEAD"
        parts = []
        if self.id:
            parts.append(f"committed {naming(list(self.files))} as {self.id[:12]} {where}")
        if self.own:
            named = naming([c[:12] for c in self.own])
            parts.append(f"claude committed itself {where}: {named}")
        if self.left:
            parts.append(f"not committed: {naming(list(self.left), 5)}")
        if self.left_out:
            parts.append(self.left_out)
        return "; ".join(parts)


def commit(snapshot: Snapshot, origin: Origin, author: str = "", timeout: float = LONG) -> Committed:
    """Commit what changed since the snapshot, as far as it was clean then.

    What somebody had staged before stays staged. The repository's hooks run, unless the task changed them, and may
    take `timeout` seconds; with a commit that they change or that changes files, what they changed is committed, too.
    `author` is as in
    `Name <mail>`; left out, git's own. Raises GitError, with everything left uncommitted in the files.
    """
    repository = snapshot.repository
    with changing(repository.common_dir):
        before = Snapshot.of(repository)
        own = commits_since(repository, snapshot, before)
        found = select(repository, snapshot, before)
        if not found.entries:
            _unstage(repository, snapshot, before)
            inside = changed_inside(snapshot, before)
            return Committed(None, (), own, tuple(sorted(found.left)), before.branch, inside, problem="")
        if before.operation:
            raise GitError(
                f"the changes of task {shown(origin.task)} cannot be committed: "
                + _unfinished(snapshot, before.operation)
            )
        distrusted = snapshot.distrusted
        make = partial(_commit, repository, origin, author, _identity(repository, author), timeout, not distrusted)
        await_index(repository)  # a commit that the index does not follow would look like its opposite, staged
        try:
            commit_id = make(before.head, found.entries)
        except GitError:
            # A hook that formats the files and refuses them as they were is content the second time.
            again = select(repository, snapshot, Snapshot.of(repository))
            if again.entries == found.entries:
                raise
            commit_id = make(before.head, again.entries)
        now = Snapshot.of(repository)
        rest = select(repository, snapshot, now)
        if any(found.entries.get(path) != entry for path, entry in rest.entries.items()):  # a hook wrote into files
            with contextlib.suppress(GitError):
                commit_id = make(commit_id, rest.entries)
            now = Snapshot.of(repository)
            rest = select(repository, snapshot, now)
        problem = ""
        try:
            _unstage(repository, snapshot, now)
        except GitError as error:
            problem = f"{error}. Bring the index up to date with: git -C {shlex.quote(str(repository.place))} reset"
        return Committed(
            commit_id,
            files=tuple(sorted(repository.difference(before.base, now.base))),
            own=own,
            left=tuple(sorted({*rest.left, *rest.entries})),
            branch=before.branch,
            rest=(*sorted(rest.entries), *changed_inside(snapshot, now)),
            problem=problem,
            left_out=_left_out(repository, distrusted),
        )


def _left_out(repository: Repository, distrusted: str) -> str:
    keys = [key for key, _ in repository.withheld]
    filters = [f"filter {shown(key[7:-6])}" for key in keys if key.startswith("filter.") and key.endswith(".clean")]
    parts = [*["hooks"] * bool(distrusted), *filters, *["a signature"] * ("commit.gpgSign" in keys)]
    if not parts:
        return ""
    changed = distrusted or "git's configuration"
    return (
        f"committed without {naming(parts, 5)}: {changed} changed while the task worked, and what a task may have "
        "written is run only with working_directory.run_changed_hooks"
    )


def commits_since(repository: Repository, snapshot: Snapshot, now: Snapshot) -> tuple[str, ...]:
    """The commits between the snapshot and now, oldest first."""
    if now.head == snapshot.head or not now.head:
        return ()
    span = [now.head, *([f"^{snapshot.head}"] if snapshot.head else [])]
    found = repository.git("rev-list", "--topo-order", f"--max-count={_MOST}", *span).out.split()
    return tuple(reversed(found))


def _unstage(repository: Repository, snapshot: Snapshot, now: Snapshot) -> None:
    """Take back what the task staged of files that are as in the commit: it would be in the way of the next run."""
    if now.operation or now.staged == now.base:
        return
    staged = repository.difference(now.base, now.staged)
    kept = {*repository.difference(snapshot.base, snapshot.staged), *repository.difference(now.base, now.files)}
    write_index(repository, {path: before for path, (before, _) in staged.items() if path not in kept})
    repository.ask("update-index", "-q", "--refresh")


def _unfinished(snapshot: Snapshot, operation: str) -> str:
    if not snapshot.operation:
        return f"the task left a {operation} unfinished"
    return f"a {operation} is under way in {shown(snapshot.directory)}: {way_out(operation)}"


def _identity(repository: Repository, author: str) -> Mapping[str, str]:
    """Who commits, as far as git does not know: ccs itself when nobody does."""
    name, _, mail = author.rpartition(" <")
    given = {"GIT_COMMITTER_NAME": name, "GIT_COMMITTER_EMAIL": mail.removesuffix(">")} if author else {}
    nobody = [
        who
        for who in (["COMMITTER"] if author else ["AUTHOR", "COMMITTER"])
        if not repository.ask("-c", "user.useConfigOnly=true", "var", f"GIT_{who}_IDENT").ok
    ]
    if not nobody:
        return {}
    if given:
        return given
    nobody_knows = {"NAME": "ccs", "EMAIL": f"ccs@{node_name()}"}  # a night's work is not lost for want of a name
    return {f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in nobody_knows.items()}


def _commit(
    repository: Repository,
    origin: Origin,
    author: str,
    identity: Mapping[str, str],
    timeout: float,
    hooks: bool,
    head: str,
    entries: Mapping[str, TreeEntry | None],
) -> str:
    """Commit these entries on top of what is checked out; the commit's id."""
    with scratch_index(repository) as index:
        repository.git("read-tree", *(["--reset", head] if head else ["--empty"]), index=index)
        write_index(repository, entries, index)
        repository.ask("update-index", "-q", "--refresh", index=index)
        with _message(origin.text) as message:
            try:
                said = repository.ask(
                    *("-c", "user.useConfigOnly=true", "commit", "--quiet", "--cleanup=whitespace"),
                    *(("--author", author) if author else ()),
                    *("--no-edit", "--file", message.name),
                    index=index, env=identity, timeout=timeout, hooks=hooks,
                )  # fmt: skip
            except GitTimeoutError as error:
                raise GitError(
                    f"{error}: a hook hangs, or the program that signs commits waits for a passphrase"
                ) from None
    new = repository.head
    if not said.ok and new == head:
        raise _refused(repository, said)
    differs = {path: after for path, (_, after) in repository.difference(head or repository.tree_of(""), new).items()}
    with contextlib.suppress(GitError):  # another git has the index; it is tried again in the end
        write_index(repository, differs)
    repository.ask("update-index", "-q", "--refresh")
    return new


@contextlib.contextmanager
def _message(text: str) -> Iterator[IO[str]]:
    """A file with the text, gone after the block."""
    with contextlib.ExitStack() as stack:
        try:
            file = stack.enter_context(tempfile.NamedTemporaryFile("w", encoding="utf-8", prefix="ccs-message-"))
            file.write(text)
            file.flush()
        except OSError as error:
            raise GitError(f"the message of the commit cannot be written: {error.strerror or error}") from None
        yield file


def _refused(repository: Repository, said: Answer) -> GitError:
    if locks.named(said.err):
        return repository.failure("commit", said)
    lines = [shown(line) for line in (said.err + said.out).splitlines() if line.strip()][-10:]
    told = " | ".join(lines)[-1500:] or "it does not say why, as a hook does that ends with an error"
    return GitError(f"`git commit` was refused in {shown(repository.place)}, by a hook or by git: {told}")
