"""The node's Prefect worker: a process worker that starts runs warm, at once, and leaves nothing of them behind.

The only module that touches Prefect's private parts; `tests/deployments/node/test_worker.py` fails when they move:
- `prefect.runner._flow_run_executor.FlowRunExecutorContext`, `prefect.runner._process_manager.ProcessHandle`: what
  the stock worker supervises a run with (cancellation, crash reports, hooks). There is no public counterpart.
- the context's `_cancellation_manager._process_manager` and `_observer`: see `_PromptStop`, `_follow_states`.
- `ProcessJobConfiguration._command_configured`: whether the user asked for a command of their own.
- BaseWorker's `_limiter`, `_release_limit_slot`, `_submit_run`, `_cancel_run`, `_get_scheduled_flow_runs`,
  `_give_worker_labels_to_flow_run`, `_runs_task_group`, `_submitting_flow_run_ids`, `_work_pool`: see each use.
"""

import asyncio
import contextlib
import signal
import tempfile
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast
from uuid import UUID

import anyio
import anyio.abc
import httpx
from prefect.client.schemas.filters import FlowRunFilter
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.exceptions import ObjectNotFound
from prefect.flows import load_flow_from_flow_run
from prefect.logging.loggers import PrefectLogAdapter
from prefect.runner._flow_run_executor import FlowRunExecutionResult, FlowRunExecutorContext
from prefect.runner._process_manager import ProcessHandle, ProcessManager
from prefect.settings import PREFECT_API_URL, PREFECT_CLIENT_MAX_RETRIES, temporary_settings
from prefect.workers.base import BaseWorker
from prefect.workers.process import ProcessJobConfiguration, ProcessWorker, ProcessWorkerResult

from ccs.deployments.node import environment, homes, lost_runs, reaper, resumption, wake
from ccs.deployments.node.forks import ForkError, RunProcess, ZygoteHandle, signal_group, start_cold
from ccs.flows.workplace import journals

if TYPE_CHECKING:
    from prefect.client.schemas.responses import WorkerFlowRunResponse

_QUICK = {PREFECT_CLIENT_MAX_RETRIES: 1}
"""For requests that are repeated anyway: with 10 retries, the node would see minutes late that the server is back."""

_SHELL_STATUS: dict[type[Exception], int] = {FileNotFoundError: 127, PermissionError: 126}  # Prefect explains these
_END_POLL = 0.1
_LABEL_DELAY = 1.0
_END_GRACE = 15.0  # seconds for a run to end its tasks and report, before it is killed
_REPORT_PATIENCE = 20.0  # seconds for the states of ended runs to reach a server that may be away


class _Supervised:
    """One run's process as Prefect's process manager sees it: alive until nothing of it is left.

    It serves both as the process and as the termination scope of a `ProcessHandle`.
    """

    wait_after_graceful_kill = True

    def __init__(self, context: FlowRunExecutorContext) -> None:
        self.context = context
        self.process: RunProcess | None = None
        self.returncode: int | None = None
        self.cancelled = False
        self.over = asyncio.Event()
        self.told = False

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process else None

    def is_alive(self, pid: int) -> bool:
        return not self.over.is_set()

    def graceful_kill(self, pid: int) -> None:
        self.signal(signal.SIGTERM)

    def hard_kill(self, pid: int) -> None:
        self.signal(signal.SIGKILL)

    def close(self) -> None:
        return

    def signal(self, number: signal.Signals) -> None:
        if self.process is not None and not self.over.is_set():
            signal_group(self.process.pid, number)


class _PromptStop:
    """Stands in for the process manager in a cancellation, whose own kill first looks after 3 s."""

    def __init__(self, manager: ProcessManager, run: _Supervised) -> None:
        self._manager = manager
        self._run = run

    def get(self, flow_run_id: UUID) -> ProcessHandle | None:
        return self._manager.get(flow_run_id)

    async def kill(self, flow_run_id: UUID, grace_seconds: float = 30) -> None:
        """End the run's process and wait until all of the run is gone."""
        if not self._run.cancelled:
            self._run.cancelled = True
            self._run.signal(signal.SIGTERM)
        with anyio.move_on_after(grace_seconds):
            await self._run.over.wait()
        if not self._run.over.is_set():
            self._run.signal(signal.SIGKILL)
            with anyio.move_on_after(_END_GRACE):
                await self._run.over.wait()


