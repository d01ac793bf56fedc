"""A machine for chaos: its own server, nodes, profile and repository, and the counting of what went wrong."""

import json
import os
import shutil
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from ccs.cli.client import provision
from ccs.cli.client.api import Api
from ccs.cli.client.settings import Settings
from ccs.flows.node.processes import title
from tests.fakes import copied_claude
from tests.fakes.anthropic import FakeApi, marker
from tests.worlds import git as git_world
from tests.worlds import node as node_world
from tests.worlds.claude import bundled_claude
from tests.worlds.cli import Cli
from tests.worlds.node import Node
from tests.worlds.processes import living, parent, processes_with, until
from tests.worlds.server import free_port, start_server, stop_server

LONG = 300.0
"""Seconds of patience with a machine that has other things to do."""

PRICES = {"input_tokens": 2e-6, "output_tokens": 10e-6}
"""Dollars a token of the model that all tasks use, by which what was spent is counted on the side of the API."""

COUNTS = ("verdicts", "bytes", "processes", "work", "dirty", "over $")

Step = dict[str, Any]


class Skipped(Exception):  # noqa: N818  it is no error
    """A scenario cannot be played on this machine; the message says why."""


class Server:
    """A Prefect server that can go away and come back, at the same address and with the same database."""

    def __init__(self, home: Path) -> None:
        self.home, self.port = home, free_port()
        self.url = f"http://127.0.0.1:{self.port}/api"
        self.start()

    def start(self) -> None:
        self.process = start_server(self.home, self.port)

    def stop(self) -> None:
        stop_server(self.process)

    def crash(self) -> None:
        """End at once, as without power."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


class World(node_world.World):
    """Jobs on a repository whose tasks leave a trace of each thing they do.

    `problems` are sentences, each under the name of what it counts for, a number of COUNTS.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.server = Server(folder / "server")
        super().__init__(self.server.url, folder)
        self.api_of_claude = FakeApi().__enter__()
        self.repository = git_world.a_repository(folder / "repository")
        self.effects, self.mark = folder / "effects", f"8{os.getpid()}.{uuid4().int % 10**6}5"
        self.copies = folder / "copies"
        claude = folder / "claude"
        script = [sys.executable, "-I", "-S", str(Path(copied_claude.__file__)), bundled_claude()]
        claude.write_text(f'#!/bin/sh\nexec {" ".join(script)} {self.copies} "$@"\n')
        claude.chmod(0o755)
        self.env |= {
            "CCS_CLAUDE": str(claude),
            "KEY_ON_THE_NODE": "sk-ant-api03-Zq9Kd8Xw2Pm5Ra7Lt4Vb6",
            "TOKEN_ON_THE_NODE": "sk-ant-oat01-Zq9Kd8Xw2Pm5Ra7Lt4Vb6",
            "GIT_CONFIG_GLOBAL": os.environ["GIT_CONFIG_GLOBAL"],
        }
        self.ccs = Cli({**self.env, "CCS_POOL": self.pool, "CCS_HOME": str(folder / "cli")})
        self.gives_up_after(provision.SILENCE)
        self.profile(ANTHROPIC_API_KEY="env:KEY_ON_THE_NODE")
        self.problems: list[tuple[str, float, str]] = []
        self.runs: list[str] = []
        self.homes: set[Path] = set()
        self.caps: list[float] = []
        self.tolerance = 0.0
        self.patience = LONG
        self.lost_is_told = False
        self.repositories: set[Path] = set()
        self.once: set[str] = set()

    def close(self) -> None:
        super().close()
        self.api_of_claude.__exit__(None, None, None)
        self.server.stop()

    @contextmanager
    def on(self, name: str, *options: str, **variables: str) -> Iterator[Node]:
        """A node with a machine's own folder, and more variables in its environment."""
        before, home = self.env, self.folder / f"ccs-{name}"
        self.homes.add(home)
        self.env = {**before, "CCS_HOME": str(home), **variables}
        with self.node(name, *options, ready=False) as node:
            self.env = before
            yield node.is_ready()

    def gives_up_after(self, silence: float) -> None:
        """Have the server give up runs of which it has heard nothing for so many seconds."""
        api = Api(Settings(self.ccs.env))
        provision.provision(api, self.pool, silence)
        api.close()

    # What jobs are made of.

    def profile(self, name: str = "p", **variables: str) -> None:
        """Make a profile that leads to the scripted API."""
        own = {"ANTHROPIC_BASE_URL": self.api_of_claude.url, "CLAUDE_CODE_MAX_RETRIES": "0", "IS_SANDBOX": "1"}
        given = [word for key, value in {**own, **variables}.items() for word in ("--env", f"{key}={value}")]
        self.ccs.ok("profiles", "create", name, *given)

    def works(self, name: str, then: str = "true", sure: bool = True) -> Step:
        """A step in which a tool leaves a trace, changes the repository, and does something else."""
        if sure:
            self.once.add(name)
        command = f"echo {name} >> {self.effects}; echo {name} > {name}.txt; {then}"
        return {"tool": "Bash", "input": {"command": command, "timeout": 600_000}}

    def stays(self, name: str, hidden: bool = True) -> Step:
        """A step in which a tool stays for long; with processes that hide, if wanted."""
        shy = f"(setsid sleep {self.mark} &) ; env -i setsid sleep {self.mark} & " if hidden else ""
        return self.works(name, f"{shy}sleep {self.mark}")

    def task(self, name: str, *steps: Step, **fields: Any) -> dict[str, Any]:
        """A task whose steps are counted over all its sessions: each is to be met once."""
        script = [{**step, "task": name} for step in steps]
        script[0]["across"] = str(uuid4())
        return {"name": name, "prompt": f"do {name} {marker(*script)}", "attempt_budget_usd": 1.0, **fields}

    def job(
        self, name: str, *tasks: dict[str, Any], budget: float = 100.0, tolerance: float = 0.0, **fields: Any
    ) -> None:
        """Make a job that may cost so much, a run and a day; and `tolerance` more per attempt."""
        self.tolerance = max(self.tolerance, tolerance)
        spec = {
            "name": name,
            "profile": "p",
            "working_directory": {"path": str(self.repository)},
            "tasks": list(tasks),
            "budget_usd": budget,
            "budget_usd_per_day": budget,
            **fields,
        }
        self.repositories.add(Path(spec["working_directory"]["path"]))
        self.caps.append(budget)
        self.ccs.ok("jobs", "import", "-", stdin=json.dumps({"format": "ccs.job", "version": 1, "job": spec}))

    def run(self, job: str) -> str:
        """Start a run; its id."""
        return self.known(str(self.ccs.ok("jobs", "run", job).json["id"]))

    def restarted(self, run: str) -> str:
        """Start what a run did not finish; the id of the new run."""
        return self.known(str(self.ccs.ok("runs", "restart", run, "--from-failed").json["id"]))

    def known(self, run: str) -> str:
        self.runs.append(run)
        return run

    # What is waited for.

    def has_done(self, name: str) -> None:
        """Wait until a tool has left the trace of this name."""
        until(lambda: name in self.traces(), f"a tool has done {name}", LONG)

    def traces(self) -> list[str]:
        return self.effects.read_text().split() if self.effects.exists() else []

    def is_quiet(self, run: str) -> None:
        """Wait until everything that claude printed in the run was taken in."""
        until(lambda: self.lost(run) == 0, "all that claude printed is in the transcript", LONG)

    def has_printed(self, run: str, count: int) -> None:
        """Wait until a claude of the run has printed so many bytes."""
        copies = self.copies / run
        until(lambda: any(p.stat().st_size > count for p in copies.glob("*")), f"{count} bytes are printed", LONG)

    def claudes(self, run: str) -> list[int]:
        """The pids of the living claudes of a run."""
        found = [pid for pid in processes_with(f"CCS_RUN_ID={run}") if title(pid) == "claude"]
        return [pid for pid in found if parent(pid) not in found]  # without what it is about to make a tool of

    def claude(self, run: str) -> int:
        """The pid of the only claude of a run."""
        (found,) = self.claudes(run)
        return found

    def has_ended(self, run: str, task: str) -> None:
        """Wait until a task of a run that goes on has ended well."""

        def look() -> bool:
            rows = self.ccs.ok("runs", "get", run).json["tasks"]
            return {row["task"]: row["verdict"] for row in rows}.get(task) == "ok"

        until(look, f"{task} has ended", LONG)

    def waits(self, run: str) -> None:
        """Wait until a run waits on the server."""
        until(lambda: self.state(run)["name"] == "AwaitingRetry", "the run waits", LONG)

    # What is counted.

    def blame(self, count: str, what: str, number: float = 1) -> None:
        self.problems.append((count, number, what))

    def ended(self, run: str, state: str = "COMPLETED", **verdicts: str) -> dict[str, Any]:
        """Wait for a run's end, and compare how it and its tasks ended; what the command line says of it."""
        try:
            found = self.ends(run, within=self.patience)
        except AssertionError:
            found = self.state(run)["type"]
        said: dict[str, Any] = self.ccs.ok("runs", "get", run).json
        if found != state:
            self.blame("verdicts", f"run {run} is {found} instead of {state}: {said['reason']}")
        rows = {row["task"]: row for row in said["tasks"]}
        for name, row in rows.items():
            if "kept" in str(row.get("detail")) and not row.get("commit"):
                self.blame("verdicts", f"{name} is kept, but nothing of it was committed")
        for name, verdict in verdicts.items():
            row = rows.get(name, {})
            if row.get("verdict") != verdict:
                self.blame("verdicts", f"{name}: {row.get('verdict')} instead of {verdict} ({row.get('detail')})")
        return said

    def count(self) -> None:
        """Look at everything that must be as if nothing had happened."""
        for run in self.runs:
            if (lost := self.lost(run)) and not self.lost_is_told:
                self.blame("bytes", f"{lost} bytes that claude printed in run {run} are in no transcript", lost)
        self._count_processes()
        for name, times in Counter(self.traces()).items():
            if times > 1:
                self.blame("work", f"{name} was done {times} times", times - 1)
        for name in sorted(self.once - set(self.traces())):
            self.blame("verdicts", f"{name} was never done")
        requests = self.requests()
        if extra := sum(r["index"] is None for r in requests):
            self.blame("work", f"{extra} requests beyond what the tasks need", extra)
        for repository in self.repositories:
            left = git_world.status(repository).splitlines()
            left += [lock.name for lock in repository.glob(".git/**/*.lock")]
            if left:
                self.blame("dirty", f"left in {repository.name}: {', '.join(left)}")
        self._count_money(requests)

    def _count_processes(self) -> None:
        marks = [self.mark, *(f"CCS_RUN_ID={run}" for run in self.runs)]

        def left() -> list[int]:
            return living([pid for mark in marks for pid in processes_with(mark)])

        with suppress(AssertionError):
            until(lambda: not left(), "every process is gone", min(self.patience, 30))
        for pid in left():
            self.blame("processes", f"process {pid} ({title(pid)}) survives")

    def _count_money(self, requests: list[dict[str, Any]]) -> None:
        total = self.ccs.ok("cost").json["total"]
        told, spent = float(total["cost_usd"]), sum(price(r["step"]) for r in requests)
        if not total["cost_is_partial"] and abs(told - spent) > 0.01 * spent:
            self.blame("verdicts", f"${spent:.4f} were spent and ${told:.4f} told")
        over = max(told, spent) - sum(self.caps) - self.tolerance * total["attempts"]
        if over > 0:
            self.blame("over $", f"${spent:.4f} were spent, ${told:.4f} told, of ${sum(self.caps):.4f}", over)

    def requests(self) -> list[dict[str, Any]]:
        """What claude asked the model, without its side calls."""
        seen = self.api_of_claude.requests
        return [r for r in seen if r["step"] is not None and not r["side"]]

    def asked(self, task: str) -> list[dict[str, Any]]:
        """What was asked for a task."""
        return [r for r in self.requests() if r["step"].get("task") == task]

    def went_on_after(self, reset: float, *tasks: str, within: float = 120, probe_takes: float = 0.0) -> None:
        """Compare when claude asked with a limit: not before its reset, soon after, and at first only one."""
        began = self.api_of_claude.start
        asked = sorted((r["t"], "status" in r["step"]) for task in tasks for r in self.asked(task))
        (refused,) = [t for t, is_refused in asked if is_refused]
        after = [t for t, _ in asked if t > refused]
        if began + after[0] < reset - 1:
            self.blame("work", f"asked {reset - began - after[0]:.1f} s before the reset")
        if began + after[0] > reset + within:
            self.blame("verdicts", f"went on only {began + after[0] - reset:.1f} s after the reset")
        if early := [t for t in after[1:] if t < after[0] + probe_takes]:
            self.blame("work", f"{len(early)} asked beside the probe", len(early))

    def lines(self, run: str) -> int:
        """How many lines the transcripts of a run have."""
        return sum(p.read_bytes().count(b"\n") for home in self.homes for p in (home / "runs" / run).glob("*.jsonl"))

    def says_what_is_lost(self, run: str) -> None:
        """Compare what a run says with what is missing: a loss on a full disk is to be told, not to be hidden."""
        if not self.lost(run):
            self.blame("verdicts", "the disk was not full")
        text = self.ccs.ok("runs", "logs", run, "--output", "table").out
        self.lost_is_told = "could not be written after line" in text
        if not self.lost_is_told:
            self.blame("verdicts", "the run does not say that its transcript is cut off")

    def lost(self, run: str) -> int:
        """How many bytes of what claude printed in a run are not on record."""
        written: dict[str, list[Path]] = {}
        for home in self.homes:
            for path in (home / "runs" / run).glob("*.jsonl"):
                written.setdefault(path.stem.rpartition("-")[2], []).append(path)
        lost = 0
        printed: dict[str, list[Path]] = {}
        for path in sorted((self.copies / run).glob("*")):
            printed.setdefault(path.name.partition("-")[0], []).append(path)
        for session, copies in printed.items():
            files = sorted(written.get(session, []), key=lambda path: int(path.stem.split("-")[-2]))
            for number, copy in enumerate(copies):
                data = copy.read_bytes().rstrip(b"\n")
                record = files[number].read_bytes() if number < len(files) else b""
                lost += 0 if record.startswith(data) else len(data) - _alike(data, record)
        return lost

    def keep(self, folder: Path) -> None:
        """Keep the logs for whoever wants to know why."""
        shutil.copytree(self.folder, folder, ignore=shutil.ignore_patterns("prefect", "modules"), dirs_exist_ok=True)


def _alike(one: bytes, other: bytes) -> int:
    """How many bytes of the beginnings are the same."""
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def price(step: Step) -> float:
    """What a reply costs."""
    if "status" in step:
        return 0.0
    usage = {"input_tokens": 100, "output_tokens": 20, **step.get("usage", {})}
    return float(sum(usage[kind] * dollars for kind, dollars in PRICES.items()))


def run_process(claude: int) -> int:
    """The pid of the flow's process above a claude: above its copy, and its guard."""
    return parent(parent(parent(claude)))
