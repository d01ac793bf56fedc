"""What a task took out of its place without being asked to: stashes, commits, somebody's uncommitted files.

`claude` has git at hand. What is in no commit and in no file afterwards, or in no branch any more, is kept by a ref,
and said.
"""

import re
import shlex
from dataclasses import replace
from pathlib import Path

from ccs.flows.git.command import naming, shown
from ccs.flows.git.refs import aside_ref, keep, write_commit
from ccs.flows.git.snapshot import Snapshot, branches_and_stashes

_HEADS = "refs/heads/"
_MOST = 200
"""Commits that are counted."""
_NAMED = 20
"""Files that a line for a shell names."""


def losses(snapshot: Snapshot, run_id: str, task: str) -> tuple[str, ...]:
    """What is not where it was at the snapshot, and how to get it back, in sentences. Raises GitError.

    To be asked when the task's own changes are committed or set aside.
    """
    return tuple(_Losses(snapshot, aside_ref(run_id, task)).sentences())


class _Losses:
    def __init__(self, snapshot: Snapshot, ref: str) -> None:
        self.snapshot, self.ref = snapshot, ref
        # From its top: the directory below may have gone with what was set aside.
        self.repository = replace(snapshot, directory=snapshot.top or snapshot.directory).repository
        self.git = f"git -C {shlex.quote(str(self.repository.place))}"
        self.head, self.branch = self.repository.head, self.repository.branch
        refs, self.elsewhere = branches_and_stashes(self.repository)
        self.heads, self.stashes = _sorted_out(refs)
        self.heads_before, self.stashes_before = _sorted_out(snapshot.refs)

    def sentences(self) -> list[str]:
        stashed, files = self.stashed()
        return [*self.moved(), *stashed, *self.unstashed(), *self.orphaned(), *self.overwritten(files)]

    def moved(self) -> list[str]:
        if self.branch == self.snapshot.branch:
            return []
        now, before = (f"branch {shown(name)}" if name else "no branch" for name in (self.branch, self.snapshot.branch))
        return [f"{shown(self.repository.place)} was on {before} before the task and is on {now} since"]

    def stashed(self) -> tuple[list[str], set[str]]:
        """What went into the stash; and the files in it."""
        fresh = [c for c, words in self.stashes.items() if c not in self.stashes_before and not self.is_others(words)]
        said, hidden = [], set()
        for commit in fresh:
            files = self.files_in(commit)
            hidden |= files
            entry = shlex.quote(f"stash@{{{list(self.stashes).index(commit)}}}")
            said.append(
                f"{naming(sorted(files))} went into the stash and stayed there, in no commit: "
                f"get it back with: {self.git} stash pop {entry}"
            )
        return said, hidden

    def is_others(self, words: str) -> bool:
        """Whether a stash was made on a branch that another working tree has checked out."""
        found = re.match(r"(?:WIP on|On) (.+?): ", words)
        return bool(found and f"{_HEADS}{found[1]}" in self.elsewhere)

    def files_in(self, stash: str) -> set[str]:
        files = set(self.repository.difference(f"{stash}^1", stash))
        if self.repository.ask("rev-parse", "--verify", "--quiet", f"{stash}^3").ok:  # what git did not know
            files |= set(self.repository.difference(self.repository.tree_of(""), f"{stash}^3"))
        return files

    def unstashed(self) -> list[str]:
        said = []
        for commit, words in self.stashes_before.items():
            if commit in self.stashes:
                continue
            ref = keep(self.repository, f"{self.ref}-stash", commit)
            said.append(
                f'"{shown(words)}" is not in the stash any more, and kept as {ref}: '
                f"put it back with: {self.git} stash store -m {shlex.quote(shown(words))} {ref}"
            )
        return said

    def orphaned(self) -> list[str]:
        """Commits of before that no branch has any more: reset, rewritten, or their branch was deleted."""
        before = dict(self.heads_before)
        if self.snapshot.head and not self.snapshot.branch:
            before["HEAD"] = self.snapshot.head
        said = []
        for name, tip in before.items():
            if self.heads.get(name, self.head) == tip or not (gone := self.in_no_branch(name, tip)):
                continue
            ref = keep(self.repository, f"{self.ref}-commits", tip)
            subject = shown(self.repository.git("log", "-1", "--format=%s", gone[0], "--").line)
            many = f"{len(gone)} commits" if len(gone) > 1 else "a commit"
            said.append(
                f'{many} of {shown(name.removeprefix(_HEADS))}, "{subject}", {"are" if len(gone) > 1 else "is"} in no '
                f"branch any more, and kept as {ref}: look with: {self.git} log {ref}"
            )
        return said

    def in_no_branch(self, name: str, tip: str) -> list[str]:
        """Commits below a former tip that can be found nowhere else, not even rewritten on top of something else."""
        everything = ["--not", "--branches", "--remotes", "--tags", *(["HEAD"] if self.head else [])]
        gone = self.repository.ask("rev-list", f"--max-count={_MOST}", tip, *everything).out.split()
        if gone and (after := self.heads.get(name, self.head)):
            span = ("--left-only", "--cherry-pick", f"{tip}...{after}", "--")
            changed = set(self.repository.git("rev-list", *span).out.split())
            gone = [commit for commit in gone if commit in changed]
        return gone

    def overwritten(self, stashed: set[str]) -> list[str]:
        """Uncommitted files of before that are now as committed, or gone, and are found nowhere else."""
        before, repository = self.snapshot, self.repository
        if before.files == before.base and not before.nested:
            return []
        now = Snapshot.of(repository)
        since = repository.difference(before.files, now.files)
        there = {after for _, after in since.values() if after}  # moved to another name
        went_on = repository.ask("merge-base", "--is-ancestor", before.head, now.head).ok
        edited = {
            *repository.difference(now.base, now.files),
            *(repository.difference(before.base, now.base) if went_on else ()),
        }
        gone = {path for path, (_, after) in since.items() if after is None}
        lost = sorted(
            path
            for path, (_, entry) in before.dirty(repository).items()
            if entry
            and path in since
            and entry not in there
            and (path in gone or path not in edited)
            and path not in stashed
        )
        said = []
        if lost:
            who = f"uncommitted before {before.branch or 'the task'}"
            commit = write_commit(repository, before.files, [before.head] if before.head else [], who)
            ref = keep(repository, f"{self.ref}-before", commit)
            paths = " ".join(shlex.quote(path) for path in lost)
            back = f"restore --source {ref} -- {paths}" if len(lost) <= _NAMED else f"show --stat {ref}"
            said.append(
                f"{naming(lost)}, uncommitted before the task, was overwritten or deleted by it, and kept as {ref}: "
                f"{'get it back' if len(lost) <= _NAMED else 'look'} with: {self.git} {back}"
            )
        assert repository.top
        if nested := [path for path in before.nested if not Path(repository.top, path).exists()]:
            said.append(f"{naming(nested)}, a repository that was there before the task, is gone")
        return said


def _sorted_out(refs: tuple[str, ...]) -> tuple[dict[str, str], dict[str, str]]:
    """Commits by branch; what is said of stashes by their commit."""
    pairs = [line.partition(" ")[::2] for line in refs]
    heads = {name: commit for commit, name in pairs if name.startswith(_HEADS)}
    return heads, {commit: words for commit, words in pairs if not words.startswith(_HEADS)}
