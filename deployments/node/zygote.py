"""The process that runs are forked from: it has imported what a run needs, and never has a second thread.

It speaks with its node over one socket, of which `messages.py` has the lines: `ready` or `refused` once, then for each
order `pid` or `error`, and `status` when its process has ended.
When the node is gone the runs in flight finish, as they report their states themselves; the zygote clears up after
each of them and leaves with the last.
"""

import contextlib
import gc
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import sys
import threading
import traceback
import warnings
from pathlib import Path

from ccs.deployments.node import reaper
from ccs.deployments.node.messages import Order, ZygoteReport
from ccs.flows.node.processes import seclude, take_title
from ccs.flows.processes import guard

PRELOAD = (
    "prefect.main",
    "prefect.engine",
    "prefect.flow_engine",
    "prefect.task_engine",
    "prefect.client.orchestration",
    "prefect.logging.handlers",
    "prefect.events.worker",
    "prefect.events.clients",
    "prefect.deployments.steps.core",
    "prefect.task_runners",
    "prefect.artifacts",
    "prefect.results",
    "prefect.transactions",
    "prefect.workers.process",
    "prefect.utilities.visualization",
    "anyio._backends._asyncio",
    "encodings.idna",
    "h2.connection",
    "websockets.asyncio.client",
    "ccs.flows.job",
)


def preload(names: tuple[str, ...]) -> None:
    """Import modules ahead of the runs that need them; one that cannot be imported is said and left to its run."""
    for name in names:
        try:
            importlib.import_module(name)
        except Exception as error:  # whatever is wrong with a module has to show in the run, not end the node
            say(f"{name} is not preloaded: {type(error).__name__}: {error}")


def say(text: str) -> None:
    """One line for the node's log."""
    sys.stderr.write(f"ccs zygote: {text}\n")
    sys.stderr.flush()


def threads() -> int:
    """The threads of this process, those of native libraries included."""
    try:
        return sum(1 for _ in Path("/proc/self/task").iterdir())
    except OSError:
        return threading.active_count()


class Zygote:
    """Forks a process for every order that comes in on `control`."""

    def __init__(self, control: socket.socket) -> None:
        self.control = control
        self.node_lives = True
        self.runs: dict[int, str] = {}
        self.unread = b""

    def serve(self) -> Order | None:
        """In a forked child: its order. In the zygote: None, when the node is gone and every run has ended."""
        self.adopts = guard.adopt_orphans()
        gc.collect()
        gc.freeze()  # the collector would otherwise touch, and thereby copy, every page in every child
        awake, self.alarm = socket.socketpair()
        for end in (awake, self.alarm):
            end.setblocking(False)
        signal.set_wakeup_fd(self.alarm.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)  # it ends with its node, by the socket
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.control, selectors.EVENT_READ)
        self.selector.register(awake, selectors.EVENT_READ)
        self.awake = awake
        self.tell({"ready": True})
        while self.node_lives or self.runs:
            for key, _ in self.selector.select():
                if key.fileobj is awake:
                    awake.recv(4096)
                    self.reap()
                    continue
                for order in self.orders():
                    if self.fork(order):
                        return order
        return None

    def orders(self) -> list[Order]:
        """The complete orders that have arrived."""
        try:
            data = self.control.recv(1 << 20)
        except OSError:
            data = b""
        if not data:
            self.node_lives = False
            self.selector.unregister(self.control)
            return []
        *lines, self.unread = (self.unread + data).split(b"\n")
        return [json.loads(line) for line in lines]

    def fork(self, order: Order) -> bool:
        """True in the child."""
        try:
            pid = os.fork()
        except OSError as error:
            self.tell({"run": order["run"], "error": str(error)})
            return False
        if pid == 0:
            self.leave()
            return True
        self.runs[pid] = order["run"]
        self.tell({"run": order["run"], "pid": pid})
        return False

    def leave(self) -> None:
        """In the child: let go of all that is the zygote's."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        self.selector.close()
        for end in (self.control, self.awake, self.alarm):
            end.close()
        os.setsid()

    def reap(self) -> None:
        """Collect every child that has ended: report runs, and end what they left behind."""
        while (ended := self.ended()) is not None:
            run = self.runs.get(ended)
            if run is not None:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(ended, signal.SIGKILL)  # before its leader is reaped: the number is still ours
            _, status = os.waitpid(ended, 0)
            self.end_orphans()
            if run is None:
                continue
            del self.runs[ended]
            if self.node_lives:
                self.tell({"run": run, "status": status})
            if not self.node_lives:
                reaper.end_run(run)

    @staticmethod
    def ended() -> int | None:
        """A child that has ended and is not collected yet."""
        try:
            child = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return None
        return child.si_pid if child else None

    def end_orphans(self) -> None:
        """Kill the orphans that came to the zygote: their run, or the guard of their attempt, was killed.

        A guard whose run was killed is left to do its work, which ends it.
        """
        if not self.adopts:
            return
        for pid in reaper.children(os.getpid()) - set(self.runs):
            if not reaper.is_guard(pid):
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)

    def tell(self, report: ZygoteReport) -> None:
        try:
            self.control.sendall(json.dumps(report).encode() + b"\n")
        except OSError:
            self.node_lives = False


def run(order: Order) -> None:
    """In a forked child: be `python -m prefect.engine` with the order's environment; ends with SystemExit."""
    gc.enable()
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(order["env"])
    take_title(f"ccs:{order['run'][:8]}")
    _redirect(order["output"])
    os.chdir(order["cwd"])
    # Last, not first as `python -m` has it: a project's own types.py or token.py must not hide a module.
    sys.path.append(order["cwd"])
    added = [p for p in os.environ.get("PYTHONPATH", "").split(os.pathsep) if p and p not in sys.path]
    sys.path[:0] = added
    _renew_settings(before)
    sys.argv = ["prefect.engine"]
    warnings.filterwarnings("ignore", category=RuntimeWarning, module="runpy")
    runpy.run_module("prefect.engine", run_name="__main__", alter_sys=True)


def _redirect(output: bool) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    if not output:
        os.dup2(null, 1)
        os.dup2(null, 2)
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - descriptors, not files
        if int(name) > 2:
            try:
                os.close(int(name))
            except OSError:
                continue  # the one this listing was made with
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]


def _renew_settings(before: dict[str, str]) -> None:
    changed = {name for name, value in os.environ.items() ^ before.items()}
    if not any(name.startswith("PREFECT_") and not name.startswith("PREFECT__") for name in changed):
        return
    from prefect.context import refresh_global_settings_context

    refresh_global_settings_context()
    if any(name.startswith("PREFECT_LOGGING") for name in changed):
        from prefect.logging.configuration import setup_logging

        setup_logging()


def main() -> int:
    """`python -m ccs.deployments.node.zygote FD MARK...`: serve the node at the other end of that socket.

    What of the environment is secret comes on standard input, as a JSON object: the system shows the environment in
    which a process was started until it has secluded itself. The marks, NAME=VALUE, are for those who look for what a
    node left: a secluded process shows its arguments alone.
    """
    seclude()
    os.environ.update(json.load(sys.stdin))
    control = socket.socket(fileno=int(sys.argv[1]))
    take_title(reaper.ZYGOTE_TITLE)
    preload(PRELOAD)
    zygote = Zygote(control)
    if threads() > 1:
        zygote.tell({"refused": f"{threads()} threads are running after the imports"})
        return 1
    order = zygote.serve()
    if order is None:
        return 0
    try:
        run(order)
    except Exception:
        # Only what comes before the engine gets here: the engine exits by itself.
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
