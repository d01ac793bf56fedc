"""What the command line asks of the Prefect API, in the words of jobs, runs, profiles and nodes."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import count, takewhile
from typing import TypeVar, cast
from urllib.parse import quote

from ccs.cli.client.records import (
    Artifact,
    Automation,
    BlockDocument,
    BlockSchema,
    Deployment,
    DeploymentSchedule,
    FlowRun,
    Json,
    LogLine,
    NewDeployment,
    NewSchedule,
    Parameters,
    ProfileData,
    State,
    Worker,
    WorkPool,
    WorkQueue,
)
from ccs.cli.client.transport import Transport
from ccs.flows.record.row import TaskRow, read_table
from ccs.flows.server.variables import Variables

R = TypeVar("R")

FLOW = "job"
PROFILE_TYPE = "ccs-profile"
PAGE = 200
"""The most rows Prefect gives at once."""

FIRST_JOBS = 100
"""Jobs that a list shows unless told otherwise: each comes with its spec and schema, 9 KB and more."""


class Api(Transport):
    """The Prefect API of one server."""

    # jobs

    def jobs(self, limit: int = PAGE, name: str | None = None) -> tuple[list[Deployment], int]:
        """Deployments of the job flow by name, and how many there are in all."""
        body: Json = {"flows": {"name": {"any_": [FLOW]}}, "sort": "NAME_ASC"}
        if name is not None:
            body["deployments"] = {"name": {"any_": [name]}}
        return self._paged("/deployments/paginate", body, limit, Deployment)

    def job(self, identity: str) -> Deployment:
        """The deployment with this id."""
        return _record(Deployment, self.get(f"/deployments/{identity}"))

    def find_job(self, identity: str) -> Deployment | None:
        """The deployment with this id; None when there is none."""
        return _found(Deployment, self.find(f"/deployments/{identity}"))

    def create_job(self, body: NewDeployment) -> Deployment:
        """Create (or replace: Prefect does not refuse a second of the name) the deployment of a job."""
        flow = self.post("/flows/", {"name": FLOW}, safe=True)
        return _record(Deployment, self.post("/deployments/", {**body, "flow_id": flow["id"]}, safe=True))

    def update_job(self, deployment: Deployment, changes: Json) -> None:
        """Change a deployment and schedule its next runs again at once.

        A change deletes the runs that Prefect has scheduled; a tick within the seconds until they are made
        again would be lost.
        """
        start = self.server_time - timedelta(seconds=1)
        self.patch(f"/deployments/{deployment['id']}", changes)
        if deployment["schedules"]:
            self.schedule_job(deployment["id"], start.isoformat(), (start + timedelta(minutes=2)).isoformat())

    def schedule_job(self, identity: str, start: str, end: str) -> None:
        """Have Prefect schedule the runs from `start` on, at least three for each schedule."""
        window = {"start_time": start, "end_time": end, "min_runs": 3}
        self.post(f"/deployments/{identity}/schedule", window, safe=True)

    def replace_schedules(self, identity: str, old: Iterable[DeploymentSchedule], new: Sequence[NewSchedule]) -> None:
        """Put schedules in place of others."""
        for schedule in old:
            self.delete(f"/deployments/{identity}/schedules/{schedule['id']}")
        if new:
            self.post(f"/deployments/{identity}/schedules", list(new))

    def delete_job(self, identity: str) -> bool:
        """Delete a deployment with its schedules; False when it was gone already."""
        return self.delete(f"/deployments/{identity}")

    def start_run(self, identity: str, key: str, parameters: Parameters) -> FlowRun:
        """Create a run of a job; a second call with the same key gives the same run."""
        body = {
            "idempotency_key": key,
            "parameters": parameters,
            "state": {"type": "SCHEDULED", "message": "Started with ccs"},
        }
        return _record(FlowRun, self.post(f"/deployments/{identity}/create_flow_run", body, safe=True))

    # runs

    def runs(self, where: Json, limit: int = PAGE) -> tuple[list[FlowRun], int]:
        """Flow runs of jobs that a Prefect filter holds for, latest first, and how many there are in all."""
        body = {"flows": {"name": {"any_": [FLOW]}}, "sort": "EXPECTED_START_TIME_DESC", "flow_runs": where}
        return self._paged("/flow_runs/paginate", body, limit, FlowRun)

    def run(self, identity: str) -> FlowRun:
        """The flow run with this id."""
        return _record(FlowRun, self.get(f"/flow_runs/{identity}"))

    def find_run(self, identity: str) -> FlowRun | None:
        """The flow run with this id; None when there is none."""
        return _found(FlowRun, self.find(f"/flow_runs/{identity}"))

    def states(self, run: str) -> list[State]:
        """The states a run has been in, the first one first."""
        found = _records(State, self.get("/flow_run_states/", flow_run_id=run))
        return sorted(found, key=lambda state: state["timestamp"])

    def set_state(self, run: str, kind: str, name: str, message: str, due: datetime | None = None) -> None:
        """Ask for a state of a run, a scheduled one with when it is due."""
        state: Json = {"type": kind, "name": name, "message": message}
        if due:
            state["state_details"] = {"scheduled_time": due.isoformat()}
        self.post(f"/flow_runs/{run}/set_state", {"state": state}, safe=True)

    def delete_runs(self, runs: Sequence[str]) -> None:
        """Delete flow runs with their logs and artifacts."""
        for start in range(0, len(runs), 50):
            self.post("/flow_runs/bulk_delete", {"flow_runs": {"id": {"any_": runs[start : start + 50]}}}, safe=True)

    def results(self, runs: Sequence[str]) -> dict[str, list[TaskRow]]:
        """The rows about the tasks of each run, from the last of the table artifacts that it left."""
        found: dict[str, list[TaskRow]] = {}
        for start in range(0, len(runs), PAGE):
            asked = runs[start : start + PAGE]
            for artifact in self._tables(key={"like_": "ccs-%"}, flow_run_id={"any_": list(asked)}):
                if rows := read_table(artifact["data"], artifact["description"]):
                    found.setdefault(str(artifact["flow_run_id"]), rows)
                if all(run in found for run in asked):
                    break
        return found

    def tables(self, key: Json, since: datetime) -> Iterator[Artifact]:
        """The table artifacts whose key a Prefect filter holds for and that changed since then, newest first."""
        return takewhile(lambda artifact: datetime.fromisoformat(artifact["updated"]) >= since, self._tables(key=key))

    def _tables(self, **where: Json) -> Iterator[Artifact]:
        for offset in count(0, PAGE):
            body = {"artifacts": {"type": {"any_": ["table"]}, **where}, "sort": "UPDATED_DESC"}
            page = _records(Artifact, self.read("/artifacts/filter", {**body, "limit": PAGE, "offset": offset}))
            yield from page
            if len(page) < PAGE:
                return

    def logs(self, run: str, after: str | None, offset: int) -> list[LogLine]:
        """A page of a run's log, oldest first; with `after`, from that time on."""
        where: Json = {"flow_run_id": {"any_": [run]}}
        if after:
            where["timestamp"] = {"after_": after}
        body = {"logs": where, "sort": "TIMESTAMP_ASC", "limit": PAGE, "offset": offset}
        return _records(LogLine, self.read("/logs/filter", body))

    def last_line(self, run: str) -> LogLine | None:
        """The last line of a run's log."""
        where = {"flow_run_id": {"any_": [run]}}
        return _first(LogLine, self.read("/logs/filter", {"logs": where, "sort": "TIMESTAMP_DESC", "limit": 1}))

    # profiles

    def profiles(self) -> list[BlockDocument]:
        """All profiles, secrets masked."""
        found: list[BlockDocument] = []
        while True:
            body = {"block_types": {"slug": {"any_": [PROFILE_TYPE]}}, "limit": PAGE, "offset": len(found)}
            page = _records(BlockDocument, self.read("/block_documents/filter", body))
            found += page
            if len(page) < PAGE:
                return sorted(found, key=lambda p: p["name"])

    def profile(self, name: str) -> BlockDocument | None:
        """The profile of this name, secrets masked; None when there is none."""
        path = f"/block_types/slug/{PROFILE_TYPE}/block_documents/name/{quote(name, safe='')}"
        return _found(BlockDocument, self.find(path))

    def secrets(self, profile: BlockDocument) -> ProfileData:
        """What a profile holds, secrets in the clear."""
        whole = self.get(f"/block_documents/{profile['id']}", include_secrets=True)
        return _record(BlockDocument, whole)["data"]

    def create_profile(self, name: str, data: ProfileData, schema: BlockSchema) -> BlockDocument:
        """Create a profile of the block type that `schema` (from ensure_profile_type) belongs to."""
        body = {
            "name": name,
            "data": data,
            "block_schema_id": schema["id"],
            "block_type_id": schema["block_type_id"],
        }
        return _record(BlockDocument, self.post("/block_documents/", body))

    def update_profile(self, profile: BlockDocument, data: ProfileData) -> None:
        """Put other data into a profile; secrets that are still masked stay what they were."""
        body = {"data": data, "merge_existing_data": False, "block_schema_id": profile["block_schema_id"]}
        self.patch(f"/block_documents/{profile['id']}", body)

    def delete_profile(self, identity: str) -> bool:
        """Delete a profile; False when it was gone already."""
        return self.delete(f"/block_documents/{identity}")

    def ensure_profile_type(self, definition: Json) -> BlockSchema:
        """The block schema of profiles; made, with its type, when the server lacks it."""
        kind = definition["block_type"]
        found = self.find(f"/block_types/slug/{kind['slug']}") or self.post("/block_types/", kind)
        body = {**definition["block_schema"], "block_type_id": found["id"]}
        return _record(BlockSchema, self.post("/block_schemas/", body, safe=True))

    def has_profile_type(self) -> bool:
        """Whether the server knows what a profile is."""
        return self.find(f"/block_types/slug/{PROFILE_TYPE}") is not None

    # pools and nodes

    def pools(self) -> list[WorkPool]:
        """All work pools."""
        return _records(WorkPool, self.read("/work_pools/filter", {"limit": PAGE}))

    def pool(self, name: str) -> WorkPool | None:
        """The work pool of this name; None when there is none."""
        return _found(WorkPool, self.find(f"/work_pools/{quote(name, safe='')}"))

    def queue(self, pool: str, name: str) -> WorkQueue | None:
        """A queue of a work pool; None when there is none of the name."""
        return _found(WorkQueue, self.find(f"/work_pools/{quote(pool, safe='')}/queues/{quote(name, safe='')}"))

    def nodes(self, pool: str) -> list[Worker]:
        """The workers of a pool, live ones and gone ones."""
        return _records(Worker, self.read(f"/work_pools/{quote(pool, safe='')}/workers/filter", {"limit": PAGE}))

    def busy(self, pool: str) -> int:
        """How many runs, of whatever flow, take up the limit of a pool."""
        where = {"state": {"type": {"any_": ["PENDING", "RUNNING", "CANCELLING"]}}}
        return int(self.read("/flow_runs/count", {"work_pools": {"name": {"any_": [pool]}}, "flow_runs": where}))

    def ensure_pool(self, name: str, template: Json) -> bool:
        """Have a process work pool of this name; True when it had to be made."""
        body = {
            "name": name,
            "type": "process",
            "base_job_template": template,
            "description": "Nodes that run ccs jobs",
        }
        return self.add("/work_pools/", body) is not None

    # automations

    def automation(self, name: str) -> Automation | None:
        """The automation of this name; None when there is none."""
        where = {"name": {"any_": [name]}}
        return _first(Automation, self.read("/automations/filter", {"automations": where, "limit": 1}))

    def ensure_automation(self, definition: Json) -> None:
        """Have an automation of this name that does this; one that was switched off stays so."""
        found = self.automation(definition["name"])
        if found is None:
            self.post("/automations/", definition)
        elif not _says(found, definition):
            # Not without need: a change forgets what the automation is waiting for.
            whole = {**definition, "enabled": found["enabled"]}
            self.request("PUT", f"/automations/{found['id']}", whole, safe=True)

    # the server

    @property
    def variables(self) -> Variables:
        """What runs, nodes and command lines leave for each other."""
        return Variables(self)

    def healthy(self) -> bool:
        """Whether the server says that it is well."""
        return bool(self.get("/health"))

    def version(self) -> str:
        """The version of Prefect that the server runs."""
        return str(self.get("/admin/version"))

    def _paged(self, path: str, body: Json, limit: int, kind: type[R]) -> tuple[list[R], int]:
        found: list[R] = []
        while True:
            size = max(1, min(PAGE, limit))
            answer = self.read(path, {**body, "limit": size, "page": len(found) // size + 1})
            page = _records(kind, answer["results"])
            found += page
            if len(found) >= min(limit, answer["count"]) or len(page) < size:
                return found[:limit], int(answer["count"])


# Where JSON becomes records: what it is, is taken on trust, but for being an object or a list.


def _record(kind: type[R], answer: object) -> R:
    if not isinstance(answer, dict):
        raise TypeError(f"{kind.__name__} is no object")
    return cast(R, answer)


def _records(kind: type[R], answer: object) -> list[R]:
    if not isinstance(answer, list):
        raise TypeError(f"what should be a list of {kind.__name__} is none")
    return answer


def _found(kind: type[R], answer: object) -> R | None:
    return None if answer is None else _record(kind, answer)


def _first(kind: type[R], answer: object) -> R | None:
    return next((_record(kind, each) for each in _records(kind, answer)), None)


def _says(found: object, wanted: object) -> bool:
    """Whether an answer holds all that is wanted; the server adds defaults and ids, and shuffles lists."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(_says(found.get(key), value) for key, value in wanted.items())
    if isinstance(wanted, list):
        return (
            isinstance(found, list)
            and len(found) == len(wanted)
            and all(any(_says(f, w) for f in found) for w in wanted)
        )
    return found == wanted
