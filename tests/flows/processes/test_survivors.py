"""However an attempt ends, nothing of it lives on."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Timer

import pytest

from ccs.flows.claude.events import Event, ToolCall
from ccs.flows.spec.verdict import Reason
from tests.fakes.anthropic import marker
from tests.worlds.claude import INIT, RESULT, SAID, Bench, printing, stub
from tests.worlds.processes import PATIENCE, processes_with, until

LEFTOVERS = {
    "in the background": "sleep {n} >/dev/null 2>&1 &",
    "nohup": "nohup sleep {n} >/dev/null 2>&1 &",
    "own session": "setsid sleep {n} >/dev/null 2>&1 &",
    "forked twice": "( ( setsid sleep {n} & ) & ) >/dev/null 2>&1;",
    "without environment": "env -i setsid /bin/sleep {n} >/dev/null 2>&1 &",
    "deaf to SIGTERM": "setsid sh -c 'trap \"\" TERM; sleep {n}; sleep {n}' >/dev/null 2>&1 &",
    "holding the streams": "setsid sleep {n} &",
}


@pytest.fixture
def seconds(tmp_path: Path) -> Iterator[str]:
    """A number of seconds to sleep that no other process has; at the end nobody may sleep so long."""
    number = f"{86_400 + os.getpid()}.{time.time_ns() % 10**9:09d}"
    yield number
    left = processes_with(number)
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert left == set()


def tool(command: str) -> str:
    return "work " + marker({"tool": "Bash", "input": {"command": command}}, {"text": "done"})


@pytest.mark.parametrize("how", LEFTOVERS)
def test_what_a_tool_left_is_killed_after_a_good_end(claude: Bench, seconds: str, how: str) -> None:
    report = claude.run(tool(LEFTOVERS[how].format(n=seconds) + " echo started"))
    assert report.verdict.ok
    assert report.survivors_killed >= 1
    assert processes_with(seconds) == set()


@pytest.mark.parametrize("how", LEFTOVERS)
def test_what_a_tool_left_is_killed_after_a_stop(claude: Bench, seconds: str, how: str) -> None:
    wait = f"python3 -c 'import time; time.sleep({seconds})'"

    def act(event: Event) -> None:
        if isinstance(event, ToolCall):
            Timer(0.5, claude.stop.request, ["cancelled"]).start()

    report = claude.run(tool(f"{LEFTOVERS[how].format(n=seconds)} {wait}"), on_event=act)
    assert report.verdict.reason is Reason.CANCELLED
    assert processes_with(seconds) == set()
    assert processes_with(report.session_id) == set()


def test_claude_killed_by_somebody_leaves_nothing(claude: Bench, seconds: str) -> None:
    def act(event: Event) -> None:
        if isinstance(event, ToolCall):
            until(lambda: processes_with(seconds))
            (claude,) = (pid for pid in processes_with(event_session) if is_claude(pid))
            os.kill(claude, signal.SIGKILL)

    request = claude.request("x")
    event_session = f"--session-id={request.session_id}"
    report = claude.run(
        tool(f"python3 -c 'import time; time.sleep({seconds})'"), session_id=request.session_id, on_event=act
    )
    assert (report.verdict.reason, report.returncode) == (Reason.KILLED, -9)
    assert report.survivors_killed >= 1
    assert report.usage.is_partial


def is_claude(pid: int) -> bool:
    """Whether a process is the executable itself, and not its guard, which has the same arguments."""
    return b"/guard." not in Path(f"/proc/{pid}/cmdline").read_bytes()


def guards_of(session: str) -> set[int]:
    return {pid for pid in processes_with(f"--session-id={session}") if not is_claude(pid)}


def test_a_guard_killed_by_somebody_takes_everything_with_it(claude: Bench, seconds: str) -> None:
    request = claude.request("x")

    def act(event: Event) -> None:
        if isinstance(event, ToolCall):
            until(lambda: processes_with(seconds))
            (guard,) = guards_of(request.session_id)
            os.kill(guard, signal.SIGKILL)

    left = f"setsid sleep {seconds} >/dev/null 2>&1 & python3 -c 'import time; time.sleep({seconds})'"
    report = claude.run(tool(left), session_id=request.session_id, on_event=act)
    assert report.verdict.reason is Reason.KILLED
    assert "guard" in report.verdict.detail
    assert processes_with(request.session_id) == set()


DRIVER = """
import sys
from pathlib import Path
sys.path.insert(0, {root!r})
from tests.worlds.claude import Bench
from ccs.flows.claude.executable import Executable
bench = Bench(Path({folder!r}), {url!r}, Executable(Path({claude!r})))
bench.run({prompt!r}, session_id={session!r}, on_event=lambda event: print(event, flush=True))
"""


@pytest.fixture
def driver(claude: Bench, seconds: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A process of its own that drives an attempt whose tool runs, and the session's id."""
    session = claude.request("x").session_id
    left = f"env -i setsid /bin/sleep {seconds} >/dev/null 2>&1 & python3 -c 'import time; time.sleep({seconds})'"
    script = DRIVER.format(
        root=str(Path(__file__).parents[3]),
        folder=str(claude.folder),
        url=claude.url,
        claude=str(claude.executable.path),
        prompt=tool(left),
        session=session,
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            until(lambda: len(processes_with(seconds)) >= 2)
            yield process, session
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_a_driver_that_dies_leaves_nothing(
    driver: tuple[subprocess.Popen[str], str], seconds: str, number: signal.Signals
) -> None:
    process, session = driver
    process.send_signal(number)
    process.wait(PATIENCE)
    until(lambda: not processes_with(seconds) and not processes_with(session))


def test_a_guard_is_not_moved_by_signals(driver: tuple[subprocess.Popen[str], str], seconds: str) -> None:
    process, session = driver
    (guard,) = guards_of(session)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        os.kill(guard, number)
    time.sleep(0.3)
    assert guards_of(session) == {guard}
    assert processes_with(seconds)
    process.terminate()
    until(lambda: not processes_with(session))


def test_an_exception_out_of_a_signal_handler_kills_the_tree_first(claude: Bench, seconds: str) -> None:
    class Terminated(BaseException):
        pass

    def handle(number: int, frame: object) -> None:
        raise Terminated

    def act(event: Event) -> None:
        if isinstance(event, ToolCall):
            Timer(0.5, os.kill, [os.getpid(), signal.SIGUSR1]).start()

    before = signal.signal(signal.SIGUSR1, handle)
    try:
        with pytest.raises(Terminated):
            claude.run(tool(f"setsid sleep {seconds} & python3 -c 'import time; time.sleep({seconds})'"), on_event=act)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert processes_with(seconds) == set()


def test_a_child_that_forks_faster_than_it_is_killed_is_killed(bench: Bench, seconds: str) -> None:
    flee = f"import os, time\nwhile time.time() < {time.time() + 3}:\n  time.sleep(.002)\n  if os.fork(): os._exit(0)\n"
    flee += f"os.execlp('sleep', 'sleep', '{seconds}')\n"
    leave = f"import subprocess; subprocess.Popen([sys.executable, '-c', {flee!r}], start_new_session=True)"
    bench.executable = stub(bench.folder, printing([INIT, SAID, RESULT], leave))
    report = bench.run("hi")
    assert report.verdict.ok
    assert report.survivors_killed >= 1
    time.sleep(0.1)
    assert processes_with(seconds) == set()


def test_helpers_that_leave_by_themselves_are_not_counted(bench: Bench) -> None:
    leave = "if os.fork() == 0: time.sleep(0.02); os._exit(0)"
    bench.executable = stub(bench.folder, printing([INIT, SAID, RESULT], leave))
    assert any(bench.run("hi").survivors_killed == 0 for _ in range(20))  # a busy machine may keep one from leaving
