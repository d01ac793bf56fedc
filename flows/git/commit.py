"""The commit of a task: what it changed, and nothing of what was uncommitted before."""

import contextlib
import shlex
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import IO

from ccs.flows.git import locks, submodules
from ccs.flows.git.command import LONG, Answer, GitError, GitTimeoutError, naming, shown
from ccs.flows.git.message import Origin
from ccs.flows.git.repository import GITLINK, Repository, TreeEntry
from ccs.flows.git.snapshot import Snapshot, changes, way_out
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
    changed: tuple[str, ...]
    """All files that the task changed, in commits or not."""
    branch: str
    """Where the commits are; empty when HEAD is detached."""
    rest: tuple[str, ...]
    """Those of `left` that would be in the way of the next run: hooks have changed them once more after the commit of
    what they changed before, or they are submodules with changes inside."""
    problem: str
    """Why the index does not have what is committed, and what to do; or nothing."""

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
        return "; ".join(parts)


def commit(snapshot: Snapshot, origin: Origin, author: str = "", timeout: float = LONG) -> Committed:
    """Commit what changed since the snapshot, as far as it was clean then.

    What somebody had staged before stays staged. The repository's hooks run and may take `timeout` seconds; with a
    commit that they change or that changes files, what they changed is committed, too. `author` is as in
    `Name <mail>`; left out, git's own. Raises GitError, with everything left uncommitted in the files.
    """
    repository = snapshot.repository
    with locks.changing(repository.common_dir):
        before = Snapshot.of(repository)
        wanted, left = _sorted_out(repository, snapshot, before)
        if not wanted:
            _unstage(repository, snapshot, before)
            return _result(repository, snapshot, before, before, None, (), left)
        if before.operation:
            problem = way_out(before) if snapshot.operation else f"the task left a {before.operation} unfinished"
            raise GitError(f"the changes of task {shown(origin.task)} cannot be committed: {problem}")
        identity = _identity(repository, author)
        repository.await_index()  # a commit that the index does not follow would look like its opposite, staged
        try:
            commit_id = _commit(repository, before.head, wanted, origin, author, identity, timeout)
        except GitError:
            # A hook that formats the files and refuses them as they were is content the second time.
            again, left = _sorted_out(repository, snapshot, Snapshot.of(repository))
            if again == wanted:
                raise
            commit_id = _commit(repository, before.head, again, origin, author, identity, timeout)
        now = Snapshot.of(repository)
        rest, left = _sorted_out(repository, snapshot, now)
        if any(wanted.get(path) != entry for path, entry in rest.items()):  # a hook wrote into the files, unstaged
            with contextlib.suppress(GitError):
                commit_id = _commit(repository, commit_id, rest, origin, author, identity, timeout)
            now = Snapshot.of(repository)
            rest, left = _sorted_out(repository, snapshot, now)
        left |= set(rest)
        problem = ""
        try:
            _unstage(repository, snapshot, now)
        except GitError as error:
            problem = f"{error}. Bring the index up to date with: git -C {shlex.quote(str(repository.place))} reset"
        files = repository.difference(before.base, now.base)
        return _result(repository, snapshot, before, now, commit_id, files, left, rest, problem)


def _result(
    repository: Repository,
    snapshot: Snapshot,
    before: Snapshot,
    now: Snapshot,
    commit_id: str | None,
    files: Iterable[str],
    left: Iterable[str],
    rest: Iterable[str] = (),
    problem: str = "",
) -> Committed:
    return Committed(
        commit_id,
        files=tuple(sorted(files)),
        own=commits_since(repository, snapshot, before),
        left=tuple(sorted(left)),
        changed=tuple(changes(snapshot, now)),
        branch=before.branch,
        rest=(*sorted(rest), *_inside(snapshot, now)),
        problem=problem,
    )


def commits_since(repository: Repository, snapshot: Snapshot, now: Snapshot) -> tuple[str, ...]:
    """The commits between the snapshot and now, oldest first."""
    if now.head == snapshot.head or not now.head:
        return ()
    span = [now.head, *([f"^{snapshot.head}"] if snapshot.head else [])]
    found = repository.git("rev-list", "--topo-order", f"--max-count={_MOST}", *span).out.split()
    return tuple(reversed(found))


