"""The node's side of the zygote: starts it, orders runs from it, learns how they end."""

import asyncio
import contextlib
import json
import os
import shlex
import signal
import socket
import sys
from collections.abc import Mapping
from typing import Protocol
from uuid import UUID

from ccs.blocks.sensitivity import is_sensitive
from ccs.deployments.node.messages import Order, ZygoteReport
from ccs.flows.node.processes import identity, is_alive, mark_words

_ORPHAN_POLL = 0.2


class ForkError(Exception):
    """The zygote could not be started, or could not start a run."""


class RunProcess(Protocol):
    """The process of a run; `returncode` is that of subprocess: negative for a signal."""

    @property
    def pid(self) -> int: ...

    @property
    def returncode(self) -> int | None: ...

    async def wait(self) -> int: ...


class ForkedRun:
    """A run's process that the zygote forked."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.started: asyncio.Future[int] = loop.create_future()
        self.ended: asyncio.Future[int | None] = loop.create_future()
        self.pid = 0
        self.returncode: int | None = None
        self._identity: str | None = None

    async def start(self) -> None:
        self.pid = await self.started
        self._identity = identity(self.pid)

    async def wait(self) -> int:
        """Until the process has ended, also when the zygote did not live to see that."""
        status = await self.ended
        if status is None:
            while self._identity and is_alive(self._identity):  # noqa: ASYNC110 - no event tells
                await asyncio.sleep(_ORPHAN_POLL)
            self.returncode = 1  # unknown: the run's own report counts, this one only if it made none
        else:
            self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode


class ZygoteHandle:
    """A process to fork runs from; `ready` starts it again when it has died."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._starting = asyncio.Lock()
        self._runs: dict[str, ForkedRun] = {}
        self._process: asyncio.subprocess.Process | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._listening: asyncio.Task[None] | None = None

    async def ready(self) -> None:
        """Start it unless it runs; ForkError says why it cannot."""
        async with self._starting:
            if self._listening is None or self._listening.done():
                await self._start()

    async def fork(self, run_id: UUID, environment: Mapping[str, str], cwd: str, *, output: bool) -> ForkedRun:
        """Start a run in a zygote that is ready; ForkError when there is no process for it.

        The output goes to the node's stdout and stderr, or nowhere.
        """
        run = self._runs[str(run_id)] = ForkedRun()
        await self._send({"run": str(run_id), "env": dict(environment), "cwd": cwd, "output": output})
        await run.start()
        return run

    async def close(self) -> None:
        """Let it go: it leaves when its runs have ended, at once when there are none."""
        if self._listening is not None:
            self._listening.cancel()
        if self._writer is not None:
            self._writer.close()
        if self._process is not None and self._process.returncode is None and not self._runs:
            self._process.kill()
            await self._process.wait()

    async def _start(self) -> None:
        ours, its = socket.socketpair()
        secrets = {name: value for name, value in self._environment.items() if is_sensitive(name, value)}
        try:
            self._process = await asyncio.create_subprocess_exec(
                # -P: the folder the node was started in must not offer modules to runs
                *(sys.executable, "-P", "-m", "ccs.deployments.node.zygote", str(its.fileno())),
                *mark_words(self._environment),
                pass_fds=(its.fileno(),),
                stdin=asyncio.subprocess.PIPE,
                start_new_session=True,
                env={name: value for name, value in self._environment.items() if name not in secrets},
            )
        except OSError as error:
            ours.close()
            raise ForkError(f"the zygote could not be started: {error}") from error
        finally:
            its.close()
        await _give(self._process, json.dumps(secrets).encode())
        reader, self._writer = await asyncio.open_unix_connection(sock=ours)
        greeting = await _report(reader)
        if greeting is None or "refused" in greeting:
            self._writer.close()
            why = greeting["refused"] if greeting else f"it ended with status {await self._process.wait()}"
            raise ForkError(f"the zygote did not start: {why}")
        self._listening = asyncio.create_task(self._listen(reader, self._writer))

    async def _send(self, order: Order) -> None:
        assert self._writer is not None
        try:
            self._writer.write(json.dumps(order).encode() + b"\n")
            await self._writer.drain()
        except OSError:
            return  # the listener sees the end of the connection and tells every run that waits

    async def _listen(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while report := await _report(reader):
            run = self._runs[report["run"]]
            if "pid" in report:
                run.started.set_result(report["pid"])
            else:
                del self._runs[report["run"]]
            if "error" in report:
                run.started.set_exception(ForkError(f"no process for the run: {report['error']}"))
            elif "status" in report:
                run.ended.set_result(report["status"])
        writer.close()
        orphans, self._runs = self._runs, {}
        for run in orphans.values():
            if not run.started.done():
                run.started.set_exception(ForkError("the zygote died"))
            run.ended.set_result(None)


async def start_cold(command: str, environment: Mapping[str, str], cwd: str, *, output: bool) -> RunProcess:
    """Start a run with a command of its own; OSError or ForkError when that cannot be. Output as in `fork`."""
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise ForkError(f"the command {command!r} is none: {error}") from error
    # No pipes: whatever a killed run leaves behind would hold them open, and the node would wait for that.
    stream = None if output else asyncio.subprocess.DEVNULL
    return await asyncio.create_subprocess_exec(
        *words,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=stream,
        stderr=stream,
        cwd=cwd,
        env=environment,
        start_new_session=True,
    )


def signal_group(pid: int, number: signal.Signals) -> bool:
    """Send a signal to the process group of a run; False when nothing is left of it."""
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


async def _give(process: asyncio.subprocess.Process, data: bytes) -> None:
    """Be the whole standard input of a process, which may have ended."""
    assert process.stdin is not None
    with contextlib.suppress(OSError):
        process.stdin.write(data)
        await process.stdin.drain()
    process.stdin.close()


async def _report(reader: asyncio.StreamReader) -> ZygoteReport | None:
    try:
        line = await reader.readline()
    except OSError:
        return None
    if not line.endswith(b"\n"):
        return None
    report: ZygoteReport = json.loads(line)
    return report
