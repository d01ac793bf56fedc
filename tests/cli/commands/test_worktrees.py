"""`ccs worktrees`: what is listed, and that nothing is removed that somebody may still need."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from ccs.flows.git.busy import Hold, Kind
from tests.worlds.cli import Cli
from tests.worlds.git import a_repository, commit_by_hand, git, prepared, status, write


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return a_repository(tmp_path / "a repo", **{"a.txt": "one\n", "sub/b.txt": "b\n", ".gitignore": "*.log\n"})


@pytest.fixture
def cli() -> Cli:
    return Cli({"PREFECT_API_URL": "http://127.0.0.1:9/api"})  # nobody answers there, and nobody is asked


def worktree(repo: Path, name: str, base: str = "main", **work: str) -> Path:
    made = prepared(repo, name, base).path
    if work:
        commit_by_hand(made, **work)
    return made


def pruned(ccs: Cli, repo: Path, *options: str) -> dict[str, str]:
    """Name and reason of what was looked at; an empty reason means that it is gone."""
    rows = ccs.ok("worktrees", "prune", "-C", str(repo), "--yes", *options).json["worktrees"]
    left = {p.name for p in (repo / "trees").glob("*")}
    assert {row["name"] for row in rows if row["action"] == "kept" and not row["missing"]} == left
    return {row["name"]: row["reason"] for row in rows}


def branches(repo: Path) -> list[str]:
    return git(repo, "for-each-ref", "--format=%(refname:short)", "refs/heads").split()


def test_nothing_to_list(cli: Cli, repo: Path, tmp_path: Path) -> None:
    assert cli.ok("worktrees", "list", "-C", str(repo)).json == {"worktrees": []}
    assert "no worktree of a job here" in cli.ok("worktrees", "list", "-C", str(repo), "--output", "table").err
    said = cli("worktrees", "list", "-C", str(tmp_path))
    assert (said.code, "it is not inside a git repository" in said.err) == (1, True)
    said = cli("worktrees", "prune", "-C", str(tmp_path / "none"))
    assert (said.code, "there is no directory" in said.err) == (1, True)


def test_what_is_listed(cli: Cli, repo: Path) -> None:
    first, second = worktree(repo, "first", **{"x.txt": "x"}), worktree(repo, "second")
    commit_by_hand(repo, **{"since.txt": "s"})
    commit_by_hand(repo, **{"since.txt": "t"})
    write(second, **{"dirty.txt": "d", "noise.log": "ignored"})
    git(repo, "worktree", "add", "-q", "-b", "mine", str(repo.parent / "elsewhere"))
    for place in (repo, repo / "sub", second):
        rows = cli.ok("worktrees", "list", "-C", str(place)).json["worktrees"]
        assert [row["name"] for row in rows] == ["first", "second"]
    one, two = rows
    assert one["path"] == str(first)
    assert (one["branch"], one["base"], one["ahead"], one["behind"]) == ("first", "main", 1, 2)
    assert (one["dirty"], one["unmerged"], one["missing"], one["running"]) == (False, True, False, False)
    assert (two["ahead"], two["behind"], two["dirty"], two["changes"]) == (0, 2, True, ["dirty.txt"])
    assert two["last_change"].startswith("20")
    table = cli.ok("worktrees", "list", "-C", str(repo), "--output", "table").out
    assert table.splitlines()[0].split() == ["NAME", "BRANCH", "BASE", "AHEAD", "BEHIND", "STATE", "CHANGED", "PATH"]
    assert "unmerged" in table
    assert cli.ok("worktrees", "list", "-C", str(repo), "--output", "ids").out == "first\nsecond\n"


def test_the_current_directory_is_the_default(cli: Cli, repo: Path) -> None:
    worktree(repo, "night")
    done = subprocess.run(
        [str(Path(os.sys.executable).with_name("ccs")), "worktrees", "list"],  # type: ignore[attr-defined]
        cwd=repo / "sub", capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert '"name": "night"' in done.stdout


def test_clean_and_merged_ones_are_removed_with_their_branch(cli: Cli, repo: Path) -> None:
    worktree(repo, "fresh")
    worktree(repo, "merged", **{"m.txt": "m"})
    git(repo, "merge", "-q", "--no-edit", "merged")
    worktree(repo, "unmerged", **{"u.txt": "u"})
    write(worktree(repo, "dirty"), **{"a.txt": "edited\n"})
    write(worktree(repo, "untracked"), **{"new.txt": "n"})
    write(worktree(repo, "ignored"), **{"noise.log": "l"})
    both = worktree(repo, "both", **{"b.txt": "b"})
    write(both, **{"b.txt": "c"})
    assert pruned(cli, repo) == {
        "both": "it has uncommitted changes and it is not merged",
        "dirty": "it has uncommitted changes",
        "fresh": "",
        "ignored": "",
        "merged": "",
        "unmerged": "it is not merged",
        "untracked": "it has uncommitted changes",
    }
    assert branches(repo) == ["both", "dirty", "main", "unmerged", "untracked"]
    assert git(repo, "config", "--get-regexp", r"branch\.fresh\..*", ok=False) == ""
    assert (both / "b.txt").read_text() == "c"


def test_what_is_only_inside_a_worktree_keeps_it(cli: Cli, repo: Path, tmp_path: Path) -> None:
    git(tmp_path, "-c", "protocol.file.allow=always", "clone", "-q", "--bare", str(repo), str(tmp_path / "lib.git"))
    git(repo, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(tmp_path / "lib.git"), "lib")
    commit_by_hand(repo, "a submodule")
    outer, deep, _ = (worktree(repo, name) for name in ("outer", "deep", "plain"))
    git(outer, "worktree", "add", "-q", "-b", "inner", str(outer / "trees" / "inner"))  # as agents of claude do
    write(outer / "trees" / "inner", **{"work.txt": "not committed anywhere\n"})
    tip = commit_by_hand(deep / "lib", **{"new.txt": "in no other clone of the submodule\n"})
    commit_by_hand(deep, "the submodule goes on")
    git(repo, "merge", "-q", "deep")
    inside = f"worktree {outer}/trees/inner is inside"
    assert pruned(cli, repo) == {
        "deep": "submodule lib has commits that are nowhere else",
        "outer": inside,
        "plain": "",
    }
    assert inside in cli.ok("worktrees", "list", "-C", str(repo), "--output", "table").out
    assert (outer / "trees/inner/work.txt").exists()
    git(deep / "lib", "push", "-q", "origin", "HEAD:refs/heads/new")
    git(outer, "worktree", "remove", "--force", str(outer / "trees" / "inner"))
    assert pruned(cli, repo) == {"deep": "", "outer": ""}
    assert git(tmp_path / "lib.git", "rev-parse", "new") == tip


def test_force_takes_them_all_and_names_what_is_lost(cli: Cli, repo: Path) -> None:
    made = worktree(repo, "unmerged", **{"u.txt": "u"})
    tip = git(made, "rev-parse", "HEAD")
    write(worktree(repo, "dirty"), **{"a.txt": "edited\n"})
    said = cli.ok("worktrees", "prune", "-C", str(repo), "--force", "--output", "table")
    assert f"git branch unmerged {tip}" in said.err
    assert branches(repo) == ["main"]
    assert not (repo / "trees").exists()
    assert git(repo, "worktree", "list").count("\n") == 0


def test_it_asks(cli: Cli, repo: Path) -> None:
    made = worktree(repo, "night")
    said = cli("worktrees", "prune", "-C", str(repo))
    assert said.code == 1
    assert "not done without being asked: remove 1 worktrees" in said.err
    assert "--yes" in said.err
    assert made.exists()


def test_a_rehearsal_removes_nothing(cli: Cli, repo: Path) -> None:
    made = worktree(repo, "night")
    write(worktree(repo, "dirty"), **{"new.txt": "n"})
    rows = cli.ok("worktrees", "prune", "-C", str(repo), "--dry-run").json["worktrees"]
    assert [(row["name"], row["action"]) for row in rows] == [("dirty", "kept"), ("night", "would be removed")]
    rows = cli.ok("worktrees", "prune", "-C", str(repo), "--dry-run", "--force").json["worktrees"]
    assert {row["action"] for row in rows} == {"would be removed"}
    assert made.exists()
    assert branches(repo) == ["dirty", "main", "night"]


@pytest.mark.parametrize("kind", ["run", "task"])
def test_never_one_in_which_a_run_is_under_way(cli: Cli, repo: Path, kind: Kind) -> None:
    made = worktree(repo, "night")
    with Hold.take(made, kind):
        assert cli.ok("worktrees", "list", "-C", str(repo)).json["worktrees"][0]["running"]
        assert pruned(cli, repo, "--force") == {"night": "a run is under way"}
        assert (made / "a.txt").exists()
    assert pruned(cli, repo) == {"night": ""}


def test_only_old_ones(cli: Cli, repo: Path) -> None:
    worktree(repo, "young")
    worktree(repo, "old")
    past = time.time() - 10 * 86400
    for name in ("HEAD", "logs/HEAD"):
        os.utime(repo / ".git/worktrees/old" / name, (past, past))
    assert pruned(cli, repo, "--older-than", "7d") == {"old": "", "young": "it was changed not so long ago"}
    assert cli("worktrees", "prune", "-C", str(repo), "--older-than", "soon").code == 1


def test_commits_that_only_a_detached_head_has_are_unmerged(cli: Cli, repo: Path) -> None:
    made = worktree(repo, "night")
    git(made, "checkout", "-q", "--detach")
    commit_by_hand(made, **{"x.txt": "x"})
    assert pruned(cli, repo) == {"night": "it is not merged"}
    other = worktree(repo, "other")
    git(other, "checkout", "-q", "-b", "side")
    commit_by_hand(other, **{"y.txt": "y"})
    assert pruned(cli, repo)["other"] == "it is not merged"
    git(repo, "merge", "-q", "--no-edit", "side")
    assert pruned(cli, repo)["other"] == ""
    assert branches(repo) == ["main", "night", "side"]


def test_one_that_is_merged_where_the_base_comes_from(cli: Cli, repo: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", str(repo), "clone")
    clone = tmp_path / "clone"
    made = worktree(clone, "night", **{"x.txt": "x"})
    git(made, "push", "-q", "origin", "night")
    assert pruned(cli, clone) == {"night": "it is not merged"}
    git(repo, "merge", "-q", "--no-edit", "night")
    git(clone, "fetch", "-q")
    assert pruned(cli, clone) == {"night": ""}


def test_one_whose_base_is_gone_is_kept(cli: Cli, repo: Path) -> None:
    git(repo, "branch", "release")
    worktree(repo, "night", "release")
    git(repo, "branch", "-D", "release")
    assert pruned(cli, repo) == {"night": "it is not merged"}


def test_one_that_was_deleted_by_hand_is_forgotten(cli: Cli, repo: Path) -> None:
    made = worktree(repo, "night")
    subprocess.run(["rm", "-r", str(made)], check=True)
    row = cli.ok("worktrees", "list", "-C", str(repo)).json["worktrees"][0]
    assert row["missing"]
    assert pruned(cli, repo) == {"night": ""}
    assert branches(repo) == ["main"]
    lost = worktree(repo, "lost", **{"x.txt": "x"})
    subprocess.run(["rm", "-r", str(lost)], check=True)
    assert pruned(cli, repo) == {"lost": "it is not merged"}


def test_locked_ones_and_those_of_others_stay(cli: Cli, repo: Path, tmp_path: Path) -> None:
    git(repo, "worktree", "lock", str(worktree(repo, "night")))
    git(repo, "worktree", "add", "-q", "-b", "mine", str(tmp_path / "mine"))
    assert pruned(cli, repo, "--force") == {"night": "it is locked: git worktree unlock"}
    assert (tmp_path / "mine/a.txt").exists()


def test_an_unfinished_rebase_is_kept(cli: Cli, repo: Path) -> None:
    made = worktree(repo, "night", **{"x.txt": "x"})
    git(repo, "merge", "-q", "--no-edit", "night")
    git(made, "rebase", "-q", "-i", "HEAD~1", GIT_SEQUENCE_EDITOR="sed -i 1s/pick/edit/")
    assert status(made) == ""
    assert pruned(cli, repo) == {"night": "a rebase is under way"}
    assert pruned(cli, repo, "--force") == {"night": ""}


def test_submodules_and_bare_repositories(cli: Cli, repo: Path, tmp_path: Path) -> None:
    library = a_repository(tmp_path / "library", **{"lib.txt": "lib\n"})
    git(repo, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(library), "lib")
    commit_by_hand(repo)
    made = worktree(repo, "night")
    write(made / "lib", **{"lib.txt": "changed\n"})
    assert pruned(cli, repo) == {"night": "it has uncommitted changes"}
    write(made / "lib", **{"lib.txt": "lib\n"})
    assert pruned(cli, repo) == {"night": ""}
    git(tmp_path, "clone", "-q", "--bare", str(repo), "bare.git")
    worktree(tmp_path / "bare.git", "night")
    assert pruned(cli, tmp_path / "bare.git") == {"night": ""}


def test_odd_names_do_not_break_the_table(cli: Cli, tmp_path: Path) -> None:
    repo = a_repository(tmp_path / "line\nbreak")
    made = worktree(repo, "night")
    (made / os.fsdecode(b"\xff\n")).touch()
    assert len(cli.ok("worktrees", "list", "-C", str(repo), "--output", "table").out.splitlines()) == 2
    assert cli.ok("worktrees", "list", "-C", str(repo)).json["worktrees"][0]["changes"] == ["?\n"]
    assert cli.process("worktrees", "list", "-C", str(repo)).code == 0
