"""Attempts with the real claude, against the scripted API."""

import json
from pathlib import Path
from threading import Timer
from typing import Any

import pytest

from ccs.flows.claude.events import Answered, ApiRetry, Event, Finished, Init, Said, ToolCall, ToolResult
from ccs.flows.spec.verdict import Reason
from tests.fakes.anthropic import FakeApi, marker
from tests.worlds.claude import KEY, PATIENCE, Bench
from tests.worlds.processes import processes_with

OAUTH = {"ANTHROPIC_API_KEY": "", "CLAUDE_CODE_OAUTH_TOKEN": "sk-ant-oat01-made-up-0123456789"}
REJECTED = {
    "anthropic-ratelimit-unified-status": "rejected",
    "anthropic-ratelimit-unified-reset": "1900000000",
    "anthropic-ratelimit-unified-representative-claim": "five_hour",
}


def always(**step: Any) -> str:
    return marker({**step, "times": -1})


def test_an_answer_is_a_success_with_its_figures(claude: Bench) -> None:
    report = claude.run("say it " + marker({"text": "It is said."}))
    assert (report.verdict.reason, report.text, report.returncode) == (Reason.OK, "It is said.", 0)
    assert report.models == ("claude-sonnet-5-5",)
    assert report.claude_version.startswith("2.")
    assert report.api_key_source == "ANTHROPIC_API_KEY"
    assert (report.num_turns, report.usage.input_tokens, report.usage.output_tokens) == (1, 100, 20)
    assert report.usage.cost_usd > 0
    assert not report.usage.is_partial
    assert 0 < report.duration_seconds < 60
    assert (report.survivors_killed, report.warnings, report.stderr) == (0, (), None)
    assert isinstance(claude.events[0], Init)
    assert claude.events[1:3] == [Answered("claude-sonnet-5-5"), Said("It is said.")]
    assert report.progress == 1
    assert isinstance(claude.events[-1], Finished)


def test_the_transcript_holds_every_line_and_is_private(claude: Bench) -> None:
    report = claude.run("hi")
    assert report.transcript is not None
    lines = report.transcript.read_bytes().splitlines()
    assert len(lines) == report.lines
    assert json.loads(lines[-1])["type"] == "result"
    assert report.transcript.stat().st_mode & 0o777 == 0o600
    assert report.transcript.parent.stat().st_mode & 0o777 == 0o700


def test_tools_edit_files_in_the_working_directory(claude: Bench) -> None:
    (claude.cwd / "old.txt").write_text("before")
    steps: list[dict[str, Any]] = [
        {"tool": "Read", "input": {"file_path": str(claude.cwd / "old.txt")}},
        {
            "text": "Now the work.",
            "tools": [
                {"name": "Bash", "input": {"command": "pwd > where.txt"}},
                {
                    "name": "Edit",
                    "input": {
                        "file_path": str(claude.cwd / "old.txt"),
                        "old_string": "before",
                        "new_string": "after",
                    },
                },
            ],
        },
        {"text": "done"},
    ]
    report = claude.run("work " + marker(*steps))
    assert report.verdict.ok
    assert (claude.cwd / "where.txt").read_text().strip() == str(claude.cwd)
    assert (claude.cwd / "old.txt").read_text() == "after"
    assert ToolCall("Bash", "pwd > where.txt") in claude.events
    assert [event for event in claude.events if isinstance(event, ToolResult) and not event.is_error]


