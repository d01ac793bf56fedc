"""The rows of a run on the server, one a task: there from the start of the run, and kept up to date as it goes on.

What is on the server outlives this process: a run that starts again, and one that continues another, read there what
is done already.
"""

import threading
import time
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from uuid import UUID

import httpx
from prefect import get_run_logger
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter
from prefect.client.schemas.sorting import ArtifactSort
from prefect.exceptions import EventTooLarge, ObjectNotFound

from ccs.blocks.redact import Redaction
from ccs.flows.record.row import DESCRIBED, TaskRow, read_table
from ccs.flows.server.publication import create_table, update_table
from ccs.flows.spec.job import Job
from ccs.flows.spec.names import run_table_key
from ccs.flows.spec.task import Task

_POLL = 0.5

_KEPT = frozenset(
    (
        *("job", "task", "id", "profile", "verdict", "started", "node"),
        *("session_id", "transcript", "directory", "commit"),
    )
)
"""What is not redacted in a row: by these the run, its node and the command line find things again.

ccs makes them up itself, or the parameters of the run hold them. A secret that is a part of one, such as a profile's
variable of the node that names a folder above, would make the run do its tasks twice, or lose its transcripts.
"""


def read_rows(job: str, run_id: str) -> list[TaskRow]:
    """The rows that a run of the job has left so far; none when it never came to its tasks."""
    where = {"flow_run_id": {"any_": [run_id]}, "key": {"any_": [run_table_key(job)]}, "type": {"any_": ["table"]}}
    with get_client(sync_client=True) as client:
        found = client.read_artifacts(
            artifact_filter=ArtifactFilter.model_validate(where), sort=ArtifactSort.UPDATED_DESC, limit=1
        )
    return read_table(found[0].data, found[0].description) if found else []


def is_over(run_id: str, patience: float = 30.0) -> bool:
    """Whether a run has ended for good, as far as the server can be asked; one that is gone has.

    `patience` is in seconds: when a run's process dies, its node needs a moment to tell the server.
    """
    deadline = time.monotonic() + patience
    try:
        with get_client(sync_client=True) as client:
            while (state := client.read_flow_run(UUID(run_id)).state) and not state.is_final():
                if not (state.is_running() or state.is_cancelling()) or time.monotonic() > deadline:
                    return False
                time.sleep(_POLL)
    except ObjectNotFound:
        return True
    except (httpx.HTTPError, ValueError):
        return False
    return state is not None


class RunTable:
    """The table artifact of a run. Methods may be called from any thread; writing never fails a task."""

    def __init__(self, job: Job, run_id: str, rows: Iterable[tuple[Task, TaskRow]], redaction: Redaction) -> None:
        self._rows = {task.id: row for task, row in rows}
        self._job, self._run_id, self._redaction = job, run_id, redaction
        self._artifact: UUID | None = None
        self._changed = threading.Lock()
        self._writer = ThreadPoolExecutor(1, "ccs-results")
        self._pending: Future[None] | None = None
        self._is_behind = False

    def row(self, task: Task) -> TaskRow:
        """The row of a task as it is now."""
        return self._rows[task.id]

    def rows(self) -> list[TaskRow]:
        """All rows in the order of the tasks."""
        return list(self._rows.values())

    def put(self, task: Task, row: TaskRow) -> None:
        """Replace the row of a task; the server has it a moment later."""
        with self._changed:
            self._rows[task.id] = row
            self._publish()

    def publish(self) -> None:
        """Have the rows on the server a moment later."""
        with self._changed:
            self._publish()

    def _publish(self) -> None:
        if self._pending is None or self._pending.running() or self._pending.done():
            # A write that has not begun takes this change along.
            self._pending = self._writer.submit(copy_context().run, self._write)

    def flush(self) -> None:
        """Wait until the server has every row, or has refused them."""
        with self._changed:
            pending = self._pending
        if pending is not None:
            pending.result()

    def close(self) -> None:
        """The same at the end, and once more when the last rows did not reach the server."""
        self.flush()
        if self._is_behind:
            self.publish()
            self.flush()
        self._writer.shutdown()

    def _write(self) -> None:
        data = self._redaction.table(list(self._rows.values()), _KEPT)
        try:
            with get_client(sync_client=True) as client:
                if self._artifact is None:
                    title = self._redaction.clean(f"{DESCRIBED}{self._job.name}")
                    self._artifact = create_table(client, self._run_id, run_table_key(self._job.name), title, data)
                else:
                    update_table(client, self._artifact, data)
            self._is_behind = False
        except EventTooLarge:
            self._is_behind = False  # the rows are written; it is only Prefect's own news of it that is too long
        except Exception as error:
            self._is_behind = True
            if isinstance(error, httpx.HTTPStatusError) and error.response.status_code == httpx.codes.NOT_FOUND:
                self._artifact = None  # somebody deleted it
            get_run_logger().warning("the results so far could not be written to the server: %s", error)
