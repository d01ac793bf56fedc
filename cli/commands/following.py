"""Following a run: its log lines as they come, and how it ends."""

import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta

from ccs.cli import words
from ccs.cli.client import prefect_words, views
from ccs.cli.client.api import PAGE, Api
from ccs.cli.client.records import FlowRun, LogLine
from ccs.cli.client.results import read
from ccs.cli.client.rows import RunPage
from ccs.cli.errors import CcsError, QueuedError, ServerError, UnreachableError
from ccs.cli.exit_codes import ExitCode
from ccs.cli.terminal import results
from ccs.cli.terminal.output import Talk, is_terminal, plain, say

OVERLAP = timedelta(seconds=60)
"""Lines arrive in batches, each process by its own clock: so much is read again, and known lines are dropped."""

QUIET = 3.0
"""Seconds without a line after which the log of a run that has ended is complete."""

OUTAGE = 120.0
"""Seconds a server may be away while a run is followed."""

_LAZY = 5.0  # seconds between two looks at a run that waits for long

_OF_STATE = {
    "COMPLETED": ExitCode.OK,
    "FAILED": ExitCode.FAILED,
    "CRASHED": ExitCode.CRASHED,
    "CANCELLED": ExitCode.CANCELLED,
}
_OF_VERDICT = {"usage_limit": ExitCode.USAGE_LIMIT, "budget": ExitCode.BUDGET}
"""Why a run failed, where that has a code of its own; the first goes before the second."""


class Log:
    """The log of a run, of which each line is given once."""

    def __init__(self, api: Api, run: str) -> None:
        self._api, self._run = api, run
        self._seen: dict[str, str] = {}  # id and time of the lines that may come again
        self._latest = ""

    def new(self) -> list[LogLine]:
        """The lines that have arrived since the last call, oldest first."""
        after = (datetime.fromisoformat(self._latest) - OVERLAP).isoformat() if self._latest else None
        fresh: list[LogLine] = []
        offset = 0
        while True:
            page = self._api.logs(self._run, after, offset)
            fresh += [line for line in page if line["id"] not in self._seen]
            self._seen.update((line["id"], line["timestamp"]) for line in page)
            if len(page) < PAGE:
                break
            offset += PAGE
        unique = list({line["id"]: line for line in fresh}.values())
        if unique:
            self._latest = max(self._latest, max(line["timestamp"] for line in unique), key=_moment)
        return unique


class Line:
    """A line at the foot of the terminal that says what goes on; nothing where there is no terminal."""

    def __init__(self) -> None:
        self._live = is_terminal(sys.stderr)

    def put(self, text: str) -> None:
        """Show a text in place of the last one."""
        if self._live:
            from shutil import get_terminal_size

            sys.stderr.write("\r\x1b[2K" + plain(text)[: get_terminal_size().columns - 1])
            sys.stderr.flush()

    def clear(self) -> None:
        """Take the line away, so that others can be written."""
        self.put("")


def lines(api: Api, run: str, foot: Line | None = None, watch: "Watch | None" = None) -> Iterator[LogLine]:
    """The log lines of a run as they come, until it has ended and its log is complete."""
    log, quiet_since, lost_since, told = Log(api, run), time.monotonic(), 0.0, ""
    while True:
        try:
            state = api.run(run)
            fresh = log.new()
            wait = _wait(state, api.server_time)
            if watch and state["state_type"] in ("SCHEDULED", "PENDING") and not wait:
                watch.check(state)
            lost_since = 0.0
        except (UnreachableError, ServerError):
            lost_since = lost_since or time.monotonic()
            if time.monotonic() - lost_since > OUTAGE:
                raise
            if foot:
                foot.put("the server does not answer; trying again …")
            time.sleep(2)
            continue
        if fresh:
            quiet_since = time.monotonic()
            if foot:
                foot.clear()
            yield from fresh
        if state["state_type"] in views.ENDED and (
            time.monotonic() - quiet_since > QUIET or any(map(prefect_words.is_last, fresh))
        ):
            return
        if (pause := _pause(state, wait)) and pause[0] != told:
            if foot:
                foot.clear()
            told = pause[0]
            say(pause[1])
        if foot:
            foot.put(_status(state))
        time.sleep(_LAZY if wait > 2 * _LAZY else 0.5)