@pytest.mark.parametrize(
    ("step", "reason", "transient", "words"),
    [
        ({"status": 400}, Reason.API_ERROR, False, "400"),
        (
            {"status": 400, "message": "Your credit balance is too low"},
            Reason.API_ERROR,
            False,
            "Credit balance is too low",
        ),
        ({"status": 401}, Reason.AUTH, False, "put a valid key or token"),
        ({"status": 403}, Reason.AUTH, False, "403"),
        ({"status": 404}, Reason.API_ERROR, False, "model"),
        ({"status": 413}, Reason.API_ERROR, False, "too large"),
        ({"status": 429}, Reason.USAGE_LIMIT, True, "429"),
        ({"status": 500}, Reason.API_ERROR, True, "500"),
        ({"status": 502, "body": "<html>bad gateway</html>"}, Reason.API_ERROR, True, "502"),
        ({"status": 529}, Reason.API_ERROR, True, "529"),
        ({"sse_error": "overloaded_error"}, Reason.API_ERROR, True, "529"),
        ({"reset": "before"}, Reason.API_ERROR, True, "ECONNRESET"),
        ({"reset": "headers"}, Reason.API_ERROR, True, "ECONNRESET"),
        ({"reset": "mid", "text": "abcdef", "deltas": 3}, Reason.API_ERROR, True, "ECONNRESET"),
        ({"eof": "before"}, Reason.API_ERROR, True, "API Error"),
        ({"eof": "headers"}, Reason.API_ERROR, True, "API Error"),
        ({"eof": "mid", "text": "abcdef", "deltas": 3}, Reason.API_ERROR, True, "API Error"),
        ({"text": "no", "stop_reason": "refusal"}, Reason.API_ERROR, False, "safeguards"),
        ({"text": "cut", "stop_reason": "max_tokens"}, Reason.API_ERROR, False, "output token maximum"),
        ({"text": ""}, Reason.EMPTY_RESULT, False, "its answer is empty"),
    ],
    ids=lambda value: " ".join(map(str, value.values())) if isinstance(value, dict) else None,
)
def test_every_failure_of_the_api_has_its_reason(
    claude: Bench, step: dict[str, Any], reason: Reason, transient: bool, words: str
) -> None:
    report = claude.run("work " + always(**step))
    assert (report.verdict.reason, report.verdict.is_transient) == (reason, transient)
    assert words in report.verdict.detail


def test_a_failure_after_work_is_still_a_failure(claude: Bench) -> None:
    work = {"tool": "Bash", "input": {"command": "touch done.txt"}}
    report = claude.run("work " + marker(work, {"status": 500, "times": -1}))
    assert report.verdict.reason is Reason.API_ERROR
    assert (claude.cwd / "done.txt").exists()
    assert report.usage.input_tokens == 100


def test_a_failure_that_claude_gets_over_is_none(claude: Bench) -> None:
    report = claude.run("work " + marker({"status": 529}, {"text": "fine"}), values={"CLAUDE_CODE_MAX_RETRIES": "1"})
    assert report.verdict.ok
    assert [event.status for event in claude.events if isinstance(event, ApiRetry)] == [529]


def test_a_login_that_is_refused_twice_is_not_tried_for_minutes(claude: Bench, fake_api: FakeApi) -> None:
    fake_api.reset()
    report = claude.run("hi " + always(status=401), values={"CLAUDE_CODE_MAX_RETRIES": "10"})
    assert not report.usage.is_partial  # nothing was let in, so nothing was spent
    assert (report.verdict.reason, report.verdict.is_transient, report.progress) == (Reason.AUTH, False, 0)
    assert "refused the key or token twice in a row: put a valid key" in report.verdict.detail
    assert len([event for event in claude.events if isinstance(event, ApiRetry)]) == 2
    assert not [event for event in claude.events if isinstance(event, Answered)]
    assert processes_with(report.session_id) == set()


@pytest.mark.parametrize(
    "failures",
    [[{"status": 401}], [{"status": 401}, {"status": 529}, {"status": 401}], [{"status": 500}, {"status": 503}]],
)
def test_a_hiccup_is_left_to_the_patience_of_claude(claude: Bench, failures: list[dict[str, Any]]) -> None:
    report = claude.run("hi " + marker(*failures, {"text": "fine"}), values={"CLAUDE_CODE_MAX_RETRIES": "10"})
    assert (report.verdict.reason, report.text) == (Reason.OK, "fine")
    told = [type(event) for event in claude.events if isinstance(event, ApiRetry | Answered)]
    assert told == [ApiRetry] * len(failures) + [Answered]


