"""Attempts with executables that do everything wrong."""

import stat
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from ccs.blocks.redact import Redactor
from ccs.flows.claude.events import Event, Init, Noise, Notice, Said
from ccs.flows.claude.executable import Executable
from ccs.flows.claude.story import MAX_NOISE
from ccs.flows.spec.verdict import Reason
from tests.worlds.claude import INIT, PATIENCE, RESULT, SAID, Bench, printing, stub
from tests.worlds.processes import processes_with

BAD = {**RESULT, "is_error": True, "result": "API Error: 500", "api_error_status": 500}
SLEEP = "time.sleep(300)"
IGNORE_TERM = "signal.signal(signal.SIGTERM, signal.SIG_IGN)"


@pytest.mark.parametrize(
    ("script", "reason", "words"),
    [
        ("", Reason.NO_RESULT, "ended with exit code 0, but no result was reported"),
        ("raise SystemExit(3)", Reason.NO_RESULT, "exit code 3"),
        ("print('garbage')\nprint('{\"half\": ')\n", Reason.NO_RESULT, 'its last words: {"half":'),
        ("import sys; sys.exit('Error: bad flag')", Reason.NO_RESULT, "its last words: Error: bad flag"),
        ("print('Execution error: success')", Reason.NO_RESULT, "no result"),
        ("import os; os.write(1, bytes(range(256)) * 99)", Reason.NO_RESULT, "no result"),
        (printing([INIT, SAID]), Reason.NO_RESULT, "no result"),
        (printing([INIT, SAID], "os.kill(os.getpid(), 9)"), Reason.KILLED, "killed by signal 9"),
        (printing([INIT, SAID], 'os.write(1, b\'{"type": "res\'); sys.exit(143)'), Reason.KILLED, "exit code 143"),
        (printing([INIT, SAID, RESULT]), Reason.OK, "finished"),
        (printing([INIT, SAID, RESULT], "sys.exit(1)"), Reason.KILLED, "exit code 1 after it had reported success"),
        (printing([INIT, SAID, RESULT], "os.abort()"), Reason.KILLED, "signal 6 after it had reported success"),
        (printing([INIT, RESULT, INIT, SAID, BAD]), Reason.API_ERROR, "API Error: 500"),
        (printing([INIT, RESULT, INIT, SAID]), Reason.NO_RESULT, "a last turn began and brought no result"),
        (printing([INIT, BAD, INIT, SAID, RESULT]), Reason.OK, "finished"),
        (printing([[1], None, "x", {"type": []}, {"type": "result"}, INIT, SAID, RESULT]), Reason.OK, "finished"),
        (printing([INIT, SAID], f"sys.stdout.write(json.dumps({RESULT!r}))"), Reason.OK, "finished"),
        ("print('[' * 100_000)\n" + printing([INIT, SAID, RESULT]), Reason.OK, "finished"),
    ],
)
def test_what_claude_prints_and_how_it_ends_give_the_verdict(
    bench: Bench, script: str, reason: Reason, words: str
) -> None:
    bench.executable = stub(bench.folder, script)
    report = bench.run("hi")
    assert report.verdict.reason is reason, report.verdict
    assert words in report.verdict.detail
    assert "\n" not in report.verdict.detail


@pytest.mark.parametrize("then", [SLEEP, f"{IGNORE_TERM}; os.close(1); os.close(2); {SLEEP}"])
def test_a_process_that_hangs_at_once_is_stopped(bench: Bench, then: str) -> None:
    bench.executable = stub(bench.folder, printing([], then))
    report = bench.run("hi", first_output_timeout=0.5)
    assert report.verdict.reason is Reason.TIMEOUT_FIRST_OUTPUT
    assert report.returncode in (-9, -15)
    assert processes_with(report.session_id) == set()


def test_standard_error_is_no_sign_of_life(bench: Bench) -> None:
    bench.executable = stub(bench.folder, printing([], "while True: sys.stderr.write('x' * 999 + '\\n')"))
    for seconds in PATIENCE:
        report = bench.run("hi", first_output_timeout=seconds)
        assert report.verdict.reason is Reason.TIMEOUT_FIRST_OUTPUT
        if report.stderr and report.stderr.stat().st_size > 1_000_000:
            break
        bench.events.clear()
    assert report.stderr is not None
    assert 1_000_000 < report.stderr.stat().st_size < 60_000_000
    assert stat.S_IMODE(report.stderr.stat().st_mode) == 0o600
    noise = [event for event in bench.events if isinstance(event, Noise)]
    assert len(noise) == MAX_NOISE
    assert isinstance(bench.events[-1], Notice)


