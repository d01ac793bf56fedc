"""The worktrees that a repository knows of, its main checkout included."""

from dataclasses import dataclass
from pathlib import Path

from ccs.flows.git.folder import refuse_link
from ccs.flows.git.repository import Repository


@dataclass(frozen=True)
class Registered:
    """One of them, as git lists it."""

    path: Path
    head: str
    branch: str
    """Empty when HEAD is detached."""
    locked: str | None
    """Why it is locked, which may be an empty text; None when it is not."""

    @property
    def is_unfinished(self) -> bool:
        """Whether git was ended while it made the worktree."""
        return self.locked == "initializing"

    def is_at(self, path: Path) -> bool:
        """Whether it is at this path, which need not exist."""
        return self.path == path or self.path.resolve() == path.resolve()


def registered(repository: Repository) -> list[Registered]:
    """All worktrees of the repository, also those whose folder is gone. GitError when git would follow a link there."""
    folder = repository.common_dir / "worktrees"
    for place in (folder, *(folder.iterdir() if folder.is_dir() else ())):
        refuse_link(place)
    said = repository.ask("worktree", "list", "--porcelain", "-z")
    if said.ok:
        records = [record.split("\0") for record in said.out.split("\0\0")]
    else:  # git before 2.36 has no -z
        records = [r.split("\n") for r in repository.git("worktree", "list", "--porcelain").out.split("\n\n")]
    found = []
    for record in records:
        facts = dict(line.partition(" ")[::2] for line in record if line)
        if path := facts.get("worktree"):
            branch = facts.get("branch", "").removeprefix("refs/heads/")
            found.append(Registered(Path(path), facts.get("HEAD", ""), branch, facts.get("locked")))
    return found
