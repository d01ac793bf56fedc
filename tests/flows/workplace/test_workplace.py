"""Where the tasks of a run work, and what becomes of what they change: worktrees, commits, setting aside."""

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from pathlib import Path
from typing import Any

import pytest
from prefect.client.schemas.objects import State

from tests.fakes.anthropic import FakeApi
from tests.worlds.claude import bundled_claude
from tests.worlds.cli import Cli
from tests.worlds.flow import KEY, Server, does, limit_ends, limited, over_attempts, resumed, run, run_id, task, waits
from tests.worlds.git import a_repository, commit_by_hand, git, hook, status, write

Rows = dict[str, dict[str, Any]]


@pytest.fixture(autouse=True)
def _may_do_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IS_SANDBOX", "1")


def worktree(path: Path, name: str, base: str = "main") -> dict[str, Any]:
    """The working directory of a job that works in a worktree."""
    return {"path": str(path), "worktree": {"enabled": True, "name": name, "base_branch": base}}


def rows(server: Server, state: State[Any]) -> Rows:
    return {row["task"]: row for row in server.rows(state)}


def verdicts(found: Rows) -> dict[str, str]:
    return {name: row["verdict"] for name, row in found.items()}


def get_back(row: dict[str, Any]) -> None:
    """Paste the line that was printed into a shell."""
    line = row["aside"].partition("get it back with: ")[2]
    subprocess.run(["/bin/sh", "-c", line], check=True, capture_output=True, cwd="/")


def test_a_task_whose_worktree_was_removed_while_it_waited_begins_anew(
    server: Server, subscription: str, repository: Path
) -> None:
    git(repository, "branch", "-M", "main")
    file = {"file_path": str(repository / "trees" / "w" / "new.txt"), "content": "x\n"}
    step = {"tool": "Write", "input": file}
    spec = task("a", *over_attempts(step, limited(), step, {"text": "{{last}}"}))
    tree = {"working_directory": worktree(repository, "w")}
    waiting = waits(server, subscription, repository, spec, **tree)
    git(repository, "worktree", "remove", "--force", "trees/w")
    limit_ends(server, subscription)
    state = resumed(server, waiting)
    assert state is not None and state.is_completed(), state
    assert "the worktree was removed while the run waited" in server.logs(state, until="the worktree was removed")
    (row,) = server.rows(state)
    assert (row["verdict"], row["attempts"], row["changed"]) == ("ok", 2, 1)
    assert git(repository, "show", "w:new.txt") == "x"


