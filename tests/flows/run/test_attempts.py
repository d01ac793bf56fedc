"""The attempts of a task: retries by reason, fix rounds, expectations, conditions, results, continued runs."""

import json
import logging
import time
from pathlib import Path
from typing import Any

import pytest

from ccs.blocks.env import Source, Variable
from ccs.blocks.profile import Profile
from ccs.flows.limits.gate import LimitGate
from ccs.flows.limits.states import Closed, Due, Open, Probing
from ccs.flows.run.run import Run
from tests.fakes.anthropic import FakeApi
from tests.worlds.claude import bundled_claude
from tests.worlds.flow import Server, change_row, limit_ends, limited, over_attempts, resumed, run, run_id, task, waits
from tests.worlds.git import git

QUICK = {"max_attempts": 3, "delay_seconds": 0.01, "jitter": 0}
LOG = logging.getLogger("test.attempts")
OVERLOADED = {"status": 529}


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
    [
        ({"expect_changes": True}, "no file was changed"),
        ({"expect_files": ["out/*.md", "b"]}, "but there is no out/*.md, no b"),
    ],
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


def test_a_large_result_is_kept_and_no_reason_to_warn(
    server: Server, fake_api: FakeApi, profile: str, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fake_api, "rules", [["write a book", {"structured": {"book": "x" * 2_000_000}}]])
    book = {"name": "a", "prompt": "write a book", "output_schema": {"type": "object"}, "permissions": "plan"}
    state = run(profile, repository, book)
    (row,) = server.rows(state)
    assert (row["verdict"], len(row["output"]["book"])) == ("ok", 2_000_000)
    assert "could not be written" not in server.logs(state, until="Finished in state")


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
    server: Server, fake_api: FakeApi, profile: str, repository: Path
) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    first = task("first", {"tool": "StructuredOutput", "input": {"n": 7}}, output_schema=schema)
    second = task("second", *over_attempts({"status": 403}, {"text": "fine now: {{last}}"}))
    second["prompt"] = "n is {{ tasks.first.output.n }} " + second["prompt"]
    before = run(profile, repository, first, second)
    assert before.is_failed()
    seen = len(fake_api.requests)
    after = run(profile, repository, first, second, continues=run_id(before))
    assert after.is_completed(), after.message
    kept, done = server.rows(after)
    assert (kept["verdict"], kept["attempts"], kept["cost_usd"], kept["output"]) == ("ok", 0, 0, {"n": 7})
    assert kept["session_id"] == server.rows(before)[0]["session_id"]
    assert done["verdict"] == "ok"
    assert len(fake_api.requests) == seen + 1
    assert "fine now: n is 7" in server.logs(after, until="fine now")


def test_a_limit_fails_the_task_when_it_is_to(server: Server, profile: str, repository: Path) -> None:
    limited = {"status": 429, "headers": {"x-should-retry": "false"}}
    block = Profile.load(profile)
    assert isinstance(block, Profile)
    block.save("limited", overwrite=True)  # other tests are not to wait with it
    (row,) = server.rows(run("limited", repository, task("a", limited, on_limit="fail")))
    assert row["verdict"] == "usage_limit"


def test_too_many_requests_are_tried_again_before_they_count_as_a_limit(
    server: Server, subscription: str, repository: Path
) -> None:
    busy = {"status": 429}
    spec = task("a", *over_attempts(busy, busy, {"text": "hello"}), retry=QUICK, on_limit="fail")
    (row,) = server.rows(run(subscription, repository, spec))
    assert (row["verdict"], row["attempts"]) == ("ok", 3), row["detail"]
    (row,) = server.rows(run(subscription, repository, task("b", busy, retry=QUICK, on_limit="fail")))
    assert (row["verdict"], row["attempts"]) == ("usage_limit", 3), row["detail"]
    assert "another attempt" not in row["detail"]


def test_a_limit_on_usage_is_not_tried_again(server: Server, subscription: str, repository: Path) -> None:
    (row,) = server.rows(run(subscription, repository, task("a", limited(), retry=QUICK, on_limit="fail")))
    assert (row["verdict"], row["attempts"]) == ("usage_limit", 1), row["detail"]


def test_all_waits_for_a_limit_together_have_an_end(server: Server, subscription: str, repository: Path) -> None:
    waiting = waits(server, subscription, repository, task("a", limited(3600), max_limit_wait=7200))
    change_row(server, waiting, lambda row: {"limited_since": row["limited_since"] - 3700})
    state = resumed(server, waiting)
    assert state is not None
    (row,) = server.rows(state)
    assert (row["verdict"], row["attempts"]) == ("usage_limit", 1)
    assert "s it has waited already, that is longer than its max_limit_wait of 7200 s" in row["detail"]


