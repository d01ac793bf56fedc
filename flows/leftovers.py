"""What a killed run left in the directory it worked in: set aside, so that the next night is not refused."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

from ccs.flows.git import journal
from ccs.flows.git.busy import Hold
from ccs.flows.git.command import GitError
from ccs.flows.git.repository import Repository
from ccs.flows.workplace import state_folder


def journal_file(run_id: str) -> Path:
    """Where a run notes what it has begun in its directory, for whoever comes after its death."""
    return state_folder() / "runs" / run_id / "open.json"


def recover(run_id: str, own: Hold | None = None) -> str:
    """Set aside what the tasks of a dead run changed; what was done, in a sentence, or nothing.

    The caller's `own` share in the directory keeps nobody from it.
    """
    try:
        done = journal.recover(journal_file(run_id), own)
    except GitError as error:
        return f"what run {run_id} left in its directory could not be set aside: {error}"
    return done.sentence if done else ""


def recover_working_tree(repository: Repository, is_over: Callable[[str], bool], own: Hold | None) -> Iterator[str]:
    """The same for all runs that are over and left something there, such as one that was cancelled while it waited."""
    for file in state_folder().glob("runs/*/open.json"):
        try:
            stored = json.loads(file.read_text())["snapshot"]["git_dir"]
        except (OSError, ValueError, KeyError, TypeError):
            continue  # gone meanwhile, or nothing of ours
        run_id = file.parent.name
        if stored == str(repository.git_dir) and is_over(run_id) and (sentence := recover(run_id, own)):
            yield sentence
