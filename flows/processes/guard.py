"""The guard of one process: stands between driver and the process, and lets nothing of it outlive it.

Run as a script: `python -I -S guard.py CONTROL_FD GRACE_SECONDS EXECUTABLE ARGUMENT...`. It starts the
process on its own standard streams and never touches the data. A byte on the control socket, or its end because the
driver died, stops the process: SIGTERM, the grace, SIGKILL. However it ends, every process it left is killed: on
Linux they all become children of the guard, also those that left session, parent and environment behind.

On the socket it says `started PID`, then `ended WAIT_STATUS KILLED LEFT CERTAIN`, where CERTAIN is 0 if processes
may have escaped its eyes because orphans do not come to it on this system; or `error ERRNO` alone.
It imports next to nothing, because its start-up is paid for by every attempt.
"""

import _signal as signal  # type: ignore[import-not-found]  # the module around it takes a third of the start-up time
import os
import select
import sys
import time

SETTLE = 0.1  # seconds in which what it left may end by itself
TERM_GRACE = 1.0  # seconds from SIGTERM to SIGKILL for what it left
GIVE_UP = 10.0  # seconds after which a process that cannot be killed is reported instead

TITLE = "ccs-guard"  # how others know it: what sweeps after a run must let the guard finish first

# By the guard itself, by Python, or by a script that started the node in the background.
_USUALLY_IGNORED = (
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGTERM,
    signal.SIGPIPE,
    signal.SIGXFSZ,
)

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36


def prctl(option: int, value: int) -> bool:
    """Set an attribute of this process, where the system has such attributes."""
    if sys.platform != "linux":
        return False
    import ctypes  # costs 3 ms, and not every build of Python has it

    return bool(ctypes.CDLL(None).prctl(option, value, 0, 0, 0) == 0)


def adopt_orphans() -> bool:
    """Become the parent of every orphan below this process; False where the system cannot do that."""
    return prctl(_PR_SET_CHILD_SUBREAPER, 1)


def take_title() -> None:
    """Take the guard's name, where the system shows names of processes; the process does not inherit it."""
    try:
        title = os.open("/proc/self/comm", os.O_WRONLY)
        os.write(title, TITLE.encode())
        os.close(title)
    except OSError:
        return


def start(argv: list[str]) -> int:
    """Start the process in a session of its own; OSError when it cannot be executed."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.setsid()
            for ignored in _USUALLY_IGNORED:
                signal.signal(ignored, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, [])
            prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            os.execv(argv[0], argv)  # noqa: S606 - no shell is the point
        except OSError as error:
            os.write(writer, str(error.errno).encode())
        finally:
            os._exit(127)
    os.close(writer)
    errno = os.read(reader, 16)
    os.close(reader)
    if errno:
        raise OSError(int(errno), "")
    return pid


def descendants(root: int) -> set[int]:
    """Every living process below `root`."""
    children: dict[int, list[int]] = {}
    for pid, parent in processes():
        children.setdefault(parent, []).append(pid)
    found: set[int] = set()
    pending = [root]
    while pending:
        below = children.get(pending.pop(), [])
        found.update(below)
        pending += below
    return found


def processes() -> list[tuple[int, int]]:
    """The living processes, each with its parent."""
    if sys.platform != "linux":
        lines = os.popen("/bin/ps -axo pid=,ppid=").read().splitlines()  # noqa: S605 - a fixed text
        return [(int(pid), int(parent)) for pid, parent in map(str.split, lines)]
    pairs = []
    for name in os.listdir("/proc"):  # noqa: PTH208 - pathlib would triple the start-up time
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123
                    state, parent = file.read().rpartition(b")")[2].split()[:2]
            except OSError:
                continue
            if state not in b"ZX":
                pairs.append((int(name), int(parent)))
    return pairs


def kill(pid: int, number: int) -> None:
    """Send a signal to a process that may be gone, or belong to another user."""
    try:
        os.kill(pid, number)
    except OSError:
        return


class Guard:
    """Waits for the process, for the driver, and for whatever the process leaves."""

    def __init__(self, control: int, grace: float) -> None:
        self.control, self.grace = control, grace
        self.status: int | None = None
        self.known: set[int] = set()  # only where orphans do not come to the guard
        self.adopts = adopt_orphans()
        self.woken, waker = os.pipe()
        os.set_blocking(self.woken, False)
        os.set_blocking(waker, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(waker, warn_on_full_buffer=False)

    def say(self, text: str) -> None:
        """Tell the driver, which may be gone."""
        try:
            os.write(self.control, text.encode() + b"\n")
        except OSError:
            return

    def reap(self, child: int) -> bool:
        """Collect what ended; whether any child is left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            if pid == child:
                self.status = status

    def wait(self, seconds: float | None, watched: list[int]) -> bool:
        """Sleep until a child ends, the driver speaks or the time is over; whether the driver spoke."""
        ready, _, _ = select.select([self.woken, *watched], [], [], seconds)
        if self.woken in ready:
            os.read(self.woken, 4096)
        return self.control in ready

    def run(self, child: int) -> None:
        """Wait for the end of the process, hastening it when the driver says so or dies."""
        deadline: float | None = None
        while self.reap(child) and self.status is None:
            if deadline is None:
                if self.wait(None, [self.control]):
                    if not self.adopts:
                        self.known = descendants(child)
                    kill(child, signal.SIGTERM)
                    deadline = time.monotonic() + self.grace
            elif time.monotonic() < deadline:
                self.wait(deadline - time.monotonic(), [])
            else:
                kill(child, signal.SIGKILL)
                self.wait(1, [])

    def sweep(self) -> tuple[int, int]:
        """Kill every process left; how many there were, and how many could not be killed."""
        signalled: set[int] = set()
        begin = time.monotonic()
        while self.reap(0) or self.known:
            elapsed = time.monotonic() - begin
            if self.adopts:
                left = descendants(os.getpid())
            else:
                left = self.known = self.known & {pid for pid, _ in processes()}
            if elapsed > GIVE_UP:
                return len(signalled), len(left)
            for pid in left if elapsed > SETTLE else ():
                if elapsed > SETTLE + TERM_GRACE:
                    kill(pid, signal.SIGKILL)
                elif pid not in signalled:
                    kill(pid, signal.SIGTERM)
                signalled.add(pid)
            self.wait(0.05, [])
        return len(signalled), 0


def main() -> None:
    grace, argv = float(sys.argv[2]), sys.argv[3:]
    control = os.dup(int(sys.argv[1]))  # not inherited, and a number that select takes
    os.close(int(sys.argv[1]))
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    take_title()
    guard = Guard(control, grace)
    try:
        child = start(argv)
    except OSError as error:
        guard.say(f"error {error.errno}")
        return
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)  # the pipes are the process's alone, so that their end means its end
    os.chdir("/")
    guard.say(f"started {child}")
    guard.run(child)
    killed, left = guard.sweep()
    guard.say(f"ended {guard.status} {killed} {left} {guard.adopts:d}")


if __name__ == "__main__":
    main()