def limit_over(gate: LimitGate) -> None:
    """A limit of the profile was met that is over, and nobody has tried yet."""
    gate.close(time.time() - 10, "an earlier run")
    assert gate.look() == Due()


def test_the_gate_is_closed_before_the_probe_that_met_the_limit_lets_go_of_it(
    server: Server, subscription: str, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit_over(LimitGate(subscription, "", LOG))
    seen: list[object] = []
    release = LimitGate.release

    def watched(gate: LimitGate) -> None:
        if gate._claim:
            seen.append(gate.look())  # what others find as soon as the claim is gone
        release(gate)

    monkeypatch.setattr(LimitGate, "release", watched)
    waits(server, subscription, repository, task("a", limited(), {"text": "done"}))
    assert [type(found) for found in seen] == [Closed]


def test_who_is_stopped_behind_a_probe_ends_at_once_and_asks_no_more(
    server: Server, subscription: str, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    probe = LimitGate(subscription, "", LOG)
    limit_over(probe)
    assert probe.claim("an earlier run", 3600)
    runs: list[Run] = []
    looks = 0
    enter, look = Run.__enter__, LimitGate.look

    def entered(run: Run) -> Run:
        runs.append(run)
        return enter(run)

    def stopped_by_the_first(gate: LimitGate) -> Open | Closed | Due | Probing:
        nonlocal looks
        found, looks = look(gate), looks + 1
        runs[0].stop.request("cancelled")
        return found

    monkeypatch.setattr(Run, "__enter__", entered)
    monkeypatch.setattr(LimitGate, "look", stopped_by_the_first)
    (row,) = server.rows(run(subscription, repository, task("a", {"text": "no"})))
    assert (row["verdict"], row["attempts"], looks) == ("cancelled", 0, 1)


def test_a_limit_of_one_model_does_not_hold_up_those_with_others(
    server: Server, subscription: str, repository: Path
) -> None:
    dear = task("dear", limited(window="seven_day_opus"), {"text": "done"}, on_limit="fail")
    tasks = [dear, task("cheap", {"text": "hello"})]
    rows = server.rows(run(subscription, repository, *tasks, on_failure="continue"))
    assert [row["verdict"] for row in rows] == ["usage_limit", "ok"], rows
    waiting = waits(server, subscription, repository, {**dear, "on_limit": "wait"})
    state = resumed(server, waiting)  # nobody has to open anything
    assert state is not None and state.is_completed(), state


def test_waiting_for_a_limit_gives_no_retries_back(server: Server, subscription: str, repository: Path) -> None:
    bad = {"status": 500}
    spec = task("a", *over_attempts(bad, limited(), bad, {"text": "too late"}), retry={**QUICK, "max_attempts": 2})
    waiting = waits(server, subscription, repository, spec)
    limit_ends(server, subscription)
    state = resumed(server, waiting)
    assert state is not None
    (row,) = server.rows(state)
    assert (row["verdict"], row["attempts"]) == ("api_error", 3), row["detail"]


def test_waiting_for_a_limit_gives_no_fix_rounds_back(server: Server, subscription: str, repository: Path) -> None:
    spec = task("a", {"text": "one"}, limited(), {"text": "two"}, {"text": "three"}, gates=[{"command": "false"}])
    waiting = waits(server, subscription, repository, {**spec, "fix_attempts": 1})
    assert resumed(server, waiting) is None  # also not when it has to wait once more
    limit_ends(server, subscription)
    state = resumed(server, waiting)
    assert state is not None
    (row,) = server.rows(state)
    assert (row["verdict"], row["attempts"]) == ("gate", 3), row["detail"]


def test_waiting_for_a_limit_gives_no_time_back(server: Server, subscription: str, repository: Path) -> None:
    spec = task("a", limited(), {"hang": "before"}, timeout=7000)
    waiting = waits(server, subscription, repository, spec)
    limit_ends(server, subscription)
    assert change_row(server, waiting, lambda row: {"used": {**row["used"], "seconds": 6999.0}})["used"]["seconds"] > 0
    state = resumed(server, waiting)
    assert state is not None
    (row,) = server.rows(state)
    assert (row["verdict"], row["attempts"]) == ("timeout", 2), row["detail"]
    assert row["detail"].endswith("(that was what was left of the 7000 s of the task)")


def test_a_run_that_waits_takes_no_more_time_than_it_may(server: Server, subscription: str, repository: Path) -> None:
    write = {"tool": "Write", "input": {"file_path": str(repository / "a.txt"), "content": "one\n"}}
    spec = task("a", write, limited(), {"text": "done"})
    waiting = waits(server, subscription, repository, spec, timeout=7000)
    limit_ends(server, subscription)
    before = change_row(server, waiting, lambda row: {"run_seconds": row["run_seconds"] + 7000})
    assert before["run_seconds"] > 0
    state = resumed(server, waiting)
    assert state is not None
    assert (state.message or "").startswith("timeout: the run's 7000 s were over before every task had run")
    (row,) = server.rows(state)
    assert (row["verdict"], row["cost_usd"]) == ("not_run", before["cost_usd"])
    assert row["cost_usd"] > 0
    assert git(repository, "status", "--porcelain") == ""


def test_a_session_that_is_reused_hears_the_prompt_also_when_claude_dies_before_it(
    server: Server, fake_api: FakeApi, profile: str, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = task("a", {"text": "one"}, {"text": "heard: {{last}}"}, session_mode="reuse", retry=QUICK)
    first = run(profile, repository, spec)
    dies_once = tmp_path / "claude"
    dies_once.write_text(
        f'#!/bin/sh\nif mkdir "{tmp_path}/once" 2>/dev/null; then kill -9 $$; fi\nexec {bundled_claude()} "$@"\n'
    )
    dies_once.chmod(0o755)
    monkeypatch.setenv("CCS_CLAUDE", str(dies_once))
    state = run(profile, repository, spec)
    (row,) = server.rows(state)
    assert (row["verdict"], row["attempts"]) == ("ok", 2), row["detail"]
    assert row["session_id"] == server.rows(first)[0]["session_id"]
    assert "heard: do a" in server.logs(state, until="heard: ")


@pytest.mark.parametrize(
    ("on_task", "on_job", "whose"),
    [
        ({"attempt_budget_usd": 0.02, "budget_usd": 9}, {}, "attempt_budget_usd of the task"),
        ({"budget_usd": 0.02}, {"budget_usd": 9}, "the budget of task 'a'"),
        ({}, {"budget_usd": 0.02}, "the budget of the run"),
    ],
)
def test_a_budget_that_is_spent_is_named(
    server: Server, profile: str, repository: Path, on_task: dict[str, Any], on_job: dict[str, Any], whose: str
) -> None:
    dear = {"tool": "Bash", "input": {"command": "ls"}, "usage": {"output_tokens": 4000}}
    (row,) = server.rows(run(profile, repository, task("a", dear, {"text": "no"}, **on_task), **on_job))
    assert row["verdict"] == "budget"
    assert row["detail"].startswith(f"{whose} allowed this attempt $0.0200, and $0.0"), row["detail"]


def test_a_cost_that_nobody_knows_counts_as_what_was_reserved_and_the_log_says_so(
    server: Server, profile: str, repository: Path
) -> None:
    work = task("a", {"text": "hello", "deltas": 3, "hang": "mid"}, attempt_budget_usd=0.5, idle_timeout=2)
    state = run(profile, repository, work)
    assert server.rows(state)[0]["verdict"] == "timeout_idle"
    assert server.logs(state, until="is not known, but at least $0.0000: $0.5000 count as spent")


def test_a_refused_key_costs_nothing_of_a_budget(server: Server, profile: str, repository: Path) -> None:
    block = Profile.load(profile)
    assert isinstance(block, Profile)
    patient = {**block.variables, "CLAUDE_CODE_MAX_RETRIES": Variable(source=Source.STATIC, value="10")}
    Profile(variables=patient).save("patient", overwrite=True)
    tasks = [task("bad", {"status": 401, "times": -1}), task("good", {"text": "hello"})]
    bad, good = server.rows(run("patient", repository, *tasks, budget_usd=0.5, on_failure="continue"))
    assert (bad["verdict"], bad["cost_usd"], bad["cost_is_partial"]) == ("auth", 0, False)
    assert good["verdict"] == "ok", good["detail"]


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


def test_what_was_set_aside_with_a_killed_run_is_not_taken_for_done(
    server: Server, profile: str, repository: Path
) -> None:
    write = {"tool": "Write", "input": {"file_path": str(repository / "a.txt"), "content": "one\n"}}
    spec = task("a", write, {"text": "done"})
    before = run(profile, repository, spec)
    (row,) = server.rows(before)
    (table,) = [a for a in server.artifacts(before) if a["type"] == "table"]
    lost = json.dumps([{**row, "commit": "", "undecided": True}])  # as it is until those beside it have ended, too
    server.http.patch(f"/artifacts/{table['id']}", json={"data": lost}).raise_for_status()
    git(repository, "reset", "-q", "--hard", "HEAD~1")
    (again,) = server.rows(run(profile, repository, spec, continues=run_id(before)))
    assert (again["verdict"], again["attempts"]) == ("ok", 1)
    assert again["commit"]
    assert (repository / "a.txt").exists()