@pytest.mark.parametrize("then", [SLEEP, f"os.close(1); os.close(2); {SLEEP}"])
def test_a_result_counts_though_the_process_does_not_leave(bench: Bench, then: str) -> None:
    bench.executable = stub(bench.folder, printing([INIT, SAID, RESULT], then))
    report = bench.run("hi", linger=0.5)
    assert report.verdict.ok
    assert report.warnings == ("claude did not leave after its last result and was stopped; the result counts",)
    assert processes_with(report.session_id) == set()


def test_a_lingering_process_may_still_bring_another_result(bench: Bench) -> None:
    more = [INIT, SAID, BAD]
    bench.executable = stub(bench.folder, printing([INIT, SAID, RESULT], "time.sleep(1)") + printing(more))
    assert bench.run("hi", linger=20).verdict.reason is Reason.API_ERROR


def test_the_time_is_over_while_a_finished_process_lingers(bench: Bench) -> None:
    bench.executable = stub(bench.folder, printing([INIT, SAID, RESULT], SLEEP))
    assert any(bench.run("hi", timeout=seconds).verdict.ok for seconds in PATIENCE)


def test_a_result_after_the_stop_does_not_count(bench: Bench) -> None:
    late = f"signal.signal(15, lambda *_: (print(json.dumps({RESULT!r}), flush=True), sys.exit(0)))"
    bench.executable = stub(bench.folder, printing([INIT, SAID], f"{late}\n{SLEEP}"))
    assert bench.run("hi", idle_timeout=1).verdict.reason is Reason.TIMEOUT_IDLE


def test_silence_after_the_first_words_is_an_idle_timeout(bench: Bench) -> None:
    bench.executable = stub(bench.folder, printing([INIT, SAID], SLEEP))
    report = bench.run("hi", idle_timeout=0.5)
    assert report.verdict.reason is Reason.TIMEOUT_IDLE
    assert report.usage.is_partial


def test_a_line_of_twelve_megabytes_is_one_line(bench: Bench) -> None:
    big = printing([INIT], "t = 'x' * 12_000_000")
    said = (
        "print(json.dumps({'type': 'assistant', 'message': {'id': 'm', 'content': [{'type': 'text', 'text': t}]}}))\n"
    )
    bench.executable = stub(bench.folder, big + said + printing([RESULT]))
    report = bench.run("hi")
    assert report.verdict.ok
    assert [len(event.text) for event in bench.events if isinstance(event, Said)] == [12_000_000]
    assert report.transcript is not None
    assert report.transcript.stat().st_size > 12_000_000


def test_ten_megabytes_of_prompt_arrive_whole_also_when_nobody_reads_them_at_first(bench: Bench) -> None:
    count = "time.sleep(0.3); n = len(sys.stdin.buffer.read()); os.write(2, str(n).encode())\n"
    bench.executable = stub(bench.folder, printing([INIT], count) + printing([SAID, RESULT]))
    report = bench.run("x" * 10_000_000)
    assert report.verdict.ok
    assert report.stderr is not None
    assert report.stderr.read_text() == "10000000\n"


@pytest.mark.parametrize("place", ["/dev/full", "/proc/nowhere/t.ndjson"])
def test_a_transcript_that_cannot_be_written_costs_no_verdict(bench: Bench, place: str) -> None:
    bench.executable = stub(bench.folder, printing([INIT, SAID, RESULT]))
    report = bench.run("hi", transcript=Path(place))
    assert report.verdict.ok
    assert "could not be written" in report.warnings[0]
    assert report.transcript is None


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"cwd": Path("/nowhere/at/all")}, "working directory /nowhere/at/all does not exist"),
        ({"prompt": " "}, "the prompt is empty"),
        ({"append_system_prompt": "x" * 200_000}, "--append-system-prompt is too long"),
        ({"append_system_prompt": "nul \0"}, "null byte"),
        ({"values": {"HUGE": "x" * 200_000}}, "HUGE is too long"),
    ],
)
def test_what_cannot_start_is_one_sentence(bench: Bench, fields: dict[str, Any], words: str) -> None:
    report = bench.run(**{"prompt": "hi", **fields})
    assert report.verdict.reason is Reason.SPAWN
    assert words in report.verdict.detail
    assert report.returncode is None


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda folder: Executable(folder / "missing"), "does not exist"),
        (lambda folder: stub(folder, "#!/no/such/interpreter\n"), "the interpreter its first line names"),
        (lambda folder: stub(folder, "#!\n\0\1\2"), "could not be started"),
        (lambda folder: Executable(folder), "may not execute"),
    ],
    ids=["missing", "interpreter", "format", "folder"],
)
def test_an_executable_that_cannot_run_is_told_apart(bench: Bench, make: Any, words: str) -> None:
    bench.executable = make(bench.folder)
    report = bench.run("hi")
    assert report.verdict.reason is Reason.SPAWN
    assert words in report.verdict.detail


