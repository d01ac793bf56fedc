"""Commands around a task: their ends, their output, what they are given, and that nothing of them survives."""

import signal
import threading
import time

import pytest

from ccs.blocks.env import Source, Variable, resolve
from ccs.blocks.redact import MASK
from ccs.flows.processes.command import LOGGED_LINES, TAIL_BYTES, command_environment
from ccs.flows.processes.stop import StopReason
from tests.worlds.claude import KEY, PATH
from tests.worlds.workshop import Workshop, shop

__all__ = ["shop"]  # a fixture


def test_a_command_passes(shop: Workshop) -> None:
    result = shop.run("echo hello; pwd")
    assert result.ok and result.is_answer and result.returncode == 0
    assert result.output_tail == f"hello\n{shop.cwd}"
    assert shop.lines == ["hello", str(shop.cwd)]
    assert result.sentence.startswith("passed after ")


def test_both_streams_come_in_their_order(shop: Workshop) -> None:
    shop.run("for i in 1 2 3; do echo out $i; echo err $i >&2; done")
    assert shop.lines == ["out 1", "err 1", "out 2", "err 2", "out 3", "err 3"]


def test_the_line_is_taken_as_it_is(shop: Workshop) -> None:
    result = shop.run("""printf '%s\\n' "it's \\"quoted\\"" '$HOME' # and a comment""")
    assert shop.lines == ['it\'s "quoted"', "$HOME"]
    assert result.ok


def test_nobody_answers_a_question(shop: Workshop) -> None:
    assert shop.run("if read answer; then echo got; else echo nothing; fi").output_tail == "nothing"


@pytest.mark.parametrize(
    ("line", "returncode", "says", "is_answer"),
    [
        ("exit 3", 3, "exit code 3 after", True),
        ("false", 1, "exit code 1 after", True),
        ("no-such-command-here", 127, "found no such command", False),
        ("touch x; ./x", 126, "may not execute", False),
        ("kill -KILL $$", -9, "was killed by SIGKILL", False),
        ("sh -c 'kill -TERM $$'; exit $?", 143, "a part of it was killed by SIGTERM", False),
        ("exit 255", 255, "exit code 255 after", False),
        ("if", 2, "exit code 2 after", True),
    ],
)
def test_every_end_is_one_sentence(shop: Workshop, line: str, returncode: int, says: str, is_answer: bool) -> None:
    result = shop.run(line)
    assert (result.returncode, result.ok, result.is_answer) == (returncode, False, is_answer)
    assert says in result.sentence