class NodeWorker(ProcessWorker):
    """Serves a process pool, beside stock workers if need be."""

    type = "process"

    @classmethod
    def __dispatch_key__(cls) -> str:
        return "ccs-node"  # under its type it would displace the stock worker in Prefect's registry

    def __init__(self, pool: str, name: str, limit: int) -> None:
        super().__init__(work_pool_name=pool, name=name, limit=limit, create_pool_if_not_found=False)
        self.drained = asyncio.Event()
        self._supervised: dict[UUID, _Supervised] = {}
        self._uncancelled: set[UUID] = set()
        self._draining = False
        self._synced = asyncio.Event()
        self._wake = asyncio.Event()
        self._polling = asyncio.Lock()
        self._resumption = resumption.Resumption()
        self._away = False
        self._zygote = ZygoteHandle(environment.of_zygote(name)) if environment.warm_start_is_safe() else None

    @property
    def busy(self) -> int:
        """The number of runs taken and not ended."""
        return self._limiter.borrowed_tokens if self._limiter else 0

    async def serve(self, ready: Callable[[], None]) -> None:
        """Take runs until cancelled; `ready` is called once, when the first can be taken."""
        leftovers = await asyncio.to_thread(reaper.end_leftovers, self.name)
        companion = asyncio.create_task(self._accompany(leftovers, ready))
        try:
            await self.start(printer=self._logger.debug)
        finally:
            companion.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await companion

    async def _accompany(self, leftovers: set[str], ready: Callable[[], None]) -> None:
        try:
            await self._warm()
            await self._synced.wait()
            for run_id in leftovers:
                await lost_runs.report(self.client, UUID(run_id), self.name, self._logger)
            ready()
            async with asyncio.TaskGroup() as group:
                group.create_task(wake.listen(self.work_pool.id, self._wake))
                group.create_task(wake.poll_when_woken(self._wake, self.get_and_submit_flow_runs, self._full))
        finally:
            if self._zygote is not None:
                await self._zygote.close()

    async def _warm(self) -> ZygoteHandle | None:
        if self._zygote is None:
            return None
        try:
            await self._zygote.ready()
        except ForkError as error:
            self._logger.warning("%s; runs start seconds later, each with an interpreter of its own", error)
            return None
        return self._zygote

    def drain(self) -> None:
        """Take no new runs; `drained` is set when those in flight have ended."""
        self._draining = True
        self._note_drained()

    async def end_runs(self) -> None:
        """End the runs in flight such that each reports how it ended, as far as the server can be reached."""
        asked = time.monotonic()
        while self.busy and time.monotonic() < asked + _END_GRACE + _REPORT_PATIENCE:
            late = time.monotonic() > asked + _END_GRACE
            for run in list(self._supervised.values()):
                if late or not run.told:
                    run.told = True
                    run.signal(signal.SIGKILL if late else signal.SIGTERM)
            await asyncio.sleep(_END_POLL)

    async def get_and_submit_flow_runs(self) -> list[FlowRun]:
        if self._draining:
            return []
        async with self._polling:
            try:
                return await super().get_and_submit_flow_runs()
            except Exception as error:
                # The stock loop gives up after some of these, and with it every run in flight.
                self._server_away(error)
                return []

    async def sync_with_backend(self) -> None:
        try:
            with temporary_settings(_QUICK):
                await super().sync_with_backend()
                if self._work_pool is None:
                    raise LookupError(f"there is no work pool {self._work_pool_name!r}; `ccs up` makes one")
                await self._follow_states()
                await self._resumption.attend(self.client)
        except Exception as error:
            # As for polls: it is tried again in seconds, whatever went wrong.
            self._server_away(error)
        else:
            self._synced.set()
            if self._away:
                self._away = False
                self._logger.info("the server answers again")
                self._wake.set()

    async def run(
        self,
        flow_run: FlowRun,
        configuration: ProcessJobConfiguration,
        task_status: anyio.abc.TaskStatus[int] | None = None,
    ) -> ProcessWorkerResult:
        """Run one flow run to its end; as the stock worker does but for how its process starts and ends."""
        folder: contextlib.AbstractContextManager[Path | str] = (
            contextlib.nullcontext(configuration.working_dir)
            if configuration.working_dir
            else tempfile.TemporaryDirectory(prefix="ccs-run-", ignore_cleanup_errors=True)
        )
        execution: FlowRunExecutionResult | None = None
        with folder as path:
            async with FlowRunExecutorContext() as context:
                run = self._supervised[flow_run.id] = _Supervised(context)
                stop = _PromptStop(context.process_manager, run)
                context._cancellation_manager._process_manager = cast(ProcessManager, stop)
                where = await asyncio.to_thread(Path(path).resolve)
                launch = partial(self._launch, configuration, where, context)
                starter = _Starter(run, launch, self.get_flow_run_logger(flow_run))
                executor = context.create_executor(
                    flow_run, starter, resolve_flow=load_flow_from_flow_run, propose_submitting=False
                )

                async def execute(*, task_status: anyio.abc.TaskStatus[ProcessHandle]) -> None:
                    nonlocal execution
                    execution = await executor.submit(task_status=task_status)

                try:
                    async with anyio.create_task_group() as group:
                        handle = await group.start(execute)
                        if task_status is not None:
                            task_status.started(handle.pid)
                        if flow_run.start_time:  # the stock worker cancels only what has never run, if not watched yet
                            self._uncancelled.add(flow_run.id)
                            group.start_soon(self.sync_with_backend)
                finally:
                    del self._supervised[flow_run.id]
                    self._uncancelled.discard(flow_run.id)
                    lost_runs.tell_left(flow_run, configuration)
        if execution is None or execution.status_code is None:
            raise RuntimeError("the run's process did not start")
        return ProcessWorkerResult(status_code=execution.status_code, identifier=str(execution.handle.pid))

    async def _launch(
        self, configuration: ProcessJobConfiguration, cwd: Path, context: FlowRunExecutorContext, run_id: UUID
    ) -> RunProcess:
        control: tuple[int, str] | None = None
        with contextlib.suppress(RuntimeError):  # no listener: a cancelled run is then only killed
            control = context.control_channel.register(run_id)
        variables = environment.of_run(self.name, run_id, configuration.env, control)
        output = configuration.stream_output
        try:
            zygote = None if configuration._command_configured else await self._warm()
            if zygote is not None:
                return await zygote.fork(run_id, variables, str(cwd), output=output)
            return await start_cold(configuration.command or "", variables, str(cwd), output=output)
        except BaseException:
            context.control_channel.unregister(run_id)
            raise

    async def _follow_states(self) -> None:
        """Do what an outage of the server made runs miss: end the cancelled, and speak for those given up."""
        watched = [run_id for run_id, run in self._supervised.items() if run.process and not run.cancelled]
        if not watched:
            return
        wanted = FlowRunFilter.model_validate(
            {"id": {"any_": watched}, "state": {"type": {"any_": [StateType.CANCELLING, StateType.CRASHED]}}}
        )
        found = await self.client.read_flow_runs(flow_run_filter=wanted)
        cancelling = {run.id for run in found if run.state_type is StateType.CANCELLING}
        for run_id in cancelling & self._uncancelled:  # seen twice: its own watch had the time of a heartbeat
            run = self._supervised.get(run_id)
            if run is not None and not run.cancelled:
                run.context._observer.on_cancelling(run_id)
        self._uncancelled = cancelling
        for lost in filter(lost_runs.is_given_up, found):
            run = self._supervised.get(lost.id)
            if run is not None and not run.over.is_set():
                await lost_runs.take_back(self.client, lost.id, self.name)

    def _server_away(self, error: Exception) -> None:
        unforeseen = not isinstance(error, (httpx.HTTPError, LookupError))
        if not self._away or unforeseen:
            text = str(error) or type(error).__name__
            url = PREFECT_API_URL.value()
            self._logger.warning("cannot take runs from %s, trying again: %s", url, text, exc_info=unforeseen)
        self._away = True

    def _full(self) -> bool:
        return self._limiter is not None and self._limiter.available_tokens < 1

    def _note_drained(self) -> None:
        if self._draining and not self.busy:
            self.drained.set()

    async def __aenter__(self) -> Self:
        # Not the process worker's: it also starts a Runner, for submissions without a deployment, which holds
        # connections of its own and gives up on a server that is away.
        return await BaseWorker.__aenter__(self)

    async def __aexit__(self, *exc_info: Any) -> None:
        await BaseWorker.__aexit__(self, *exc_info)

    # Overridden without being public: where the stock worker polls, takes, ends and cancels.

    async def _get_scheduled_flow_runs(self) -> list["WorkerFlowRunResponse"]:
        with temporary_settings(_QUICK):
            due = await super()._get_scheduled_flow_runs()
            return await homes.at_home(self.client, self._work_pool_name, self.name, due)

    async def _submit_run(self, flow_run: FlowRun) -> None:
        try:
            await super()._submit_run(flow_run)
        except Exception as error:
            # An unanswered request would end the task group, and with it every other run of the node.
            self._server_away(error)
        finally:
            self._submitting_flow_run_ids.discard(flow_run.id)
            if flow_run.id not in self._supervised:
                self._release_limit_slot(flow_run.id)  # the stock worker keeps the slot of a deleted deployment

    async def _give_worker_labels_to_flow_run(self, flow_run_id: UUID) -> None:
        # The start of a run does not wait for them: SQLite refuses this request now and then, which costs two
        # seconds for the client to try again, and in the stock worker, in the end, the run.
        assert self._runs_task_group is not None
        self._runs_task_group.start_soon(self._label, flow_run_id)

    async def _label(self, flow_run_id: UUID) -> None:
        await asyncio.sleep(_LABEL_DELAY)
        with contextlib.suppress(httpx.HTTPError, ObjectNotFound):
            await super()._give_worker_labels_to_flow_run(flow_run_id)

    async def _cancel_run(self, flow_run_id: UUID) -> None:
        try:
            await super()._cancel_run(flow_run_id)
        except Exception as error:
            self._server_away(error)  # as above; the run's own watch or the next heartbeat cancels it

    def _release_limit_slot(self, flow_run_id: UUID) -> None:
        super()._release_limit_slot(flow_run_id)
        self._note_drained()
        self._wake.set()  # the stock worker fills the slot seconds later, with its next poll


