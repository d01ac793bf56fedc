"""What the node rests on: Prefect's private parts are where they were, and the pool template is one of theirs."""

import asyncio
import inspect
import json
import os
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from prefect.runner import _flow_run_executor
from prefect.runner._cancellation_manager import CancellationManager
from prefect.runner._process_manager import ProcessHandle, ProcessManager
from prefect.workers.base import BaseWorker
from prefect.workers.process import ProcessJobConfiguration, ProcessWorker

from ccs.deployments.node import environment, zygote
from ccs.deployments.node.forks import ForkError, ZygoteHandle
from ccs.deployments.node.worker import NodeWorker
from ccs.flows.node.identity import NODE_PROCESS_MARK
from ccs.flows.node.processes import identity
from tests.worlds.node import POOL_TEMPLATE
from tests.worlds.server import clean_environment

MOVED = "Prefect moved what deployments/worker.py rests on; see its docstring"


@pytest.mark.parametrize(
    "name",
    [
        "_release_limit_slot",
        "_submit_run",
        "_cancel_run",
        "_get_scheduled_flow_runs",
        "_give_worker_labels_to_flow_run",
        "sync_with_backend",
    ],
)
def test_the_stock_worker_still_calls_what_the_node_overrides(name: str) -> None:
    source = inspect.getsource(BaseWorker)
    assert f"def {name}(" in source, MOVED
    assert f"self.{name}" in source, MOVED


@pytest.mark.parametrize("name", ["_limiter", "_submitting_flow_run_ids", "_work_pool", "_runs_task_group"])
def test_the_stock_worker_still_has_the_attributes_the_node_uses(name: str) -> None:
    assert f"self.{name}" in inspect.getsource(BaseWorker), MOVED


def test_a_run_is_still_supervised_by_the_parts_the_node_replaces() -> None:
    context = inspect.getsource(_flow_run_executor.FlowRunExecutorContext)
    for part in ("self._cancellation_manager", "self._observer", "self.process_manager", "self.control_channel"):
        assert part in context, MOVED
    cancellation = inspect.getsource(CancellationManager.cancel)
    assert "self._process_manager.get(" in cancellation, MOVED
    assert "self._process_manager.kill(" in cancellation, MOVED
    assert "grace_seconds" in inspect.signature(ProcessManager.kill).parameters, MOVED
    assert "termination_scope" in inspect.signature(ProcessHandle).parameters, MOVED
    assert "_command_configured" in ProcessJobConfiguration.__private_attributes__, MOVED


def test_stock_workers_stay_available() -> None:
    assert NodeWorker.type == "process"
    assert BaseWorker.get_worker_class_from_type("process") is ProcessWorker


def test_the_pool_template_is_a_part_of_the_stock_one() -> None:
    ours, stock = json.loads(POOL_TEMPLATE.read_text()), ProcessWorker.get_default_base_job_template()
    assert ours["job_configuration"].items() <= stock["job_configuration"].items()
    assert set(ours["variables"]["properties"]) == set(ours["job_configuration"])
    assert set(ours["variables"]["properties"]) <= set(stock["variables"]["properties"])


def test_defaults_leave_alone_what_the_user_has_set(tmp_path: Path) -> None:
    (tmp_path / "prefect").mkdir()
    (tmp_path / "prefect" / "profiles.toml").write_text(
        'active = "mine"\n[profiles.mine]\nPREFECT_CLIENT_MAX_RETRIES = "3"\nPREFECT_API_URL = "http://localhost:1/api"\n'
    )
    code = (
        "from prefect import settings as s; from ccs.deployments.node import environment as e; e.apply_defaults(); "
        "print(s.PREFECT_CLIENT_MAX_RETRIES.value(), s.PREFECT_LOGGING_TO_API_BATCH_INTERVAL.value(), "
        "s.PREFECT_WORKER_HEARTBEAT_SECONDS.value(), e.of_zygote('n')['PREFECT_CLIENT_MAX_RETRIES'])"
    )
    env = clean_environment(tmp_path) | {"PREFECT_WORKER_HEARTBEAT_SECONDS": "20"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["3", "0.5", "20.0", "3"]


def test_runs_keep_their_state_where_the_node_does_wherever_they_work(tmp_path: Path) -> None:
    code = (
        "from ccs.deployments.node import environment as e; e.apply_defaults(); import os; "
        "print(e.of_zygote('n')['CCS_HOME']); print(os.environ['CCS_HOME'])"
    )
    env = clean_environment(tmp_path) | {"CCS_HOME": "state"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == [str(tmp_path / "state")] * 2


def test_a_job_may_take_a_variable_of_the_node_away() -> None:
    seen = environment.of_run("n", uuid.uuid4(), {"KEPT": "1", "GONE": None}, (7, "token"))
    assert seen["KEPT"] == "1"
    assert "GONE" not in seen
    assert (seen["PREFECT__CONTROL_PORT"], seen["PREFECT__CONTROL_TOKEN"]) == ("7", "token")
    assert seen[NODE_PROCESS_MARK] == identity(os.getpid())


def test_a_zygote_with_a_second_thread_refuses_to_fork(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n"
    )

    async def start() -> None:
        server = ZygoteHandle(clean_environment(tmp_path) | {"PYTHONPATH": str(tmp_path)})
        try:
            with pytest.raises(ForkError, match="2 threads"):
                await server.ready()
        finally:
            await server.close()

    asyncio.run(start())


def test_a_module_that_cannot_be_preloaded_is_said_and_nothing_worse(capsys: pytest.CaptureFixture[str]) -> None:
    zygote.preload(("json", "ccs.no_such_module"))
    assert "ccs.no_such_module is not preloaded" in capsys.readouterr().err