def test_refused_logins_of_different_requests_are_not_in_a_row(claude: Bench) -> None:
    refused: dict[str, Any] = {"status": 401}
    work = {"tool": "Bash", "input": {"command": "echo hi"}}
    prompt = "hi " + marker(refused, work, refused, work, refused, {"text": "fine"})
    assert claude.run(prompt, values={"CLAUDE_CODE_MAX_RETRIES": "10"}).verdict.ok


def test_without_a_login_the_reason_is_auth(claude: Bench) -> None:
    report = claude.run("hi", values={"ANTHROPIC_API_KEY": ""})
    assert report.verdict.reason is Reason.AUTH
    assert "Not logged in" in report.verdict.detail


def test_a_usage_limit_says_when_it_ends(claude: Bench) -> None:
    report = claude.run("hi " + always(status=429, headers=REJECTED), values=OAUTH)
    assert (report.verdict.reason, report.resets_at) == (Reason.USAGE_LIMIT, 1900000000)


def test_a_limit_on_requests_is_none_on_usage_though_it_comes_with_a_reset(claude: Bench) -> None:
    told = {name: value for name, value in REJECTED.items() if not name.endswith("-claim")}
    told["anthropic-ratelimit-unified-status"] = "allowed"
    report = claude.run("hi " + always(status=429, headers=told), values=OAUTH)
    assert (report.verdict.reason, report.verdict.is_transient, report.resets_at) == (Reason.USAGE_LIMIT, True, None)
    assert "not your usage limit" in report.verdict.detail


@pytest.mark.parametrize(
    ("window", "limits_model"), [("five_hour", False), ("seven_day", False), ("seven_day_opus", True)]
)
def test_a_limit_of_one_model_is_told_from_one_of_all(claude: Bench, window: str, limits_model: bool) -> None:
    headers = {**REJECTED, "anthropic-ratelimit-unified-representative-claim": window}
    report = claude.run("hi " + always(status=429, headers=headers), values=OAUTH)
    assert (report.verdict.reason, report.resets_at) == (Reason.USAGE_LIMIT, 1900000000)
    assert report.limits_model == limits_model


def test_a_limit_that_was_lifted_by_paying_is_none(claude: Bench) -> None:
    headers = {**REJECTED, "anthropic-ratelimit-unified-overage-status": "allowed"}
    report = claude.run("hi " + marker({"text": "paid", "headers": headers}), values=OAUTH)
    assert (report.verdict.ok, report.resets_at) == (True, None)


def test_a_limit_without_an_end_says_so(claude: Bench) -> None:
    report = claude.run("hi " + always(status=429))
    assert (report.verdict.reason, report.resets_at) == (Reason.USAGE_LIMIT, None)
    assert "the API did not say when the limit ends" in report.verdict.detail


def test_turns_and_budget_are_limits_of_their_own(claude: Bench) -> None:
    forever = "work " + always(tool="Bash", input={"command": "echo again"})
    assert claude.run(forever, max_turns=1).verdict.reason is Reason.MAX_TURNS
    report = claude.run(forever, budget_usd=0.0005)
    assert report.verdict.reason is Reason.BUDGET
    assert report.usage.cost_usd >= 0.0005


WRITE = marker({"tool": "Write", "input": {"file_path": "x.txt", "content": "x"}}, {"text": "I could not."})


@pytest.mark.parametrize("mode", ["default", "dontAsk", "plan"])
def test_a_denied_tool_fails_the_attempt_and_is_named(claude: Bench, mode: str) -> None:
    report = claude.run("write " + WRITE, permission_mode=mode)
    assert report.verdict.reason is Reason.PERMISSION_DENIED
    assert f"Write ({claude.cwd}/x.txt)" in report.verdict.detail
    assert [denial.tool for denial in report.denials] == ["Write"]


def test_a_denied_tool_may_be_only_a_warning(claude: Bench) -> None:
    report = claude.run("write " + WRITE, permission_mode="dontAsk", on_denied="warn")
    assert report.verdict.ok
    assert report.warnings == ("1 tool calls were not permitted",)