def test_root_and_bypass_is_refused_before_the_start(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    report = bench.run("hi", values={"IS_SANDBOX": "yes"})
    assert report.verdict.reason is Reason.SPAWN
    assert "set IS_SANDBOX=1 in the profile" in report.verdict.detail


def test_claude_sees_the_environment_it_was_given_and_its_marks(bench: Bench) -> None:
    bench.executable = stub(
        bench.folder, f"#!{sys.executable}\nimport os; os.write(2, repr(dict(os.environ)).encode())"
    )
    report = bench.run("hi", values={"MINE": "1"})
    assert report.stderr is not None
    seen = eval(report.stderr.read_text())  # noqa: S307 - we printed it
    given = {**bench.environment(MINE="1"), "CCS_ATTEMPT": report.session_id, "PWD": str(bench.cwd)}
    assert {k: v for k, v in seen.items() if k != "LC_CTYPE"} == given  # Python adds LC_CTYPE where nothing says UTF-8


def test_claude_starts_with_ordinary_signals_and_no_open_files_but_its_streams(bench: Bench) -> None:
    show = "os.write(2, repr((sorted(os.listdir('/proc/self/fd')), open('/proc/self/status').read())).encode())"
    bench.executable = stub(bench.folder, f"#!{sys.executable} -IS\nimport os\n{show}")
    report = bench.run("hi")
    assert report.stderr is not None
    files, status = eval(report.stderr.read_text())  # noqa: S307 - we printed it
    assert [name for name in files if int(name) > 3] == []
    masks = dict(line.split(":\t") for line in status.splitlines() if line.startswith("Sig"))
    assert int(masks["SigBlk"], 16) == 0
    ordinary = (1 << 31) - 1  # what comes after is the C library's own
    assert int(masks["SigIgn"], 16) & ordinary & ~(1 << 12 | 1 << 24) == 0  # Python ignores SIGPIPE and SIGXFSZ


def test_an_exception_of_the_listener_ends_the_attempt_and_goes_on(bench: Bench) -> None:
    bench.executable = stub(bench.folder, printing([INIT, SAID], SLEEP))

    def listen(event: Event) -> None:
        raise KeyboardInterrupt

    request = bench.request("hi")
    with pytest.raises(KeyboardInterrupt):
        bench.run("hi", session_id=request.session_id, on_event=listen)
    assert processes_with(request.session_id) == set()
    assert b'"init"' in bench.transcript.read_bytes()


def test_a_secret_that_is_a_word_of_the_protocol_changes_no_verdict(bench: Bench) -> None:
    bench.executable = stub(bench.folder, printing([INIT, SAID, {**RESULT, "result": "what a success"}]))
    report = bench.run("hi", redact=lambda line: line.replace(b"success", b"*****"))
    assert (report.verdict.reason, report.text) == (Reason.OK, "what a *****")


def test_a_secret_of_several_lines_is_in_no_summary(bench: Bench) -> None:
    secret = "begin\nmiddle\nend"
    call = {"type": "tool_use", "id": "t", "name": "Bash", "input": {"command": f"echo {secret}"}}
    denied = {"tool_name": "Bash", "tool_use_id": "t", "tool_input": {"command": f"echo {secret}"}}
    records = [INIT, {"type": "assistant", "message": {"id": "m", "content": [call]}}]
    bench.executable = stub(bench.folder, printing([*records, {**RESULT, "permission_denials": [denied]}]))
    redactor = Redactor([secret])
    report = bench.run("hi", redact=redactor.line)
    assert report.verdict.reason is Reason.PERMISSION_DENIED
    assert "middle" not in f"{report} {bench.events} {bench.transcript.read_text()}"


def test_one_stop_ends_attempts_in_many_threads(tmp_path: Path) -> None:
    benches = [Bench(tmp_path / name, "http://127.0.0.1:1") for name in "abc"]
    began = Barrier(len(benches) + 1, timeout=60)
    for bench in benches:
        bench.stop = benches[0].stop
        bench.executable = stub(bench.folder, printing([INIT, SAID], SLEEP))

    def listen(event: Event) -> None:
        if isinstance(event, Init):
            began.wait()

    def run(bench: Bench) -> Reason:
        return bench.run("hi", on_event=listen).verdict.reason

    with ThreadPoolExecutor(len(benches)) as pool:
        ends = [pool.submit(run, bench) for bench in benches]
        began.wait()
        benches[0].stop.request("timeout")
        assert [end.result() for end in ends] == [Reason.TIMEOUT] * 3