class _Starter:
    """Prefect's protocol to start a run's process: say that it started, return when nothing of it is left."""

    def __init__(
        self, run: _Supervised, launch: Callable[[UUID], Awaitable[RunProcess]], log: PrefectLogAdapter
    ) -> None:
        self._run = run
        self._launch = launch
        self._log = log

    async def start(
        self, flow_run: FlowRun, task_status: anyio.abc.TaskStatus[ProcessHandle] = anyio.TASK_STATUS_IGNORED
    ) -> None:
        run, status = self._run, None
        try:
            run.process = await self._launch(flow_run.id)
        except (OSError, ForkError) as error:
            # Raised, it would reach the run's state as "unhandled errors in a TaskGroup".
            self._log.error("The run's process could not be started: %s", error)
            run.returncode = _SHELL_STATUS.get(type(error), 1)
        task_status.started(ProcessHandle(cast(anyio.abc.Process, run), termination_scope=run))
        try:
            if run.process is not None:
                status = await run.process.wait()
                # A cancelled run is Cancelled, also when it was killed before it could acknowledge that.
                run.returncode = 0 if run.cancelled else status
        finally:
            with anyio.CancelScope(shield=True):
                run.signal(signal.SIGKILL)
                await asyncio.to_thread(reaper.end_run, str(flow_run.id))
                # With 0 it has seen to its directory itself, or it is to go on there after a usage limit.
                if status != 0 and (said := await asyncio.to_thread(journals.recover, str(flow_run.id))):
                    self._log.warning("%s", said)
            run.over.set()