def test_rules_allow_and_forbid_tools(claude: Bench) -> None:
    steps: list[dict[str, Any]] = [{"tool": "Bash", "input": {"command": "touch a && mkdir b"}}, {"text": "done"}]
    rules = ("Bash(touch *)", "Bash(mkdir *)")
    assert claude.run("do " + marker(*steps), permission_mode="dontAsk", allowed_tools=rules).verdict.ok
    assert (claude.cwd / "b").is_dir()
    claude.run("do " + marker({**steps[0], "input": {"command": "touch c"}}, {"text": "x"}), disallowed_tools=("Bash",))
    assert not (claude.cwd / "c").exists()


@pytest.mark.parametrize(
    "text",
    [
        "-v --help",
        "/tmp/file is a path",
        "/help",
        "#1 !ls",
        "two\nlines \u2028 and \x85 more\u2029 \U0001f600 grüße",
        "nul \0 inside",
        "API Error: 401 · Please run /login",
    ],
)
def test_any_text_is_a_prompt_and_reaches_the_model(claude: Bench, fake_api: FakeApi, text: str) -> None:
    fake_api.reset()
    report = claude.run(text + " " + marker({"text": "I heard: {{last}}"}))
    assert report.verdict.ok
    heard = report.text.removeprefix("I heard: ").lstrip()
    assert heard.startswith(text.replace("\0", "").split("\0")[0].strip()[:5])
    assert "\0" not in report.text


def test_a_prompt_may_have_five_megabytes(claude: Bench) -> None:
    report = claude.run("x" * 5_000_000)
    assert report.verdict.reason in (Reason.OK, Reason.API_ERROR)  # claude may find it too long, but gets it
    assert report.lines > 1


def test_floods_pass_whole(claude: Bench) -> None:
    report = claude.run("much " + marker({"text_bytes": 5_000_000}))
    assert report.verdict.ok
    assert len(report.text) == 5_000_000
    report = claude.run("bits " + marker({"text_bytes": 20_000, "deltas": 10_000}))
    assert (report.verdict.ok, len(report.text)) == (True, 20_000)


@pytest.mark.parametrize("when", ["before", "headers", "mid"])
def test_a_silent_api_is_an_idle_timeout(claude: Bench, when: str) -> None:
    report = claude.run("wait " + always(hang=when, text="abcdef", deltas=3), idle_timeout=1.5)
    assert report.verdict.reason is Reason.TIMEOUT_IDLE
    assert "no output for 1.5 s: the API is silent" in report.verdict.detail
    assert report.usage.is_partial
    assert processes_with(report.session_id) == set()


def test_tries_without_an_answer_are_silence_too(claude: Bench) -> None:
    values = {"CLAUDE_CODE_MAX_RETRIES": "10", "API_TIMEOUT_MS": "1000"}
    for seconds in PATIENCE:
        report = claude.run("wait " + always(hang="before"), idle_timeout=seconds, values=values)
        assert (report.verdict.reason, report.verdict.is_transient) == (Reason.TIMEOUT_IDLE, True)
        if any(isinstance(event, ApiRetry) for event in claude.events):
            return
    pytest.fail("claude has never tried again")


def test_an_attempt_that_takes_too_long_is_stopped(claude: Bench) -> None:
    slow = {"tool": "Bash", "input": {"command": "python3 -c 'import time; time.sleep(300)'"}}
    for seconds in PATIENCE:
        report = claude.run("wait " + marker(slow), timeout=seconds)
        assert report.verdict.reason is Reason.TIMEOUT
        assert processes_with(report.session_id) == set()
        if f"not finished after {seconds} s while the tool Bash ran" in report.verdict.detail:
            return
    pytest.fail(report.verdict.detail)