def test_what_cannot_be_started_is_said(shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = shop.cwd / "gone"
    assert shop.run("echo", cwd=gone).sentence == f"the working directory {gone} does not exist any more"
    assert "NUL" in shop.run("echo \0").sentence
    assert "put it into a script" in shop.run(f"echo {'x' * 130_000}").sentence
    monkeypatch.setattr("ccs.flows.processes.command.SHELL", str(gone))
    result = shop.run("echo")
    assert f"{gone} could not be started" in result.sentence
    assert not result.ok and not result.is_answer and result.returncode is None


def test_a_directory_that_the_command_itself_removes_is_no_trouble(shop: Workshop) -> None:
    folder = shop.cwd / "own"
    folder.mkdir()
    assert shop.run("rmdir ../own; echo gone", cwd=folder).output_tail == "gone"


def test_a_secret_is_nowhere(shop: Workshop) -> None:
    result = shop.run(f"echo the key is {KEY}; printf '%s' '{KEY}'")
    assert shop.lines == [f"the key is {MASK}", MASK]
    assert result.output_tail == f"the key is {MASK}\n{MASK}"


def test_a_line_of_ten_megabytes(shop: Workshop) -> None:
    result = shop.run("head -c 10000000 /dev/zero | tr '\\0' x; echo; echo end")
    assert result.ok
    assert len(result.output_tail.encode()) == TAIL_BYTES and result.output_tail.endswith("x\nend")
    assert max(map(len, shop.lines)) < 3000 and shop.lines[-1] == "end"


def test_bytes_that_are_no_text(shop: Workshop) -> None:
    result = shop.run("head -c 300000 /dev/urandom; printf 'a\\0b\\377c'")
    assert result.ok and result.output_tail.endswith("a\ufffdb\ufffdc")
    assert "\0" not in result.output_tail + "".join(shop.lines)


def test_a_hundred_thousand_lines(shop: Workshop) -> None:
    result = shop.run("i=0; while [ $i -lt 100000 ]; do echo $i; i=$((i+1)); done")
    assert result.output_tail.endswith("99998\n99999")
    assert len(shop.lines) == LOGGED_LINES + 51
    assert shop.lines[LOGGED_LINES - 1 : LOGGED_LINES + 2] == [
        "499",
        "… 99450 lines are left out …",
        "99950",
    ]


def test_nothing_is_left_out_where_little_comes_after(shop: Workshop) -> None:
    shop.run("i=0; while [ $i -lt 520 ]; do echo $i; i=$((i+1)); done")
    assert shop.lines == [str(i) for i in range(520)]


DAEMONS = "(setsid sh -c 'trap \"\" TERM HUP INT; touch {0}/up; exec sleep 600') & sleep 600 & nohup sleep 600 & "


def test_nothing_survives_a_normal_end(shop: Workshop) -> None:
    result = shop.run(DAEMONS.format(".") + "while [ ! -e up ]; do :; done; echo done")
    assert result.ok and result.output_tail.endswith("done")
    assert not shop.survivors


def test_nothing_survives_the_timeout(shop: Workshop) -> None:
    result = shop.run(DAEMONS.format(".") + "trap '' TERM; while :; do sleep 1; done", timeout=0.5)
    assert result.timed_out and not result.ok and not result.is_answer
    assert "its time was over" in result.sentence
    assert not shop.survivors


def test_a_flood_ends_with_the_timeout(shop: Workshop) -> None:
    assert shop.run("yes", timeout=0.5).timed_out


@pytest.mark.parametrize("reason", ["cancelled", "timeout"])
def test_a_stop_from_another_thread(shop: Workshop, reason: StopReason) -> None:
    def hear(line: str) -> None:
        threading.Thread(target=shop.stop.request, args=(reason,)).start()

    result = shop.run("echo started; " + DAEMONS.format(".") + "sleep 600", on_line=hear)
    assert (result.cancelled, result.timed_out) == (reason == "cancelled", reason == "timeout")
    assert not result.ok and not shop.survivors


def test_what_was_stopped_before_is_not_started(shop: Workshop) -> None:
    shop.stop.request("cancelled")
    assert shop.run("touch started").cancelled
    assert not (shop.cwd / "started").exists()


def test_an_exception_of_the_listener_leaves_nothing(shop: Workshop) -> None:
    def fail(line: str) -> None:
        raise RuntimeError(line)

    with pytest.raises(RuntimeError, match="first"):
        shop.run(DAEMONS.format(".") + "while [ ! -e up ]; do :; done; echo first; sleep 600", on_line=fail)
    assert not shop.survivors


def test_an_exception_of_a_signal_handler_leaves_nothing(shop: Workshop) -> None:
    class SignalledError(Exception):
        pass

    def handle(number: int, frame: object) -> None:
        raise SignalledError

    def when_it_runs() -> None:
        while not (shop.cwd / "up").exists():
            time.sleep(0.01)
        signal.pthread_kill(main, signal.SIGUSR1)

    main = threading.get_ident()
    before = signal.signal(signal.SIGUSR1, handle)
    try:
        threading.Thread(target=when_it_runs).start()
        with pytest.raises(SignalledError):
            shop.run(DAEMONS.format(".") + "sleep 600")
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert not shop.survivors


def test_a_guard_that_is_killed_leaves_nothing_and_no_exit_code(shop: Workshop) -> None:
    # The shell is the guard's child.
    result = shop.run(DAEMONS.format(".") + "while [ ! -e up ]; do :; done; kill -KILL $PPID; sleep 600")
    assert result.returncode is None and not result.ok and "its guard was killed" in result.sentence
    assert not shop.survivors


def test_what_got_away_and_writes_on_holds_nobody_up(shop: Workshop) -> None:
    escape = f"env -i setsid sh -c 'touch up; exec yes {shop.mark}' & while [ ! -e up ]; do :; done; "
    result = shop.run(escape + "sleep 0.2; kill -KILL $PPID; sleep 600")
    assert result.returncode is None and "its guard was killed" in result.sentence
    deadline = time.monotonic() + 60
    while shop.survivors:  # nobody reads what it writes any more, and that ends it
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_command_gets_plain_values_of_the_profile_only() -> None:
    profile = resolve(
        "p",
        {
            "DJANGO_SETTINGS_MODULE": Variable(source=Source.STATIC, value="site.test"),
            "PATH": Variable(source=Source.STATIC, value="/opt/tools:/usr/bin"),
            "ANTHROPIC_BASE_URL": Variable(source=Source.STATIC, value="http://127.0.0.1:1"),
            "CLAUDE_CODE_USE_BEDROCK": Variable(source=Source.STATIC, value="1"),
            "API_TOKEN": Variable(source=Source.STATIC, value="token-of-mine"),
            "DATABASE_URL": Variable(source=Source.STATIC, value="postgres://me:word@db/x"),
            "FROM_NODE": Variable(source=Source.ENV, value="HIDDEN_HERE"),
            "CONTAINS": Variable(source=Source.STATIC, value=f"--header={KEY}"),
            "TZ": Variable(source=Source.UNSET),
        },
        {"ANTHROPIC_API_KEY": KEY, "DEPLOY": "made-up-deploy-secret"},
        {"HIDDEN_HERE": "hidden-value"},
    )
    node = {"HOME": "/home/me", "PATH": PATH, "TZ": "UTC", "AWS_SECRET_ACCESS_KEY": "x", "PREFECT_API_KEY": "y"}
    environment = command_environment(node, profile, {"CCS_RUN_ID": "r"})
    assert environment["DJANGO_SETTINGS_MODULE"] == "site.test" and environment["PATH"] == "/opt/tools:/usr/bin"
    assert environment["HOME"] == "/home/me" and environment["CCS_RUN_ID"] == "r"
    assert not {"TZ", "API_TOKEN", "DATABASE_URL", "FROM_NODE", "CONTAINS", "DEPLOY"} & set(environment)
    assert not [
        n for n in environment if n.startswith(("ANTHROPIC", "AWS", "PREFECT")) or n == "CLAUDE_CODE_USE_BEDROCK"
    ]
    assert not {"hidden-value", KEY} & set(environment.values())
