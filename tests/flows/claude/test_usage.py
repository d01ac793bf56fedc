"""What a process spent: figures of the real claude, over resumed, forked and killed sessions."""

import os
import signal
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from ccs.flows.claude.attempt import REPLY_USD
from ccs.flows.claude.events import Event, Finished, ToolCall
from ccs.flows.claude.report import Report
from ccs.flows.claude.session import session_file
from ccs.flows.claude.stream import Record
from ccs.flows.claude.usage import Usage, announced, spent_until
from ccs.flows.spec.verdict import Reason
from tests.fakes.anthropic import FakeApi, marker
from tests.worlds.claude import INIT, RESULT, SAID, Bench, line, printing, stub
from tests.worlds.processes import processes_with

ECHO: dict[str, Any] = {"tool": "Bash", "input": {"command": "echo hi"}}


def say(text: str) -> str:
    """A prompt with an answer of its own; without one, the fake API would play what an earlier prompt asks for."""
    return f"say {text} {marker({'text': text})}"


def spent(report: Report) -> tuple[int, int]:
    """Tokens in and out; the fake API counts 100 and 20 for a reply."""
    return report.usage.input_tokens, report.usage.output_tokens


def test_a_resumed_session_and_every_fork_count_what_they_spent_themselves(claude: Bench) -> None:
    first = claude.run("one " + marker(ECHO, ECHO, {"text": "done"}))
    assert spent(first) == (300, 60)
    reply = first.usage.cost_usd / 3
    second = claude.run(say("two"), resume=first.session_id, session_id=first.session_id)
    third = claude.run(say("three"), resume=first.session_id, fork=True)
    fourth = claude.run(say("four"), resume=third.session_id, fork=True)
    fifth = claude.run(say("five"), resume=fourth.session_id, session_id=fourth.session_id)
    for report in (second, third, fourth, fifth):
        assert report.verdict.ok
        assert (spent(report), report.usage.is_partial) == ((100, 20), False)
        assert report.usage.cost_usd == pytest.approx(reply)
    last = [event for event in claude.events if isinstance(event, Finished)][-1]
    assert last.cost_usd == pytest.approx(reply)


def test_sub_agents_are_counted(claude: Bench) -> None:
    first = claude.run("one")
    inner = {"description": "d", "prompt": "go " + marker(ECHO, {"text": "x"}), "subagent_type": "general-purpose"}
    prompt = "two " + marker({"tool": "Agent", "input": inner}, {"text": "done"})
    report = claude.run(prompt, resume=first.session_id, session_id=first.session_id)
    assert (report.verdict.ok, spent(report)) == (True, (400, 80))


def test_what_a_killed_turn_spent_is_not_counted_again_by_the_next(claude: Bench, fake_api: FakeApi) -> None:
    asked = len(fake_api.requests) + 3
    first = claude.run_until("one " + marker(ECHO, ECHO, {"hang": "before"}), asked, fake_api.requests)
    assert first.verdict.reason is Reason.TIMEOUT
    assert (spent(first), first.usage.is_partial) == ((200, 40), True)
    assert first.unseen_usd == pytest.approx(first.usage.cost_usd / 2)  # for the reply that was under way
    second = claude.run(say("two"), resume=first.session_id, session_id=first.session_id)
    assert (second.verdict.ok, spent(second), second.usage.is_partial) == (True, (100, 20), False)
    assert second.usage.cost_usd == pytest.approx(first.usage.cost_usd / 2)


