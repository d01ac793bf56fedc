"""Links in the place of what is written or deleted below a repository: nothing of it happens where they lead."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ccs.flows.git import journal
from ccs.flows.git.aside import aside
from ccs.flows.git.busy import Hold
from ccs.flows.git.command import GitError
from ccs.flows.git.commit import commit
from ccs.flows.git.message import Origin
from ccs.flows.git.pruning import remove, trees
from ccs.flows.git.snapshot import Snapshot
from tests.worlds.git import a_repository, content, git, prepared, write

LINKS = (
    *(".git/ccs", ".git/ccs/lock", ".git/ccs/run", ".git/ccs/task", ".git/ccs/making-night"),
    *(".git/ccs/aside", ".git/ccs/aside/r", ".git/ccs/aside/r/t", ".git/info", ".git/info/exclude"),
    *("trees", "trees/night", ".git/worktrees", ".git/worktrees/night", ".git/worktrees/night/ccs"),
    *(".git/worktrees/night/ccs/run", ".git/worktrees/night/ccs/task"),
)


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return a_repository(tmp_path / "repo")


def everything(repo: Path) -> list[str]:
    """Do all that we do in a repository; what was refused."""
    refused = []

    def tried(act: Callable[[], object]) -> None:
        try:
            act()
        except GitError as error:
            refused.append(str(error))

    def task(place: Path, end: Callable[[Snapshot], object]) -> None:
        tried(lambda: Hold.take(place).release())
        file = repo.parent / "open.json"
        snapshot = Snapshot.take(place)
        entry = journal.begin(file, snapshot, "r", "t")
        write(place, **{"a.txt": "two\n", "nested/x.txt": "x"})
        git(place / "nested", "init", "-q")
        git(place / "nested", "commit", "-q", "--allow-empty", "-m", "x")
        entry.leave()
        tried(lambda: end(snapshot))
        tried(lambda: journal.recover(file))

    tried(lambda: prepared(repo, "night", "main"))
    linked = (repo / "trees").is_symlink() or (repo / "trees/night").is_symlink()
    for place in (repo, *([] if linked else [repo / "trees/night"])):  # what is behind them is the task's to write
        tried(lambda place=place: task(place, lambda s: aside(s, "r", "t")))  # type: ignore[misc]
        tried(lambda place=place: task(place, lambda s: commit(s, Origin("j", "t", "r"))))  # type: ignore[misc]
    tried(lambda: trees(repo))
    tried(lambda: remove(repo, "night", force=True))
    return refused


@pytest.mark.parametrize("with_content", [True, False], ids=["moved there", "empty there"])
@pytest.mark.parametrize("link", LINKS)
def test_a_link_is_not_followed_and_is_named(repo: Path, tmp_path: Path, link: str, with_content: bool) -> None:
    if "worktrees" in link or link.startswith("trees"):
        prepared(repo, "night", "main")
    outside, place = tmp_path / "outside", repo / link
    place.parent.mkdir(parents=True, exist_ok=True)
    is_file = link.endswith(("lock", "run", "task", "making-night", "exclude"))
    if with_content and place.exists():
        place.rename(outside)
    elif is_file:
        outside.write_text("precious\n")
    else:
        outside.mkdir()
    if place.is_dir():
        shutil.rmtree(place)
    place.unlink(missing_ok=True)
    if not is_file:
        write(outside, **{"precious/index-old/x": "x", "index-old/x": "x", "making-night/x": "x"})
        os.utime(outside / "index-old", (1, 1))
    place.symlink_to(outside)
    before = content(tmp_path / "outside") if not is_file else outside.read_bytes()
    refused = everything(repo)
    assert (content(tmp_path / "outside") if not is_file else outside.read_bytes()) == before
    assert place.is_symlink()
    assert all("\n" not in said for said in refused)
    assert any(str(place) in said for said in refused), refused


def test_an_old_index_that_is_a_link_is_left_alone(repo: Path, tmp_path: Path) -> None:
    write(tmp_path / "outside", precious="x")
    (repo / ".git/ccs").mkdir()
    (repo / ".git/ccs/index-old").symlink_to(tmp_path / "outside")
    os.utime(tmp_path / "outside", (1, 1))
    os.utime(repo / ".git/ccs/index-old", (1, 1), follow_symlinks=False)
    everything(repo)
    assert (tmp_path / "outside/precious").read_text() == "x"