def test_a_worktree_is_made_and_used_again_and_its_commits_say_whose_they_are(
    server: Server, fake_api: FakeApi, profile: str, repository: Path, tmp_path: Path
) -> None:
    tree = repository / "trees" / "nightly"
    job: dict[str, Any] = {
        "working_directory": worktree(repository, ""),
        "commit_author": "Night Shift <night@example.com>",
    }
    state = run(profile, repository, does("first", "echo 1 > a.txt"), does("second", "echo 2 > b.txt"), **job)
    found = rows(server, state)
    assert verdicts(found) == {"first": "ok", "second": "ok"}
    assert (git(tree, "branch", "--show-current"), status(tree), status(repository)) == ("nightly", "", "")
    assert "/trees/" in (repository / ".git/info/exclude").read_text().splitlines()
    assert git(tree, "show", "--format=%an <%ae> %(trailers:unfold)", "--name-only").split("\n") == [
        "Night Shift <night@example.com> Ccs-Job: nightly",
        "Ccs-Task: second",
        f"Ccs-Run: {run_id(state)}",
        f"Claude-Session: {found['second']['session_id']}",
        "", "", "b.txt",
    ]  # fmt: skip
    assert git(tree, "log", "--format=%H %s").split("\n")[:2] == [
        f"{found['second']['commit']} nightly/second: second is done",
        f"{found['first']['commit']} nightly/first: first is done",
    ]

    commit_by_hand(repository, **{"later.txt": "the base moves on\n"})
    again = run(profile, repository, does("third", "ls > seen"), **job)
    assert "existing worktree" in server.logs(again, until="existing worktree")
    assert (tree / "seen").read_text().split() == ["README", "a.txt", "b.txt", "seen"]  # as it was left

    ccs = Cli({"PREFECT_API_URL": str(server.http.base_url)})
    (listed,) = ccs.ok("worktrees", "list", "-C", str(repository)).json["worktrees"]
    assert (listed["base"], listed["ahead"], listed["behind"], listed["dirty"]) == ("main", 3, 1, False)
    told = ccs.ok("runs", "get", run_id(state), "--output", "table").out
    for text in (
        f"Worktree     {tree}",
        f"first: {found['first']['commit']}",
        f"claude --resume {found['first']['session_id']}",
    ):
        assert text in told
    by_hand = ccs.ok("runs", "get", run_id(state)).json["tasks"][0]["resume"]
    (tmp_path / "claude").symlink_to(bundled_claude())
    login = {"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": fake_api.url, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    subprocess.run(["/bin/sh", "-c", f"{by_hand} -p 'and now?'"], check=True, env={**os.environ, **login})
    assert fake_api.requests[-1]["messages"] >= 5  # it knows what was said before
    kept = ccs.ok("worktrees", "prune", "--yes", "-C", str(repository)).json["worktrees"]
    assert [(tree["action"], tree["reason"]) for tree in kept] == [("kept", "it is not merged")]


def test_runs_at_the_same_time_do_not_meet(server: Server, profile: str, repository: Path) -> None:
    def one(name: str, directory: dict[str, Any]) -> State[Any]:
        return run(profile, repository, does("a", f"echo x > {name}.txt"), name=name, working_directory=directory)

    plain = {"path": str(repository)}
    places = {
        "here": plain,
        "same": worktree(repository, "w"),
        "tree": worktree(repository, "w"),
        "other": worktree(repository, "v"),
    }
    with ThreadPoolExecutor(len(places)) as pool:
        started = [pool.submit(copy_context().run, one, name, place) for name, place in places.items()]
        states = [one_of_them.result() for one_of_them in started]
    assert [state.name for state in states] == ["Completed"] * len(places)
    for branch, names in (("main", {"here"}), ("w", {"same", "tree"}), ("v", {"other"})):
        log = git(repository, "log", "--format=%(trailers:key=Ccs-Job,valueonly,separator=)|", "--name-only", branch)
        commits = {tuple(part.split()) for part in log.replace("|\n\n", " ").split("\n") if "|" not in part}
        assert {(name, f"{name}.txt") for name in names} <= commits
    assert [status(tree) for tree in (repository, repository / "trees/w", repository / "trees/v")] == ["", "", ""]


def test_places_that_will_not_do_are_refused_in_one_sentence(server: Server, profile: str, repository: Path) -> None:
    fresh, bare = repository.parent / "fresh", repository.parent / "bare.git"
    git(repository, "init", "-q", str(fresh))
    git(repository, "clone", "-q", "--bare", str(repository), str(bare))
    write(repository, README="changed by the user\n")
    for directory, words in (
        (worktree(repository, "w", "mian"), "there is no branch 'mian' in"),
        (worktree(fresh, "w"), "has no commit yet, so no worktree can begin anywhere"),
        (worktree(repository.parent, "w"), "it is not inside a git repository"),
        ({"path": str(bare)}, "it is a bare repository, which has no files. Set working_directory.worktree.enabled"),
        ({"path": str(repository)}, "has uncommitted changes (README): commit or stash them, or set"),
    ):
        state = run(profile, repository, does("a", "true"), working_directory=directory)
        assert (state.name, server.artifacts(state)) == ("Failed", [])
        assert words in (state.message or "")
        assert "\n" not in (state.message or "")


def test_a_bare_repository_with_a_submodule_and_a_folder_trees_of_its_own(
    server: Server, profile: str, repository: Path
) -> None:
    inner = a_repository(repository.parent / "inner")
    git(repository, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(inner), "sub")
    commit_by_hand(repository, **{"trees/oak.txt": "a tree of another kind\n"})
    git(repository, "checkout", "-q", "--detach")
    for place in (
        repository,
        Path(
            git(repository.parent, "clone", "-q", "--bare", str(repository), "bare.git")
            or repository.parent / "bare.git"
        ),
    ):
        state = run(profile, place, does("a", "echo x > trees/elm.txt"), working_directory=worktree(place, "w"))
        assert state.is_completed(), state.message
        assert git(place, "show", "--name-only", "--format=", "w") == "trees/elm.txt"
    assert status(repository) == ""


def test_whatever_a_task_does_to_git_the_next_one_finds_it_in_order(
    server: Server, profile: str, repository: Path
) -> None:
    for name in ("user.name", "user.email"):
        git(repository, "config", name, "claude@localhost")
    git(repository, "checkout", "-q", "-b", "other")
    commit_by_hand(repository, README="other\n")
    git(repository, "checkout", "-q", "main")
    commit_by_hand(repository, README="main\n")
    formats = "[ ! -e f.txt ] || { sed -i 's/ *$//' f.txt && git add f.txt; }"
    hook(repository, "pre-commit", f"if [ -e bad ]; then echo bad is here >&2; exit 1; fi; {formats}")
    hook(repository, "commit-msg", 'grep -q "^Ccs-Task: " "$1" || grep -q mine "$1"')
    state = run(
        profile, repository, *[
            does("nothing", "true"),
            does("commits", "echo a > own && git add own && git commit -qm mine && echo b > rest"),
            does("formats", "echo 'x   ' > f.txt"),
            does("refused", "echo x > bad; echo y > new"),
            does("merges", "echo z > more.txt; git merge other"),
            does("rebases", "git rebase other"),
            does("stashes", "echo z > README; git stash -q"),
            does("branches", "git checkout -q -b third; echo c > c"),
        ], on_failure="continue",
    )  # fmt: skip
    found = rows(server, state)
    bad = {"refused": "commit", "merges": "commit", "rebases": "commit"}
    assert verdicts(found) == dict.fromkeys(found, "ok") | bad, state.message
    assert (found["nothing"]["commit"], found["nothing"]["changed"], found["stashes"]["commit"]) == ("", 0, "")
    assert [len(c) for c in found["commits"]["commit"].split(", ")] == [40, 40]
    assert git(repository, "show", f"{found['formats']['commit']}:f.txt") == "x"
    assert found["refused"]["detail"].endswith(", by a hook or by git: bad is here")
    assert found["merges"]["detail"].endswith("cannot be committed: the task left a merge unfinished")
    assert "; README went into the stash and stayed there, in no commit: get it" in found["stashes"]["detail"]
    assert found["branches"]["detail"].endswith("was on branch main before the task and is on branch third since")
    assert status(repository) == ""
    subjects = [f"nightly/{name}: {name} is done" for name in ("branches", "formats", "commits")]
    assert git(repository, "log", "--format=%s", "third").split("\n") == [*subjects, "mine", "more", "first"]
    get_back(found["refused"])
    assert (repository / "bad").exists()


def test_what_a_hook_writes_at_every_commit_is_not_in_the_way(server: Server, profile: str, repository: Path) -> None:
    hook(repository, "pre-commit", "echo more >> README")
    for name in ("a", "b"):  # the second is not refused
        state = run(profile, repository, does(name, f"echo {name} > {name}.txt"))
        (row,) = server.rows(state)
        assert (row["verdict"], row["detail"], status(repository)) == ("ok", "claude finished", ""), state.message
        assert row["aside"].startswith("set aside README as refs/ccs/aside/")


def test_a_hook_that_a_task_wrote_runs_only_when_that_is_asked_for(
    server: Server, profile: str, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "planted")
    hook(repository, "pre-commit", "exit 1")
    line = "echo {0} > a.txt; printf '#!/bin/sh\\nenv > seen; git add seen\\n#%s' {0} > .git/hooks/pre-commit"
    (row,) = server.rows(run(profile, repository, does("a", line.format(1))))
    assert (row["verdict"], (repository / "seen").exists()) == ("ok", False)
    assert "; committed without hooks: .git/hooks/pre-commit changed while the task worked" in row["detail"]
    place = {"path": str(repository), "run_changed_hooks": True}
    (row,) = server.rows(run(profile, repository, does("a", line.format(2)), working_directory=place))
    assert (row["verdict"], row["detail"]) == ("ok", "claude finished")
    assert "PATH=" in git(repository, "show", "HEAD:seen") and "planted" not in git(repository, "show", "HEAD:seen")


def test_what_could_not_be_set_aside_is_set_aside_by_the_next_run(
    server: Server, profile: str, repository: Path
) -> None:
    git(repository, "config", "filter.room.clean", "test ! -e .git/full && cat")
    git(repository, "config", "filter.room.required", "true")
    commit_by_hand(repository, **{".gitattributes": "*.txt filter=room\n"})
    state = run(
        profile, repository,
        does("a", "echo a > a.txt; echo more >> README; touch .git/full"), task("b", {"text": "x"}),
        on_failure="continue",
    )  # fmt: skip
    found = rows(server, state)
    assert verdicts(found) == {"a": "commit", "b": "spawn"}  # b would have been committed with what a left
    assert "clean filter 'room' failed" in found["a"]["detail"]
    assert "clean filter 'room' failed" in found["b"]["detail"]
    assert status(repository) == " M README\n?? a.txt"
    (repository / ".git" / "full").unlink()
    state = run(profile, repository, does("c", "echo c > c.txt"))
    assert state.is_completed(), state.message
    assert "set aside 2 files as refs/ccs/aside/" in server.logs(state, until="set aside")
    assert git(repository, "show", "--name-only", "--format=", "HEAD") == "c.txt"
    assert status(repository) == ""


def test_what_was_uncommitted_before_stays_so_whatever_becomes_of_the_task(
    server: Server, profile: str, repository: Path
) -> None:
    write(repository, README="mine\n", own="mine too\n")
    state = run(
        profile, repository,
        does("good", "echo x > x; echo more >> README; echo more >> own"),
        does("bad", "echo bad > x; echo bad >> README; touch new", gates=[{"command": "false"}]),
        working_directory={"path": str(repository), "allow_dirty": True},
    )  # fmt: skip
    found = rows(server, state)
    assert verdicts(found) == {"good": "ok", "bad": "gate"}
    assert git(repository, "show", "--name-only", "--format=") == "x"
    assert found["good"]["detail"] == "claude finished; not committed: README and own"
    assert (status(repository), (repository / "README").read_text()) == (" M README\n?? own", "mine\nmore\n")
    get_back(found["bad"])
    assert ((repository / "x").read_text(), (repository / "README").read_text()) == ("bad\n", "mine\nmore\nbad\n")

    again = run(
        profile, repository,
        does("alters", "echo more >> README"), does("undoes", "git reset -q --hard; git clean -qf"),
        task("bad", {"text": "x"}, gates=[{"command": "false"}]),
        working_directory={"path": str(repository), "allow_dirty": True},
    )  # fmt: skip
    undone = rows(server, again)["undoes"]["detail"]
    assert "README, new and 2 more, uncommitted before the task, was overwritten or deleted by it, and kept" in undone
    subprocess.run(["/bin/sh", "-c", undone.partition("get it back with: ")[2]], check=True, cwd="/")
    assert (repository / "own").read_text() == "mine too\nmore\n"
    last = run(
        profile, repository, does("alters", "exit 1"), task("bad", {"text": "x"}), continues=run_id(again),
        working_directory={"path": str(repository), "allow_dirty": True},
    )  # fmt: skip
    assert rows(server, last)["alters"]["detail"] == f"done in run {run_id(again)}: kept"  # though it has no commit


def test_tasks_side_by_side_are_committed_together_or_not_at_all(
    server: Server, profile: str, repository: Path
) -> None:
    def after(command: str, *marks: str) -> str:
        return f"until {' && '.join(f'[ -e .git/{mark} ]' for mark in marks)}; do sleep 0.1; done; {command}"

    state = run(
        profile, repository,
        task("still", {"text": "nothing to do"}),
        does("a", after("echo a > a.txt", "open"), gates=[{"command": "touch .git/a"}]),
        does("b", after("echo b > b.txt", "open"), gates=[{"command": "touch .git/b; false"}]),
        does("d", after("echo d > d.txt", "a", "b"), commit_on_success=False),
        does("open", "touch .git/open", commit_on_success=False, depends_on=["still"]),
        does("c", "echo c > c.txt", depends_on=["a", "d"]),
        max_parallel=4, on_failure="continue",
    )  # fmt: skip
    found = rows(server, state)
    assert verdicts(found) == {
        "still": "ok", "a": "commit", "b": "gate", "d": "ok", "open": "ok", "c": "not_run",
    }  # fmt: skip
    assert found["a"]["detail"] == "what it changed cannot be told from what b changed at the same time, which failed"
    assert found["c"]["detail"] == "it depends on a, which failed"
    assert {row["aside"] for row in found.values()} == {"", found["a"]["aside"]}
    pages = [a["data"] for a in server.artifacts(state) if a["key"] == "nightly-a"]
    assert any("# a: commit" in page and "Set aside" in page for page in pages)
    assert status(repository) == ""
    get_back(found["b"])
    assert status(repository) == "A  a.txt\nA  b.txt\nA  d.txt"


def test_a_worktree_without_its_git_is_not_taken_for_the_main_checkout(
    server: Server, profile: str, repository: Path
) -> None:
    write(repository, README="changed by the user\n")
    job: dict[str, Any] = {"working_directory": worktree(repository, "w"), "on_failure": "continue"}
    state = run(profile, repository, does("vandal", "rm .git; echo x > y"), does("next", "echo z > z"), **job)
    assert verdicts(rows(server, state)) == {"vandal": "commit", "next": "spawn"}
    assert "Its .git was removed or replaced" in (state.message or "")
    assert "a task removed or replaced its .git" in (state.message or "")
    (repository / "trees/w").rename(repository / "trees/was-w")
    gone = run(profile, repository, does("vandal", "cd ..; rm -rf w; sleep 0"), does("next", "true"), **job)
    assert verdicts(rows(server, gone)) == {"vandal": "commit", "next": "spawn"}, gone.message
    assert (git(repository, "log", "--format=%s"), status(repository)) == ("first", " M README")


@pytest.mark.parametrize("gate", ["true", "false"])
def test_what_was_changed_beside_a_task_that_waits_is_decided_about_when_it_has_ended(
    server: Server, fake_api: FakeApi, subscription: str, repository: Path, gate: str
) -> None:
    last = "until [ -e ok.txt ] && [ -e bad.txt ]; do sleep 0.1; done; echo w > w.txt"
    waiting = waits(
        server, subscription, repository,
        does("ok", "echo ok > ok.txt"),
        does("waits", last, limited(), {"text": "after the reset"}),
        does("bad", "echo bad > bad.txt", gates=[{"command": gate}]),
        does("later", "echo l > l.txt", depends_on=["bad", "waits"]),
        max_parallel=3, on_failure="continue",
    )  # fmt: skip
    limit_ends(server, subscription)
    seen = len(fake_api.requests)
    state = resumed(server, waiting)
    assert state is not None
    found = rows(server, state)
    assert status(repository) == ""
    assert found["ok"]["session_id"]
    if gate == "true":
        assert len(fake_api.requests) == seen + 3  # the rest of one task, and the whole of another
        assert verdicts(found) == dict.fromkeys(found, "ok")
        assert found["ok"]["commit"] == found["waits"]["commit"] != found["later"]["commit"]
        assert found["ok"]["detail"].partition("committed together with ")[2] in ("waits, bad", "bad, waits")
        (named,) = git(
            repository, "log", "-1", "--format=%(trailers:key=Ccs-Task,valueonly)", found["ok"]["commit"]
        ).split("\n")[:1]
        assert sorted(named.split(", ")) == ["bad", "ok", "waits"]
        assert (state.message or "").startswith("4 of 4 tasks ok, estimated $0.0032")
    else:
        assert len(fake_api.requests) == seen + 1
        assert verdicts(found) == {"ok": "commit", "waits": "commit", "bad": "gate", "later": "not_run"}
        assert all("bad.txt, ok.txt and w.txt" in found[name]["aside"] for name in ("ok", "waits", "bad"))
        assert found["later"]["detail"] == "it depends on bad, which failed"
