"""The attempts of a task: retries by reason, fix rounds, expectations, conditions, results, continued runs."""

from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from fake_anthropic import FakeApi
from flow_world import Server, api, git, profile, repository, run, run_id, server, task

from ccs.blocks.profile import Profile

__all__ = ["api", "profile", "repository", "server"]  # fixtures

QUICK = {"max_attempts": 3, "delay_seconds": 0.01, "jitter": 0}
OVERLOADED = {"status": 529}


def over_attempts(*steps: dict[str, Any]) -> list[dict[str, Any]]:
    """Steps of which each attempt meets the next, whatever its session."""
    return [{**steps[0], "across": str(uuid4())}, *steps[1:]]


@pytest.mark.parametrize("trouble", [{"status": 529}, {"status": 500}, {"reset": "before"}], ids=str)
def test_trouble_that_passes_is_tried_again(
    server: Server, profile: str, repository: Path, trouble: dict[str, Any]
) -> None:
    state = run(profile, repository, task("a", *over_attempts(trouble, {"text": "hello"}), retry=QUICK))
    (row,) = server.rows(state)
    assert (row["verdict"], row["attempts"]) == ("ok", 2), row["detail"]
    page = next(a["data"] for a in server.artifacts(state) if a["type"] == "markdown")
    assert "## Attempts" in page
    assert "| 2 | retry | ok" in page


@pytest.mark.parametrize(
    ("trouble", "reason"), [({"status": 400}, "api_error"), ({"status": 403}, "auth"), ({"status": 404}, "api_error")]
)
def test_trouble_that_stays_is_not(
    server: Server, profile: str, repository: Path, trouble: dict[str, Any], reason: str
) -> None:
    (row,) = server.rows(run(profile, repository, task("a", {**trouble, "times": -1}, retry=QUICK)))
    assert (row["verdict"], row["attempts"]) == (reason, 1), row["detail"]


def test_the_attempts_have_an_end(server: Server, profile: str, repository: Path) -> None:
    (row,) = server.rows(run(profile, repository, task("a", OVERLOADED, retry=QUICK)))
    assert (row["verdict"], row["attempts"]) == ("api_error", 3)


def test_an_attempt_goes_on_with_what_the_one_before_did(server: Server, profile: str, repository: Path) -> None:
    write = {"tool": "Write", "input": {"file_path": str(repository / "a.txt"), "content": "one\n"}}
    state = run(
        profile, repository, task("a", *over_attempts(write, OVERLOADED, {"text": "all done: {{last}}"}), retry=QUICK)
    )
    (row,) = server.rows(state)
    assert (row["verdict"], row["attempts"]) == ("ok", 2), row["detail"]
    assert "all done: Your work was interrupted" in server.logs(state, until="all done")
    assert git(repository, "log", "--format=%s", "-1").startswith("nightly/a")