def test_what_a_killed_turn_spent_is_known_also_in_a_session_that_goes_on(claude: Bench, fake_api: FakeApi) -> None:
    def killed(prompt: str, *steps: dict[str, Any], **fields: Any) -> Report:
        asked = len(fake_api.requests) + len(steps) + 1
        return claude.run_until(
            f"{prompt} {marker(*steps, {'hang': 'before', 'id': prompt})}", asked, fake_api.requests, **fields
        )

    first = killed("one", ECHO, ECHO)
    reply = first.usage.cost_usd / 2
    assert reply > 0
    second = killed("two", ECHO, resume=first.session_id, session_id=first.session_id)
    third = killed("three", ECHO, ECHO, ECHO, resume=first.session_id, fork=True)
    copy = claude.folder / f"{third.session_id}.jsonl"
    kept = session_file(third.session_id, claude.environment())
    assert kept
    copy.write_bytes(kept.read_bytes())
    fourth = killed("four", ECHO, ECHO, resume=str(copy), fork=True)
    fifth = killed("five", resume=first.session_id, session_id=first.session_id)
    for report, replies in ((second, 1), (third, 3), (fourth, 2), (fifth, 0)):
        assert report.usage.input_tokens == 100 * replies
        assert report.usage.cost_usd == pytest.approx(reply * replies)
    assert (fifth.usage.is_partial, fifth.unseen_usd) == (True, REPLY_USD)


def test_of_a_turn_that_was_cut_off_only_the_replies_are_known(claude: Bench) -> None:
    def kill(event: Event) -> None:
        if isinstance(event, ToolCall) and "second" in event.summary:
            for pid in processes_with(f"--session-id={session}"):
                if b"/guard." not in Path(f"/proc/{pid}/cmdline").read_bytes():
                    os.kill(pid, signal.SIGKILL)

    session = str(uuid4())
    second = {"tool": "Bash", "input": {"command": "echo second"}}
    report = claude.run("one " + marker(ECHO, second, {"hang": "before"}), session_id=session, on_event=kill)
    assert (report.verdict.reason, report.usage.is_partial) == (Reason.KILLED, True)
    assert (report.usage.cost_usd, report.unseen_usd) == (0, 3 * REPLY_USD)


def test_a_budget_is_for_this_process_and_so_is_the_cost_in_the_verdict(claude: Bench) -> None:
    first = claude.run("one " + marker(*[ECHO] * 9, {"text": "done"}))
    report = claude.run(
        "two " + marker({**ECHO, "times": -1}), resume=first.session_id, session_id=first.session_id, budget_usd=0.0005
    )
    assert (report.verdict.reason, spent(report)) == (Reason.BUDGET, (200, 40))
    assert f"(${report.usage.cost_usd:.4f})" in report.verdict.detail
    assert report.usage.cost_usd < first.usage.cost_usd


def test_a_failed_request_costs_nothing_though_the_session_did(claude: Bench) -> None:
    first = claude.run("one")
    failing = "two " + marker({"status": 500, "times": -1})
    report = claude.run(failing, resume=first.session_id, session_id=first.session_id)
    assert (report.verdict.reason, report.usage) == (Reason.API_ERROR, Usage())


def result(cost: float, total: float) -> dict[str, Any]:
    models = {"m": {"costUSD": cost, "inputTokens": 10, "outputTokens": 1}}
    return {**RESULT, "total_cost_usd": total, "model_usage_since_last_result": models}


def test_several_results_of_a_process_add_up(bench: Bench) -> None:
    said = line("assistant", message={"id": "m2", "usage": {"input_tokens": 7}})
    nothing = {**result(0, 2.0), "model_usage_since_last_result": {}}
    turns = [INIT, SAID, result(0.25, 1.5), INIT, SAID, result(0.5, 2.0), nothing]
    bench.executable = stub(bench.folder, printing(turns))
    assert bench.run("hi").usage == Usage(0.75, False, 20, 2)
    bench.executable = stub(bench.folder, printing([*turns, INIT, said]))
    assert bench.run("hi").usage == Usage(0.75, True, 27, 2)


def test_a_claude_that_tells_only_totals_is_believed() -> None:
    totals = Record({**RESULT, "modelUsage": {"m": {"inputTokens": 3, "costUSD": 9}}})
    assert spent_until(totals, Usage(0.2, False, 1)) == Usage(0.5, False, 3)


def test_figures_that_are_none_count_as_nothing() -> None:
    odd = {"m": {"costUSD": "much", "inputTokens": None}, "n": 3}
    assert spent_until(Record({"model_usage_since_last_result": odd}), Usage(0.1)) == Usage(0.1)
    assert announced([Record({"input_tokens": "many"})]) == Usage()
