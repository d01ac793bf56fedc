"""The journals of runs: what a killed run left in its directory is set aside by them, so the next is not refused."""

import json
from collections.abc import Iterator
from pathlib import Path

from ccs.flows.git import journal
from ccs.flows.git.busy import Hold
from ccs.flows.git.command import GitError
from ccs.flows.git.repository import Repository
from ccs.flows.node.identity import state_folder


def journal_file(run_id: str) -> Path:
    """Where a run notes what it has begun in its directory, for whoever comes after its death."""
    return state_folder() / "runs" / run_id / "open.json"


def recover(run_id: str, own: Hold | None = None, *, is_own: bool = False) -> str:
    """Set aside what the tasks of a dead run changed; what was done, in a sentence, or nothing.

    `own` is the caller's share in the directory, if it has one. Only a run that `is_own` tells names of files and what
    git says: the secrets of a dead run's profiles, which these may hold, are not known to its node, nor to the next
    run, which may be that of another job. Those know their login to the server, and the next its own profiles.
    """
    try:
        done = journal.recover(journal_file(run_id), own)
    except GitError as error:
        why = error if is_own else "look with `git status` there"
        return f"what run {run_id} left in its directory could not be set aside: {why}"
    if done is None:
        return ""
    return done.sentence if is_own else done.nameless


def runs_in(repository: Repository) -> Iterator[str]:
    """The runs that began something in a working tree and did not end it: the killed, and those that wait to go on."""
    for file in state_folder().glob("runs/*/open.json"):
        try:
            stored = json.loads(file.read_text())["snapshot"]["git_dir"]
        except (OSError, ValueError, KeyError, TypeError):
            continue  # gone meanwhile, or nothing of ours
        if stored == str(repository.git_dir):
            yield file.parent.name


def forget(run_id: str) -> None:
    """End what a run has begun: its directory is gone, with all that its tasks had changed. Raises GitError."""
    if found := journal.resume(journal_file(run_id)):
        found.end()
