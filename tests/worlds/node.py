"""What the tests of the node share: tiny flows, a pool of their own, and nodes as real processes."""

import json
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from ccs.deployments.node.reaper import ZYGOTE_TITLE
from ccs.flows.node.identity import NODE_PROCESS_MARK
from ccs.flows.node.processes import all_marked, title
from tests.worlds.processes import PATIENCE, kill, until
from tests.worlds.server import clean_environment, client

T = TypeVar("T")
ENDED = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}
POOL_TEMPLATE = Path(__file__).parents[2] / "deployments" / "pool.json"

FLOWS = """
import json, os, signal, subprocess, sys, time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.events import emit_event
from prefect.exceptions import Abort
from prefect.runtime import flow_run
from prefect.states import AwaitingRetry

@flow
def look(out: str):
    seen = {"env": dict(os.environ), "title": Path("/proc/self/comm").read_text().strip(), "cwd": os.getcwd()}
    seen["leads_session"] = os.getsid(0) == os.getpid()
    seen["path"] = sys.path
    seen["interrupt"] = signal.getsignal(signal.SIGINT) is not signal.SIG_IGN
    Path(out).write_text(json.dumps(seen))

@flow
def stay(out: str, seconds: float):
    Path(out + ".begun").write_text(str(time.time()))
    time.sleep(seconds)
    Path(out + ".ended").write_text(str(time.time()))

STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(600)"

@flow(name="job")
def job(out: str, seconds: float = 0, waits: bool = False):
    stay.fn(out, seconds)
    if waits:
        with get_client(sync_client=True) as client:
            in_an_hour = datetime.now(timezone.utc) + timedelta(hours=1)
            client.set_flow_run_state(flow_run.id, AwaitingRetry(scheduled_time=in_an_hour), force=True)
        kind, own = "prefect.resource", {"prefect.resource.id": "prefect.flow-run." + flow_run.id}
        related = [{f"{kind}.id": "prefect.flow.x", f"{kind}.role": "flow", f"{kind}.name": "job"}]
        emit_event("prefect.flow-run.heartbeat", resource=own, related=related)  # one that comes late
        raise Abort("it goes on in an hour")

@flow
def peek(out: str):
    node = os.environ["CCS_NODE_PID"].partition(":")[0]
    paths = [f"/proc/{pid}/{file}" for pid in (node, os.getppid(), os.getpid()) for file in ("environ", "maps")]
    child = subprocess.run(["cat", *paths], capture_output=True, check=False)
    seen = {"own": os.environ.get("PREFECT_API_AUTH_STRING"), "childs": child.stdout.decode(errors="replace")}
    Path(out).write_text(json.dumps(seen))

@flow
def breed(out: str, seconds: float):
    plain = subprocess.Popen(["sleep", "600"])
    moved = subprocess.Popen(["sleep", "600"], start_new_session=True)
    stubborn = subprocess.Popen([sys.executable, "-c", STUBBORN], start_new_session=True, stdout=subprocess.PIPE)
    stubborn.stdout.read(1)
    Path(out).write_text(json.dumps([os.getpid(), plain.pid, moved.pid, stubborn.pid]))
    end = time.time() + seconds
    while time.time() < end and not Path(out + ".end").exists():
        time.sleep(0.1)
"""


