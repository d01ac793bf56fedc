"""What of a task's changes is to be committed: what somebody else had begun is not."""

from collections.abc import Mapping
from dataclasses import dataclass

from ccs.flows.git import submodules
from ccs.flows.git.repository import DIFF, GITLINK, Repository, TreeEntry
from ccs.flows.git.snapshot import Snapshot


@dataclass(frozen=True)
class Selection:
    """Changes since a snapshot, sorted out."""

    entries: Mapping[str, TreeEntry | None]
    """By path what is to be committed; None for a file that is gone."""
    left: frozenset[str]
    """The paths that the task changed and that are not: uncommitted before, ignored, or a repository of its own."""


def select(repository: Repository, snapshot: Snapshot, now: Snapshot) -> Selection:
    """Sort out what is uncommitted now, of what has changed since the snapshot."""
    since = repository.difference(snapshot.files, now.files)
    uncommitted = {path: after for path, (_, after) in repository.difference(now.base, now.files).items()}
    dirty = set(snapshot.dirty(repository)) & set(uncommitted)
    kept = dirty | _renamed_from(repository, snapshot, now, dirty - {p for p, e in uncommitted.items() if e})
    kept |= {p for p in uncommitted if any(_overlap(p, d) for d in dirty)}
    added = [path for path, entry in uncommitted.items() if entry and path not in kept]
    kept |= _ignored(repository, now, added) | _embedded(repository, uncommitted, added)
    left = (kept & set(since)) | (set(now.nested) - set(snapshot.nested)) | set(changed_inside(snapshot, now))
    return Selection({path: entry for path, entry in uncommitted.items() if path not in kept}, frozenset(left))


def changed_inside(snapshot: Snapshot, now: Snapshot) -> tuple[str, ...]:
    """The submodules in which the task left uncommitted changes."""
    return tuple(sorted(set(now.submodules) - set(snapshot.submodules)))


def _overlap(path: str, other: str) -> bool:
    """Whether one is a file where the other needs a folder."""
    return path.startswith(other + "/") or other.startswith(path + "/")


def _renamed_from(repository: Repository, snapshot: Snapshot, now: Snapshot, gone: set[str]) -> set[str]:
    """New names of files that were uncommitted before: their content is not the task's."""
    if not gone:
        return set()
    fields = repository.git(*DIFF, "-M", "--name-status", snapshot.files, now.files).fields
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