def test_a_transcript_that_cannot_be_written_costs_no_task_and_is_told(
    server: Server, profile: str, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CCS_HOME", str(tmp_path / "ccs"))
    (tmp_path / "ccs").mkdir()
    (tmp_path / "ccs" / "runs").write_text("a file where the folder of the transcripts should be")
    state = run(profile, repository, task("a", {"text": "hello"}, commit_on_success=False))
    assert state.is_completed(), state.message
    server.logs(state, until="could not be written after line 0: Not a directory")


def test_a_failed_gate_goes_back_to_the_session_until_it_is_fixed(
    server: Server, profile: str, repository: Path
) -> None:
    good = {"tool": "Write", "input": {"file_path": str(repository / "good"), "content": "x\n"}}
    spec = task("a", {"text": "first"}, good, {"text": "mended"}, gates=[{"command": "echo look; test -e good"}])
    (row,) = server.rows(run(profile, repository, spec))
    assert row["verdict"] == "gate"
    assert "test -e good" in row["detail"]
    state = run(profile, repository, {**spec, "fix_attempts": 2})
    (row,) = server.rows(state)
    assert (row["verdict"], row["attempts"]) == ("ok", 2), row["detail"]
    assert "| look" in server.logs(state, until="mended")
    assert git(repository, "status", "--porcelain") == ""


def test_fix_rounds_have_an_end_and_the_changes_are_set_aside(server: Server, profile: str, repository: Path) -> None:
    bad = {"tool": "Write", "input": {"file_path": str(repository / "bad"), "content": "x\n"}}
    spec = task("a", bad, {"text": "x"}, {"text": "y"}, gates=[{"command": "false"}], fix_attempts=1)
    (row,) = server.rows(run(profile, repository, spec))
    assert (row["verdict"], row["attempts"]) == ("gate", 2)
    assert git(repository, "status", "--porcelain") == ""
    assert "bad" in row["aside"]
    back = row["aside"].partition("get it back with: ")[2]
    assert back
    git_line = back.split("cherry-pick --no-commit ")[1]
    git(repository, "cherry-pick", "--no-commit", git_line)
    assert (repository / "bad").exists()


@pytest.mark.parametrize(
    ("expected", "words"),
    [({"expect_changes": True}, "no file was changed"), ({"expect_files": ["out/*.md"]}, "out/*.md")],
)
def test_what_was_expected_is_checked(
    server: Server, profile: str, repository: Path, expected: dict[str, Any], words: str
) -> None:
    (row,) = server.rows(run(profile, repository, task("a", {"text": "hello"}, **expected)))
    assert row["verdict"] == "expectation"
    assert words in row["detail"]


def test_conditions_skip_or_say_why_not(server: Server, profile: str, repository: Path) -> None:
    tasks = [
        task("no", {"text": "x"}, only_if="echo nothing new; exit 3"),
        task("yes", {"text": "x"}, only_if="test -e README"),
        task("broken", {"text": "x"}, only_if="no-such-command-at-all"),
    ]
    state = run(profile, repository, *tasks, on_failure="continue")
    no, yes, broken = server.rows(state)
    assert (no["verdict"], yes["verdict"], broken["verdict"]) == ("skipped", "ok", "spawn")
    assert "exit code 3" in no["detail"]
    assert "gave no answer" in broken["detail"]
    assert "nothing new" in server.logs(state, until="nothing new")


def test_a_condition_of_the_job_skips_the_run(server: Server, profile: str, repository: Path) -> None:
    state = run(profile, repository, task("a", {"text": "x"}), only_if="exit 1")
    assert (state.is_cancelled(), state.name) == (True, "Skipped")
    assert "only_if `exit 1`" in (state.message or "")


def test_a_result_is_used_in_a_later_prompt(server: Server, profile: str, repository: Path) -> None:
    schema = {"type": "object", "properties": {"priority": {"type": "string"}}, "required": ["priority"]}
    answer = {"tool": "StructuredOutput", "input": {"priority": "very high"}}
    triage = task("triage", answer, {"text": "done"}, output_schema=schema)
    use = task("use", {"text": "seen: {{last}}"}, depends_on=["triage"])
    use["prompt"] = "the priority is {{ tasks.triage.output.priority }}: " + use["prompt"]
    state = run(profile, repository, use, triage)
    rows = {r["task"]: r for r in server.rows(state)}
    assert state.is_completed(), state.message
    assert rows["triage"]["output"] == {"priority": "very high"}
    assert "seen: the priority is very high: do use" in server.logs(state, until="seen: ")


def test_a_task_without_the_object_it_was_asked_for_has_failed(server: Server, profile: str, repository: Path) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    (row,) = server.rows(run(profile, repository, task("a", {"text": "no object"}, output_schema=schema)))
    assert row["verdict"] == "schema"


def test_tasks_wait_for_what_they_depend_on(server: Server, profile: str, repository: Path) -> None:
    tasks = [
        task("last", {"text": "x"}, depends_on=["bad"]),
        task("bad", {"status": 403}),
        task("free", {"text": "x"}),
    ]
    state = run(profile, repository, *tasks, on_failure="continue", max_parallel=3)
    rows = {r["task"]: r for r in server.rows(state)}
    assert {name: r["verdict"] for name, r in rows.items()} == {"last": "not_run", "bad": "auth", "free": "ok"}
    assert "depends on bad" in rows["last"]["detail"]


def test_a_run_continues_another_and_repeats_nothing(
    server: Server, api: FakeApi, profile: str, repository: Path
) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    first = task("first", {"tool": "StructuredOutput", "input": {"n": 7}}, output_schema=schema)
    second = task("second", *over_attempts({"status": 403}, {"text": "fine now: {{last}}"}))
    second["prompt"] = "n is {{ tasks.first.output.n }} " + second["prompt"]
    before = run(profile, repository, first, second)
    assert before.is_failed()
    seen = len(api.requests)
    after = run(profile, repository, first, second, continues=run_id(before))
    assert after.is_completed(), after.message
    kept, done = server.rows(after)
    assert (kept["verdict"], kept["attempts"], kept["cost_usd"], kept["output"]) == ("ok", 0, 0, {"n": 7})
    assert kept["session_id"] == server.rows(before)[0]["session_id"]
    assert done["verdict"] == "ok"
    assert len(api.requests) == seen + 1
    assert "fine now: n is 7" in server.logs(after, until="fine now")


def test_a_limit_fails_the_task_when_it_is_to(server: Server, profile: str, repository: Path) -> None:
    limited = {"status": 429, "headers": {"x-should-retry": "false"}}
    block = Profile.load(profile)
    assert isinstance(block, Profile)
    block.save("limited", overwrite=True)  # other tests are not to wait with it
    (row,) = server.rows(run("limited", repository, task("a", limited, on_limit="fail")))
    assert row["verdict"] == "usage_limit"


def test_thirty_tasks_at_once_share_one_repository(server: Server, profile: str, repository: Path) -> None:
    tasks = [
        task(
            f"t{n}", {"tool": "Write", "input": {"file_path": str(repository / f"{n}.txt"), "content": "x\n"}},
            {"text": "done"},
        )
        for n in range(30)
    ]  # fmt: skip
    state = run(profile, repository, *tasks, max_parallel=30)
    assert state.is_completed(), state.message
    assert {r["verdict"] for r in server.rows(state)} == {"ok"}
    assert git(repository, "status", "--porcelain") == ""
    assert len(git(repository, "ls-files", "*.txt").splitlines()) == 30
