"""Records of a Prefect server as it answers them: a job, a run of it, its profile, pool and node."""

import json

from ccs.cli.client import editing
from ccs.cli.client.records import Artifact, BlockDocument, Deployment, FlowRun, LogLine, State, Worker, WorkPool
from ccs.flows.schedules.schedule import Schedule
from ccs.flows.spec.parameters import parameter_schema

TIME = "2026-01-01T00:00:00+00:00"
ID = "0a1b2c3d-0000-4000-8000-000000000000"
SPEC = editing.dump(
    editing.checked(
        {
            "name": "nightly",
            "working_directory": {"path": "/srv"},
            "profile": "work",
            "tasks": [{"name": "fix", "prompt": "p", "retry": {"max_attempts": 3}}, {"name": "test", "prompt": "q"}],
        }
    )
)
KINDS: tuple[Schedule, ...] = (
    {"cron": "0 9 * * *", "timezone": "UTC"},
    {"interval": 3600.0, "anchor_date": TIME},
    {"rrule": "FREQ=DAILY"},
)
JOB: Deployment = {
    "id": ID,
    "name": "nightly",
    "description": "",
    "parameters": {"job": SPEC, "only": []},
    "parameter_openapi_schema": parameter_schema(),
    "schedules": [{"id": ID, "schedule": kind, "active": True, "parameters": {"only": ["fix"]}} for kind in KINDS],
    "paused": False,
    "work_pool_name": "ccs",
    "work_queue_name": "default",
    "global_concurrency_limit": None,
    "concurrency_options": None,
    "tags": ["a"],
    "created": TIME,
    "updated": TIME,
}
STATE: State = {
    "type": "FAILED",
    "name": "Failed",
    "message": "why",
    "timestamp": TIME,
    "state_details": {"scheduled_time": None},
}
RUN: FlowRun = {
    "id": ID,
    "name": "brave-cat",
    "deployment_id": ID,
    "parameters": {"job": SPEC, "only": ["fix"]},
    "state": STATE,
    "state_type": "FAILED",
    "state_name": "Failed",
    "expected_start_time": TIME,
    "start_time": TIME,
    "end_time": TIME,
    "total_run_time": 4.2,
    "estimated_run_time": 4.2,
    "run_count": 1,
    "auto_scheduled": False,
    "labels": {},
    "work_pool_name": "ccs",
    "work_queue_name": "default",
    "created": TIME,
}
ROW = {"task": "fix", "verdict": "auth", "attempts": 1, "turns": 3, "cost_usd": 0.25, "duration_seconds": 4.2}
PROFILE: BlockDocument = {
    "id": ID,
    "name": "work",
    "data": {"variables": {"A": {"source": "env", "value": "B"}}, "secrets": {"S": "********"}},
    "block_schema_id": ID,
    "block_type_id": ID,
    "updated": TIME,
}
NODE: Worker = {
    "id": ID,
    "name": "n1",
    "status": "ONLINE",
    "last_heartbeat_time": TIME,
    "heartbeat_interval_seconds": 30,
}
POOL: WorkPool = {"name": "ccs", "is_paused": False, "concurrency_limit": None}
LOG: LogLine = {"id": ID, "timestamp": TIME, "level": 20, "message": "line", "name": "ccs"}
TABLE: Artifact = {
    "key": "ccs-x",
    "description": None,
    "data": json.dumps([ROW, ROW]),
    "flow_run_id": ID,
    "created": TIME,
    "updated": TIME,
}