def _sorted_out(
    repository: Repository, snapshot: Snapshot, now: Snapshot
) -> tuple[dict[str, TreeEntry | None], set[str]]:
    """What to commit, and what of the task's changes not to."""
    since = repository.difference(snapshot.files, now.files)
    uncommitted = {path: after for path, (_, after) in repository.difference(now.base, now.files).items()}
    dirty = set(snapshot.dirty(repository)) & set(uncommitted)
    kept = dirty | _renamed_from(repository, snapshot, now, dirty - {p for p, e in uncommitted.items() if e})
    kept |= {p for p in uncommitted if any(_overlap(p, d) for d in dirty)}
    added = [path for path, entry in uncommitted.items() if entry and path not in kept]
    kept |= _ignored(repository, now, added) | _embedded(repository, uncommitted, added)
    left = (kept & set(since)) | (set(now.nested) - set(snapshot.nested)) | {*_inside(snapshot, now)}
    return {path: entry for path, entry in uncommitted.items() if path not in kept}, left


def _inside(snapshot: Snapshot, now: Snapshot) -> tuple[str, ...]:
    """The submodules in which the task left uncommitted changes."""
    return tuple(sorted(set(now.submodules) - set(snapshot.submodules)))


def _unstage(repository: Repository, snapshot: Snapshot, now: Snapshot) -> None:
    """Take back what the task staged of files that are as in the commit: it would be in the way of the next run."""
    if now.operation or now.staged == now.base:
        return
    staged = repository.difference(now.base, now.staged)
    kept = {*repository.difference(snapshot.base, snapshot.staged), *repository.difference(now.base, now.files)}
    repository.write_index({path: before for path, (before, _) in staged.items() if path not in kept})
    repository.ask("update-index", "-q", "--refresh")


def _overlap(path: str, other: str) -> bool:
    """Whether one is a file where the other needs a folder."""
    return path.startswith(other + "/") or other.startswith(path + "/")


def _renamed_from(repository: Repository, snapshot: Snapshot, now: Snapshot, gone: set[str]) -> set[str]:
    """New names of files that were uncommitted before: their content is not the task's."""
    if not gone:
        return set()
    fields = repository.git("diff-tree", "-r", "-z", "-M", "--name-status", snapshot.files, now.files).fields
    renamed, position = set(), 0
    while position < len(fields):
        if fields[position].startswith("R"):
            if fields[position + 1] in gone:
                renamed.add(fields[position + 2])
            position += 3
        else:
            position += 2
    return renamed


def _ignored(repository: Repository, now: Snapshot, paths: list[str]) -> set[str]:
    """Those of the paths that are new and that .gitignore names: somebody forced them into the index."""
    staged = repository.difference(now.base, now.staged)
    forced = [path for path in paths if path in staged and staged[path][0] is None]
    if not forced:
        return set()
    said = repository.ask("check-ignore", "--no-index", "-z", "--stdin", stdin="".join(f"{p}\0" for p in forced))
    if said.code > 1:
        raise repository.failure("check-ignore", said)
    return set(said.fields)


def _embedded(repository: Repository, entries: Mapping[str, TreeEntry | None], added: list[str]) -> set[str]:
    """Those of the new paths that are repositories without being submodules: a clone would not have them."""
    links = {path for path in added if (entry := entries[path]) and entry[0] == GITLINK}
    return links - {path for _, path in submodules.named(repository)} if links else set()


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
    head: str,
    entries: Mapping[str, TreeEntry | None],
    origin: Origin,
    author: str,
    identity: Mapping[str, str],
    timeout: float,
) -> str:
    """Commit these entries on top of what is checked out; the commit's id."""
    with repository.scratch_index() as index:
        repository.git("read-tree", *(["--reset", head] if head else ["--empty"]), index=index)
        repository.write_index(entries, index)
        repository.ask("update-index", "-q", "--refresh", index=index)
        with _message(origin.text) as message:
            try:
                said = repository.ask(
                    *("-c", "user.useConfigOnly=true", "commit", "--quiet", "--cleanup=whitespace"),
                    *(("--author", author) if author else ()),
                    *("--no-edit", "--file", message.name),
                    index=index, env=identity, timeout=timeout,
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
        repository.write_index(differs)
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
