"""A run on a real server with the real `claude`: order, failures, skips, artifacts, logs, secrets."""

import os
from pathlib import Path
from typing import Any

import httpx
import pytest
from prefect.types import SecretDict

from ccs.blocks.env import Source, Variable
from ccs.blocks.profile import Profile
from tests.fakes.anthropic import FakeApi, marker
from tests.worlds.flow import KEY, Server, limit_ends, limited, over_attempts, resumed, run, run_id, task, waits
from tests.worlds.git import git
from tests.worlds.processes import processes_with


def test_tasks_run_in_order_and_do_their_work(server: Server, profile: str, repository: Path) -> None:
    write = {"tool": "Write", "input": {"file_path": str(repository / "a.txt"), "content": "one\n"}}
    read = {"tool": "Read", "input": {"file_path": str(repository / "a.txt")}}
    state = run(
        profile, repository, task("first", write, {"text": "written"}), task("second", read, {"text": "seen: {{last}}"})
    )
    assert state.is_completed(), state.message
    assert state.message is not None
    assert state.message.startswith("2 of 2 tasks ok, estimated $0.0")
    assert (repository / "a.txt").read_text() == "one\n"
    first, second = server.rows(state)
    assert [first["verdict"], second["verdict"]] == ["ok", "ok"]
    assert (first["turns"], second["turns"]) == (2, 2)
    assert first["cost_usd"] > 0
    assert {name: r["state"]["type"] for name, r in server.task_runs(state).items()} == {
        "first": "COMPLETED",
        "second": "COMPLETED",
    }
    log = server.logs(state, until="seen: ")
    assert "Write" in log
    assert "a.txt" in log
    pages = {a["key"]: a["data"] for a in server.artifacts(state) if a["type"] == "markdown"}
    assert f"claude --resume {first['session_id']}" in pages["nightly-first"]
    assert Path(first["transcript"]).read_text().count("\n") >= 4


def test_a_page_that_cannot_be_written_fails_no_task(
    server: Server, profile: str, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(**_: object) -> None:
        raise httpx.ConnectError("nobody is there")

    monkeypatch.setattr("ccs.flows.server.publication.create_markdown_artifact", away)
    state = run(profile, repository, task("only", {"text": "hello"}))
    assert state.is_completed(), state.message
    assert "could not be written to the server: nobody is there" in server.logs(state, until="could not be written")


def test_a_failed_task_stops_the_run(server: Server, profile: str, repository: Path) -> None:
    state = run(profile, repository, task("bad", {"status": 403}), task("next", {"text": "hello"}))
    assert state.is_failed()
    assert state.message is not None
    assert state.message.startswith("bad failed, auth: ")
    assert [(r["task"], r["verdict"]) for r in server.rows(state)] == [("bad", "auth"), ("next", "not_run")]
    assert server.task_runs(state)["bad"]["state"]["message"].startswith("auth: ")


def test_the_rest_runs_when_the_job_says_continue(server: Server, profile: str, repository: Path) -> None:
    state = run(
        profile, repository, task("bad", {"status": 403}), task("next", {"text": "hello"}), on_failure="continue"
    )
    assert state.is_failed()
    assert [r["verdict"] for r in server.rows(state)] == ["auth", "ok"]


def test_a_disabled_task_is_skipped_and_said(server: Server, profile: str, repository: Path) -> None:
    state = run(profile, repository, task("off", enabled=False), task("on", {"text": "hello"}))
    assert state.is_completed()
    assert [(r["task"], r["verdict"]) for r in server.rows(state)] == [("off", "skipped"), ("on", "ok")]
    assert server.task_runs(state)["off"]["state"]["name"] == "Skipped"
    server.logs(state, until="off is disabled: skipped")


@pytest.mark.parametrize("tasks", [[], [task("off", enabled=False)]])
def test_a_run_with_nothing_to_do_is_no_success(
    server: Server, profile: str, repository: Path, tasks: list[dict[str, Any]]
) -> None:
    state = run(profile, repository, *tasks)
    assert (state.is_cancelled(), state.name) == (True, "Skipped")
    assert "nothing to run" in (state.message or "")


def test_only_the_named_tasks_run(server: Server, profile: str, repository: Path) -> None:
    tasks = (task("a", {"text": "hello"}), task("b", {"text": "hello"}), task("c", {"text": "hello"}))
    state = run(profile, repository, *tasks, only=("c", "a"))
    assert [r["task"] for r in server.rows(state)] == ["a", "c"]
    state = run(profile, repository, *tasks, only=("triage",))
    assert state.is_failed()
    assert state.message == "job 'nightly' has no task 'triage': it has a, b, c"


def test_the_runs_timeout_is_the_tasks_too(server: Server, profile: str, repository: Path) -> None:
    state = run(profile, repository, task("slow", {"hang": "before"}), task("next", {"text": "hello"}), timeout=3)
    assert [r["verdict"] for r in server.rows(state)] == ["timeout", "not_run"]
    assert state.is_failed()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: path / "absent", "does not exist: create it there"),
        (lambda path: path / "file", "is not a directory"),
        (lambda path: path, "it is not inside a git repository. Run `git init` there"),
    ],
)
def test_a_bad_working_directory_fails_the_run_and_nothing_starts(
    server: Server, profile: str, tmp_path: Path, make: Any, words: str
) -> None:
    (tmp_path / "file").touch()
    state = run(profile, make(tmp_path), task("a", {"text": "hello"}))
    assert state.is_failed()
    assert words in (state.message or "")
    assert server.artifacts(state) == []


