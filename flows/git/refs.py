"""The refs of ccs: by them git keeps what no branch has, for whoever wants it back."""

from collections.abc import Sequence

from ccs.flows.git.command import GitError, shown
from ccs.flows.git.repository import Repository
from ccs.flows.spec.names import slug

ROOT = "refs/ccs/"

_KEEPER = {
    "GIT_AUTHOR_NAME": "ccs",
    "GIT_AUTHOR_EMAIL": "ccs@localhost",
    "GIT_COMMITTER_NAME": "ccs",
    "GIT_COMMITTER_EMAIL": "ccs@localhost",
}


def aside_ref(run_id: str, task: str) -> str:
    """The ref for what is set aside of a task; with more at its end when it is taken, or for a part of it."""
    return f"{ROOT}aside/{slug(run_id)}/{slug(task)}"


def write_commit(repository: Repository, tree: str, parents: Sequence[str], message: str) -> str:
    """A commit of a tree; its id."""
    options = [word for parent in parents for word in ("-p", parent)]
    return repository.git("commit-tree", tree, *options, stdin=message + "\n", env=_KEEPER).line


def keep(repository: Repository, ref: str, commit: str) -> str:
    """Have a ref name the commit, a new one in any case, and say which; GitError when that cannot be done."""
    nothing = "0" * len(commit)
    for number in range(1, 1000):
        name = ref if number == 1 else f"{ref}-{number}"
        if repository.ask("rev-parse", "--verify", "--quiet", name).ok:
            continue
        repository.git("update-ref", "-m", "ccs: set aside", name, commit, nothing)
        return name
    raise GitError(f"{ref} and a thousand after it are taken in {shown(repository.place)}")