def test_a_stop_from_another_thread_ends_the_attempt_at_once(claude: Bench) -> None:
    def act(event: Event) -> None:
        if isinstance(event, ToolCall):
            Timer(0.2, claude.stop.request, ["cancelled"]).start()

    slow = {"tool": "Bash", "input": {"command": "python3 -c 'import time; time.sleep(300)'"}}
    report = claude.run("wait " + marker(slow), on_event=act)
    assert report.verdict.reason is Reason.CANCELLED
    assert processes_with(report.session_id) == set()


def test_a_stop_that_came_before_starts_nothing(claude: Bench, fake_api: FakeApi) -> None:
    fake_api.reset()
    claude.stop.request("cancelled")
    assert claude.run("hi").verdict.reason is Reason.CANCELLED
    assert fake_api.requests == []


def make_commands(root: Path, name: str) -> None:
    for path in (root / "commands" / f"{name}.md", root / "commands" / "sub" / f"{name}.md"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("Greet $ARGUMENTS " + marker({"text": f"{name} ran"}))
    skill = root / "skills" / f"{name}-skill" / "SKILL.md"
    skill.parent.mkdir(parents=True)
    skill.write_text(f"---\nname: {name}-skill\ndescription: greets\n---\nGreet " + marker({"text": f"{name} ran"}))


@pytest.mark.parametrize("form", ["/{} Bob", "/sub:{} Bob", "/{}-skill Bob"])
@pytest.mark.parametrize(("owner", "trust"), [("user", False), ("user", True), ("project", True)])
def test_commands_of_the_user_and_of_a_trusted_project_run(claude: Bench, owner: str, trust: bool, form: str) -> None:
    make_commands((claude.home if owner == "user" else claude.cwd) / ".claude", owner)
    report = claude.run(form.format(owner), is_command=True, trust_project=trust)
    assert (report.verdict.reason, report.text) == (Reason.OK, f"{owner} ran")


@pytest.mark.parametrize("form", ["/{} Bob", "/sub:{}", "/{}-skill"])
def test_commands_of_an_untrusted_project_are_refused_by_name(claude: Bench, form: str) -> None:
    make_commands(claude.cwd / ".claude", "project")
    report = claude.run(form.format("project"), is_command=True)
    assert report.verdict.reason is Reason.SPAWN
    assert "trust_project" in report.verdict.detail
    assert form.format("project").split()[0] in report.verdict.detail


def test_an_untrusted_project_runs_no_hooks_and_cannot_redirect_the_api(claude: Bench) -> None:
    hook = {"hooks": [{"type": "command", "command": f"touch {claude.folder}/hooked"}]}
    settings = {"env": {"ANTHROPIC_BASE_URL": "http://127.0.0.1:1"}, "hooks": {"SessionStart": [hook]}}
    (claude.cwd / ".claude").mkdir()
    (claude.cwd / ".claude" / "settings.json").write_text(json.dumps(settings))
    assert claude.run("hi").verdict.ok
    assert not (claude.folder / "hooked").exists()
    assert claude.run("hi", trust_project=True).verdict.reason is Reason.API_ERROR
    assert (claude.folder / "hooked").exists()


def test_a_session_id_cannot_be_used_twice(claude: Bench) -> None:
    report = claude.run("hi")
    again = claude.run("hi", session_id=report.session_id)
    assert again.verdict.reason is Reason.NO_RESULT
    assert "already in use" in again.verdict.detail
    assert again.stderr is not None
    assert "already in use" in again.stderr.read_text()


def test_a_secret_is_in_no_file_and_no_text(claude: Bench) -> None:
    steps: list[dict[str, Any]] = [
        {"text": f"Key {KEY}", "tool": "Bash", "input": {"command": "echo $ANTHROPIC_API_KEY >&2; exit 3"}}
    ]
    report = claude.run(
        "tell " + marker(*steps, {"text": "{{last}}"}), redact=lambda line: line.replace(KEY.encode(), b"***")
    )
    assert report.verdict.ok
    assert "***" in report.text
    assert report.transcript is not None
    told = "\n".join(map(str, [report, *claude.events])) + report.transcript.read_text()
    assert "***" in told
    assert KEY not in told