def wait(api: Api, run: str, ui_url: str) -> ExitCode:
    """Show a run live on stderr and, when it has ended, its result on stdout; the exit code that says how it ended."""
    foot = Line()
    try:
        for line in filter(is_news, lines(api, run, foot, Watch(api))):
            say(text_of(line))
        foot.clear()
    except KeyboardInterrupt:
        foot.clear()
        say(f"stopped waiting; the run goes on. End it with: ccs runs stop {run}")
        return ExitCode.CANCELLED
    except CcsError:
        foot.clear()
        raise
    ended = read(api, api.run(run), ui_url)
    results.show(ended)
    return exit_code(ended)


def exit_code(ended: RunPage) -> ExitCode:
    """What `--wait` exits with."""
    if ended["status_type"] == "FAILED":
        verdicts = {task["verdict"] for task in ended["tasks"]}
        if code := next((code for verdict, code in _OF_VERDICT.items() if verdict in verdicts), None):
            return code
    return _OF_STATE.get(ended["status_type"], ExitCode.REQUEST)


def text_of(line: LogLine) -> str:
    """A log line as a person reads it: local time, level if it is out of the ordinary, message."""
    when = datetime.fromisoformat(line["timestamp"]).astimezone()
    level = line["level"]
    word = "ERROR " if level >= 40 else "WARN  " if level >= 30 else "debug " if level < 20 else ""
    message = line["message"]
    if Talk.verbosity < 2:
        message = prefect_words.without_traceback(message)
    return f"{when:%H:%M:%S} {word}{plain(message)}"


def is_news(line: LogLine) -> bool:
    """Whether a line tells a person more than Prefect's bookkeeping; with -v every line does."""
    return Talk.verbosity > 0 or not prefect_words.is_bookkeeping(line)


class Watch:
    """Notices that a run cannot start: nobody is there to take it."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._alone_since: float | None = None
        self._next = 0.0

    def check(self, run: FlowRun) -> None:
        """Raise QueuedError when no node has been alive for some seconds, or the pool is paused."""
        now = time.monotonic()
        pool = run["work_pool_name"]
        if now < self._next or not pool:
            return
        self._next = now + 1.5
        if (found := self._api.pool(pool)) and found["is_paused"]:
            raise self._queued(run, f"work pool {pool!r} is paused", f"go on with: prefect work-pool resume {pool}")
        if any(views.is_live(node, self._api.server_time) for node in self._api.nodes(pool)):
            self._alone_since = None
            return
        self._alone_since = self._alone_since or now
        if now - self._alone_since > 3:
            start = f"start one with: ccs up -d{'' if pool == 'ccs' else ' --pool ' + pool}"
            raise self._queued(run, f"no node of work pool {pool!r} is alive", start)

    @staticmethod
    def _queued(run: FlowRun, why: str, hint: str) -> QueuedError:
        return QueuedError(why, f"{run['name']} ({run['id']})", hint)


def _pause(run: FlowRun, wait: float) -> tuple[str, str] | None:
    """What a run waits for: a word that changes with it, and a sentence; None when it does not wait."""
    if run["state_name"] == views.ENQUEUED:
        return views.ENQUEUED, f"the run waits until others of its job have ended: ccs explain {run['name']}"
    if not wait:
        return None
    due = str(views.due(run))
    return due, f"the run waits until {words.clock(datetime.fromisoformat(due))} ({words.ago(due)}) and then goes on"


def _wait(run: FlowRun, now: datetime) -> float:
    """Seconds until a run that has left its node goes on; 0 for any other."""
    due = views.due(run) if views.is_waiting(run) else None
    return max(0.0, (datetime.fromisoformat(due) - now).total_seconds()) if due else 0.0


def _moment(timestamp: str) -> datetime:
    return datetime.fromisoformat(timestamp or "0001-01-01T00:00:00+00:00")


def _status(run: FlowRun) -> str:
    since = words.apart(run["start_time"] or run["expected_start_time"] or run["created"])
    if views.is_waiting(run):
        reason = run["state"]["message"] or "it goes on by itself"
        return f"… {run['state_name']}, due {words.ago(views.due(run))}: {reason}"
    if run["state_name"] == views.ENQUEUED:
        return f"… {run['state_name']} for {since}: others of its job are under way"
    if run["state_type"] in ("SCHEDULED", "PENDING"):
        reason = run["state"]["message"] or "waiting for a node"
        return f"… {run['state_name']} for {since}: {reason}"
    return f"… {run['state_name']} for {since}"