def test_without_git_is_possible_when_asked_for(server: Server, profile: str, tmp_path: Path) -> None:
    directory = {"path": str(tmp_path), "require_git": False}
    state = run(profile, tmp_path, task("a", {"text": "hello"}), working_directory=directory)
    assert state.is_completed(), state.message


def test_a_variable_that_does_not_resolve_fails_the_task_with_its_name(
    server: Server, profile: str, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KEY_ON_THE_NODE")
    state = run(profile, repository, task("a", {"text": "hello"}))
    (row,) = server.rows(state)
    assert row["verdict"] == "spawn"
    assert "ANTHROPIC_API_KEY comes from the node's variable KEY_ON_THE_NODE, which is not set" in row["detail"]


def test_a_profile_that_is_not_there_is_named(server: Server, profile: str, repository: Path) -> None:
    (row,) = server.rows(run("nowhere", repository, task("a", {"text": "hello"})))
    assert row["verdict"] == "spawn"
    assert "there is no profile 'nowhere'" in row["detail"]


def test_a_missing_executable_is_one_sentence_with_the_way_out(
    server: Server, profile: str, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CCS_CLAUDE", "/nowhere/claude")
    (row,) = server.rows(run(profile, repository, task("a", {"text": "hello"})))
    assert row["verdict"] == "spawn"
    assert "/nowhere/claude" in row["detail"]
    assert "install" in row["detail"]


def test_a_prompt_comes_from_a_file_of_the_node(server: Server, profile: str, repository: Path) -> None:
    (repository / "prompt.md").write_text("from a file " + marker({"text": "read the file"}))
    tasks = [
        {"name": "a", "prompt_file": "prompt.md", "permissions": "plan"},
        {"name": "b", "prompt_file": "absent.md", "permissions": "plan"},
    ]
    a, b = server.rows(run(profile, repository, *tasks))
    assert a["verdict"] == "ok"
    assert b["verdict"] == "spawn"
    assert "absent.md" in b["detail"]


def test_a_secret_reaches_claude_and_nothing_else(
    server: Server, fake_api: FakeApi, profile: str, repository: Path
) -> None:
    more = 'line one of it\nand the "second" line of it'
    block = Profile.load(profile)
    assert isinstance(block, Profile)
    Profile(variables=block.variables, secrets=SecretDict({"MORE": more})).save(profile, overwrite=True)
    show = {"text": f"first half {KEY[:16]}", "tool": "Bash", "input": {"command": "echo $ANTHROPIC_API_KEY $MORE"}}
    fake_api.rules = [["please leak", [show, {"text": f"{KEY[16:]} was the second; {more}; {{{{last}}}}"}]]]
    task = {"name": "leak", "prompt": "please leak", "permissions": "dontAsk", "allowed_tools": ["Bash"]}
    state = run(profile, repository, task)
    (row,) = server.rows(state)
    assert row["verdict"] == "ok", row["detail"]
    assert any(KEY in r["headers"].values() for r in fake_api.requests)
    texts = [
        server.logs(state, until="was the second"),
        *(str(a["data"]) for a in server.artifacts(state)),
        Path(row["transcript"]).read_text(),
        str(server.http.get(f"/flow_runs/{run_id(state)}").json()),
    ]
    for text in texts:
        for part in (KEY, KEY[:16], KEY[16:], "line one of it", 'second\\" line', 'second" line'):
            assert part not in text


def test_a_run_goes_on_after_a_limit_and_repeats_nothing(
    server: Server, fake_api: FakeApi, subscription: str, repository: Path
) -> None:
    """Neither what is done nor what has failed; and the sum is that of all."""
    tasks = [
        task("bad", *over_attempts({"tool": "Bash", "input": {"command": "ls"}}, {"status": 403, "times": -1})),
        task("good", {"text": "fine"}),
        task("slow", {"tool": "Bash", "input": {"command": "ls"}}, limited(), {"text": "at last"}),
        task("last", {"text": "me too"}),
    ]
    waiting = waits(server, subscription, repository, *tasks, on_failure="continue")
    limit_ends(server, subscription)
    asked = len(fake_api.requests)
    state = resumed(server, waiting)
    assert state is not None
    assert len(fake_api.requests) == asked + 2
    rows = {r["task"]: r for r in server.rows(state)}
    assert {n: (r["verdict"], r["attempts"]) for n, r in rows.items()} == {
        "bad": ("auth", 1), "good": ("ok", 1), "slow": ("ok", 2), "last": ("ok", 1)
    }  # fmt: skip
    assert all(r["cost_usd"] > 0 for r in rows.values())
    assert state.is_failed()
    assert (state.message or "").startswith("bad failed, auth: ")
    assert f"(3 of 4 tasks ok, estimated ${sum(r['cost_usd'] for r in rows.values()):.4f})" in (state.message or "")


def test_a_failure_beside_a_task_that_waits_stops_the_run_all_the_same(
    server: Server, subscription: str, repository: Path
) -> None:
    tasks = [
        task("bad", {"status": 403, "times": -1}),
        task("slow", limited(), {"text": "at last"}),
        task("never", {"text": "no"}),
    ]
    waiting = waits(server, subscription, repository, *tasks, max_parallel=2)
    limit_ends(server, subscription)
    state = resumed(server, waiting)
    assert state is not None and state.is_failed()
    assert [r["verdict"] for r in server.rows(state)] == ["auth", "ok", "not_run"]


def test_what_a_task_spent_before_a_limit_stays_on_record_when_it_cannot_go_on(
    server: Server, subscription: str, repository: Path
) -> None:
    write = {"tool": "Write", "input": {"file_path": str(repository / "a.txt"), "content": "one\n"}}
    waiting = waits(server, subscription, repository, task("a", write, limited(), {"text": "done"}))
    Profile.delete(subscription)
    state = resumed(server, waiting)
    assert state is not None
    (row,) = server.rows(state)
    assert (row["verdict"], row["attempts"]) == ("spawn", 1)
    assert row["cost_usd"] > 0
    assert row["session_id"]
    assert f"estimated ${row['cost_usd']:.4f}" in (state.message or "")
    assert git(repository, "status", "--porcelain") == ""
    assert "cherry-pick" in server.logs(state, until="cherry-pick")


def test_a_run_that_has_to_wait_once_more_keeps_its_session(
    server: Server, fake_api: FakeApi, subscription: str, repository: Path
) -> None:
    write = {"tool": "Write", "input": {"file_path": str(repository / "a.txt"), "content": "one\n"}}
    spec = task("a", write, limited(), {"text": "done"})
    waiting = waits(server, subscription, repository, spec)
    before = {"flow_runs": {"id": {"any_": [waiting]}}}
    (table,) = [a for a in server.post("/artifacts/filter", **before) if a["type"] == "table"]
    assert resumed(server, waiting) is None  # the limit holds, and nobody asks the API
    limit_ends(server, subscription)
    state = resumed(server, waiting)
    assert state is not None and state.is_completed(), state
    (row,) = server.rows(state)
    assert row["session_id"] in table["data"]
    assert (row["attempts"], row["turns"]) == (2, 3)
    assert git(repository, "status", "--porcelain") == ""
    assert git(repository, "log", "--format=%s", "-1").startswith("nightly/a")


def test_gates_are_run_where_the_task_worked_and_nothing_of_them_is_left(
    server: Server, profile: str, repository: Path
) -> None:
    secret, mark = "very secret 9f8e7d6c", f"8{os.getpid()}.5"
    block = Profile.load(profile)
    assert isinstance(block, Profile)
    tools = {"TOOLS": Variable(source=Source.STATIC, value="/opt/tools")}
    Profile(variables={**block.variables, **tools}, secrets=SecretDict({"MORE": secret})).save("gated", overwrite=True)
    (repository / "leak").write_text(secret + "\n")
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "a secret that somebody committed")
    plain = 'test "$TOOLS" = /opt/tools && test -z "$MORE$ANTHROPIC_API_KEY" && test -e leak'
    huge = "head -c 2000 /dev/zero | tr '\\0' '\\377'; yes | head -c 3000000 | tr -d '\\n'; echo; cat leak; exit 3"
    gates = {
        "plain": {"command": plain},
        "huge": {"command": huge},
        "slow": {"command": f"sleep {mark}", "timeout": 1},
        "behind": {"command": f"(setsid sleep {mark} &) ; nohup sleep {mark} & exit 0"},
        "absent": {"command": "no-such-thing-at-all"},
    }
    tasks = [task(name, {"text": "x"}, gates=[gate]) for name, gate in gates.items()]
    rounds = [{"text": f"round {number}: {{{{last}}}}"} for number in (1, 2, 3)]
    fixes = task("fixes", *rounds, gates=[{"command": "echo look at this; false"}], fix_attempts=2)
    state = run("gated", repository, *tasks, fixes, on_failure="continue")
    rows = {row["task"]: row for row in server.rows(state)}
    assert {name: row["verdict"] for name, row in rows.items()} == {
        "plain": "ok", "huge": "gate", "slow": "gate", "behind": "ok", "absent": "gate", "fixes": "gate",
    }  # fmt: skip
    assert "failed: exit code 3 after" in rows["huge"]["detail"]
    assert rows["slow"]["detail"].endswith("its time was over")
    assert "the shell found no such command" in rows["absent"]["detail"]
    assert not processes_with(mark)
    assert (rows["fixes"]["attempts"], rows["fixes"]["cost_usd"]) == (3, round(3 * rows["plain"]["cost_usd"], 6))
    log = server.logs(state, until="round 3: A check")
    assert log.count("look at this\n") >= 2  # in what the session was told
    pages = {a["key"]: a["data"] for a in server.artifacts(state) if a["type"] == "markdown"}
    assert pages["nightly-fixes"].count(f"`{rows['fixes']['session_id']}`") == 4  # of the task and of each attempt
    assert "`echo look at this; false`: exit code 1 after" in pages["nightly-fixes"]
    assert "\n\n    look at this\n" in pages["nightly-fixes"]
    assert f"`{plain}`: passed after" in pages["nightly-plain"]
    assert len(pages["nightly-huge"]) < 100_000
    for text in (log, *map(str, pages.values()), state.message or ""):
        assert secret not in text


@pytest.mark.parametrize(
    ("condition", "timeout", "name", "words"),
    [
        ("echo why not; exit 7", None, "Skipped", "nothing to run: only_if `echo why not; exit 7`: exit code 7 after"),
        ("no-such-thing", None, "Failed", "only_if `no-such-thing` gave no answer: exit code 127"),
        ("sleep 600", 2, "Failed", "only_if `sleep 600` gave no answer: was stopped after"),
    ],
)
def test_a_condition_that_does_not_hold_starts_nothing(
    server: Server,
    fake_api: FakeApi,
    profile: str,
    repository: Path,
    condition: str,
    timeout: int | None,
    name: str,
    words: str,
) -> None:
    seen = len(fake_api.requests)
    state = run(profile, repository, task("a", {"text": "x"}), only_if=condition, timeout=timeout)
    assert (state.name, len(fake_api.requests)) == (name, seen)
    assert (state.message or "").startswith(words)
    if name == "Skipped":
        assert "| why not" in server.logs(state, until="why not")


@pytest.mark.parametrize(
    ("before", "words"),
    [
        ("b", "the tasks wait for each other: a -> b -> a"),
        ("c", "task 'a' depends on 'c', which is no task of the job"),
    ],
)
def test_a_graph_that_no_command_line_has_checked_is_refused_before_anything_starts(
    server: Server, fake_api: FakeApi, profile: str, repository: Path, before: str, words: str
) -> None:
    seen = len(fake_api.requests)
    tasks = task("a", {"text": "x"}, depends_on=[before]), task("b", {"text": "x"}, depends_on=["a"])
    state = run(profile, repository, *tasks)
    assert (state.is_failed(), len(fake_api.requests)) == (True, seen)
    assert (state.message or "").endswith(words)


def test_who_uses_the_result_of_a_skipped_task_is_skipped_with_it(
    server: Server, fake_api: FakeApi, profile: str, repository: Path
) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
    first = task("first", {"text": "x"}, only_if="false", output_schema=schema)
    second = {**task("second", {"text": "x"}), "append_system_prompt": "{{ tasks.first.output.n }}"}
    third = task("third", {"text": "done"}, depends_on=["first"])
    state = run(profile, repository, first, second, third)
    assert state.is_completed(), state.message
    rows = {row["task"]: row for row in server.rows(state)}
    assert [rows[name]["verdict"] for name in ("first", "second", "third")] == ["skipped", "skipped", "ok"]
    assert rows["second"]["detail"] == "it uses the result of first, which was skipped"


def test_the_state_of_ccs_may_be_below_the_home(
    server: Server, profile: str, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CCS_HOME", "~/state of ccs")
    state = run(profile, repository, task("only", {"text": "hello"}))
    (row,) = server.rows(state)
    assert Path(row["transcript"]).parent == Path.home() / "state of ccs" / "runs" / run_id(state)
    assert not Path("~").exists()


def test_a_state_folder_in_the_home_of_nobody_fails_the_run_with_a_sentence(
    server: Server, profile: str, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CCS_HOME", "~no-such-user/x")
    state = run(profile, repository, task("only", {"text": "hello"}))
    assert state.is_failed()
    assert state.message == (
        "CCS_HOME '~no-such-user/x' begins with the name of a user that is not on this machine: write it out"
    )