class Node:
    """A node as a process of its own, its output in a file."""

    def __init__(self, world: "World", name: str, *options: str, ignoring_interrupts: bool = False) -> None:
        self.name = name
        self.log = world.folder / f"{name}-{uuid.uuid4().hex[:6]}.log"
        command = [sys.executable, "-m", "ccs.deployments.node", "--pool", world.pool, "--name", name, *options]
        command = [*world.prefix, *command]
        if ignoring_interrupts:
            command = ["/bin/sh", "-c", 'trap "" INT; exec "$@"', "sh", *command]
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=world.env, cwd=world.folder
            )

    def is_ready(self) -> "Node":
        def look() -> bool:
            assert self.process.poll() is None, self.text()
            return f"ccs node {self.name} ready: pool " in self.text()

        until(look, f"ready: {self.text()}")
        return self

    def text(self) -> str:
        return self.log.read_text(errors="replace")

    def started(self) -> dict[int, str]:
        """The pids and titles of all that it has started: runs, theirs, and what they are forked from."""
        mine = f"{self.process.pid}:"
        return {pid: title(pid) for pid, marks in all_marked() if marks.get(NODE_PROCESS_MARK, "").startswith(mine)}

    def zygote(self) -> int:
        """The pid of the process it forks runs from."""
        return next(pid for pid, title in self.started().items() if title == ZYGOTE_TITLE)

    def dies(self) -> None:
        """End at once with all that it started, as its machine would."""
        self.process.kill()
        self.process.wait()
        while started := self.started():
            for pid in started:
                with suppress(ProcessLookupError):
                    kill(pid)

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def ends(self) -> int:
        return self.process.wait(PATIENCE)


class World:
    """A work pool on a server, with the flows above deployed to it."""

    def __init__(self, url: str, folder: Path) -> None:
        self.folder = folder
        self.prefix: list[str] = []
        """What stands before the command line of each node."""
        self.pool = f"pool-{uuid.uuid4().hex[:8]}"
        self.env = clean_environment(folder, url) | {"PYTHONPATH": str(folder / "modules")}
        self.api = client(url)
        (folder / "modules").mkdir()
        (folder / "modules" / "tiny.py").write_text(FLOWS)
        template = json.loads(POOL_TEMPLATE.read_text())
        self._post("/work_pools/", name=self.pool, type="process", base_job_template=template)

    def close(self) -> None:
        self.api.close()

    def start(self, flow: str, job_variables: dict[str, Any] | None = None, **parameters: Any) -> str:
        """Trigger a run; its id."""
        flow_id = self._post("/flows/", name=flow)["id"]
        deployment = self._post(
            "/deployments/",
            name=f"{flow}-{self.pool}",
            flow_id=flow_id,
            work_pool_name=self.pool,
            entrypoint=f"tiny:{flow}",
            pull_steps=[],
            job_variables=job_variables or {},
        )
        run = self._post(f"/deployments/{deployment['id']}/create_flow_run", parameters=parameters)
        return str(run["id"])

    def state(self, run: str) -> dict[str, Any]:
        answer = self.api.get(f"/flow_runs/{run}")
        answer.raise_for_status()
        state: dict[str, Any] = answer.json()["state"]
        return state

    def ends(self, run: str, *, within: float = PATIENCE) -> str:
        """The type of the state in which the run ended."""
        return until(lambda: (s := self.state(run)["type"]) in ENDED and str(s), f"run {run} ended", within)

    def cancel(self, run: str) -> None:
        self._post(f"/flow_runs/{run}/set_state", state={"type": "CANCELLING", "name": "Cancelling"})

    def file(self, name: str) -> str:
        """What a flow wrote, once it is there."""
        path = self.folder / name
        return until(lambda: path.exists() and path.read_text(), f"the flow wrote {name}")

    def family(self, name: str) -> list[int]:
        """The pids that `breed` wrote: of the run's process and of what it started."""
        pids: list[int] = until(lambda: json.loads(self.file(name) or "[]"), "pids")
        return pids

    @contextmanager
    def node(self, name: str, *options: str, ignoring_interrupts: bool = False, ready: bool = True) -> Iterator[Node]:
        """A node, killed at the end if the test has not ended it."""
        node = Node(self, name, *options, ignoring_interrupts=ignoring_interrupts)
        try:
            yield node.is_ready() if ready else node
        finally:
            if node.process.poll() is None:
                node.send(signal.SIGTERM)
                node.send(signal.SIGTERM)
                try:
                    node.process.wait(PATIENCE)
                except subprocess.TimeoutExpired:
                    node.process.kill()
                    node.process.wait()

    def _post(self, path: str, **body: Any) -> dict[str, Any]:
        content: dict[str, Any] = self.api.post(path, json=body).raise_for_status().json()
        return content
