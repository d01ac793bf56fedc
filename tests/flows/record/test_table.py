"""The rows of a run on the server: there while it runs, complete when the server was away, gone on from."""

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from prefect import flow
from prefect.runtime import flow_run
from prefect.settings import PREFECT_API_URL, PREFECT_CLIENT_MAX_RETRIES, temporary_settings

from ccs.blocks.redact import Redaction
from ccs.flows.record.outcome import blank
from ccs.flows.record.row import TaskRow
from ccs.flows.record.table import RunTable, is_over, read_rows
from ccs.flows.spec.job import Job
from ccs.flows.spec.verdict import Reason, TaskState
from tests.fakes.anthropic import FakeApi
from tests.worlds.flow import Server, does, run, run_id, task
from tests.worlds.git import git
from tests.worlds.processes import until

NOBODY = {PREFECT_API_URL: "http://127.0.0.1:9/api", PREFECT_CLIENT_MAX_RETRIES: 0}
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


def of(rows: Iterable[Mapping[str, Any]], key: str) -> dict[str, Any]:
    return {row["task"]: row[key] for row in rows}


def test_the_rows_of_a_run_are_there_while_it_runs(
    server: Server, profile: str, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IS_SANDBOX", "1")
    job = f"watched-{uuid4().hex[:8]}"
    tasks = [does("first", "until [ -e go ]; do sleep 0.1; done"), does("second", "true")]

    def rows() -> list[TaskRow]:
        found = server.post("/artifacts/filter", artifacts={"key": {"any_": [f"ccs-{job}"]}})
        return read_rows(job, found[0]["flow_run_id"]) if found else []

    with ThreadPoolExecutor(1) as pool:
        going = pool.submit(copy_context().run, run, profile, repository, *tasks, name=job)
        try:
            first, second = until(lambda: (found := rows()) and found[0]["verdict"] == "running" and found, "it runs")
        finally:
            (repository / "go").touch()
        state = going.result()
    assert first["session_id"] in first["transcript"] or first["session_id"][:8] in first["transcript"]
    assert (first["node"] != "", first["directory"], first["started"] is not None) == (True, str(repository), True)
    assert (second["verdict"], second["detail"]) == ("not_run", "the run ended before it")
    assert of(server.rows(state), "verdict") == {"first": "ok", "second": "ok"}
    assert of(server.rows(state), "job") == {"first": job, "second": job}
    assert server.rows(state)[0]["session_id"] == first["session_id"]


def test_rows_that_the_server_missed_reach_it_in_the_end(server: Server) -> None:
    job = Job.model_validate(
        {"name": "missed", "working_directory": {"path": "/"}, "tasks": [{"name": "a", "prompt": "p"}]}
    )
    (spec,) = job.tasks

    @flow
    def going() -> str:
        table = RunTable(job, str(flow_run.id), [(spec, blank(job.name, spec, TaskState.NOT_RUN, ""))], Redaction(()))
        table.publish()
        table.flush()
        (artifact,) = server.post("/artifacts/filter", artifacts={"key": {"any_": ["ccs-missed"]}})
        server.http.delete(f"/artifacts/{artifact['id']}").raise_for_status()
        table.put(spec, blank(job.name, spec, Reason.OK, "\0 and \N{PILE OF POO}"))
        table.flush()
        assert read_rows(job.name, str(flow_run.id)) == []
        table.close()
        return str(flow_run.id)

    run = going()
    assert of(read_rows(job.name, run), "verdict") == {"a": "ok"}
    assert read_rows("another", run) == read_rows(job.name, str(uuid4())) == []


def test_whether_a_run_is_over(server: Server) -> None:
    made = server.post("/flows/", name="over")["id"]
    for kind, name, expected in (
        ("RUNNING", "Running", False), ("SCHEDULED", "AwaitingRetry", False), ("CRASHED", "Crashed", True),
        ("CANCELLED", "Cancelled", True),
    ):  # fmt: skip
        state = server.post("/flow_runs/", flow_id=made, state={"type": kind, "name": name})
        assert is_over(state["id"], patience=0) is expected, name
    assert is_over(str(uuid4()))  # deleted
    with temporary_settings(NOBODY):
        assert not is_over(state["id"])
    assert not is_over("no id")


def test_what_failed_in_a_graph_is_gone_on_from_and_the_rest_is_kept(
    server: Server, fake_api: FakeApi, profile: str, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IS_SANDBOX", "1")
    across = str(uuid4())
    broken = {"tool": "Bash", "input": {"command": "echo bad > bad.txt; touch .git/bad"}, "across": across}
    bad = task("bad", broken, {"status": 403}, {"text": "good now"}, permissions="bypass", depends_on=["base", "after"])
    last = does("last", "echo last > last.txt", depends_on=["bad"])
    last["prompt"] = "n is {{ tasks.base.output.n }} " + last["prompt"]
    tasks = [
        last, bad,
        does("beside", "until [ -e .git/bad ]; do sleep 0.1; done; touch beside.txt", depends_on=["base", "after"]),
        task("base", {"structured": {"n": 7}}, output_schema=SCHEMA),
        task("off", enabled=False), task("after", {"text": "x"}, depends_on=["off"]),
        task("no", only_if="exit 4"), task("behind", {"text": "x"}, depends_on=["last", "no"]),
    ]  # fmt: skip
    job: dict[str, Any] = {"max_parallel": 2, "on_failure": "continue"}
    before = run(profile, repository, *tasks, **job)
    first = server.rows(before)
    assert of(first, "verdict") == {
        "last": "not_run", "bad": "auth", "beside": "commit", "base": "ok", "off": "skipped", "after": "ok",
        "no": "skipped", "behind": "not_run",
    }  # fmt: skip
    assert (first[0]["detail"], first[-1]["detail"]) == (
        "it depends on bad, which failed",
        "it depends on last, which could not run",
    )
    seen = len(fake_api.requests)
    after = run(profile, repository, *tasks, continues=run_id(before), **job)
    assert after.is_completed(), after.message
    assert len(fake_api.requests) == seen + 1 + 2 + 2 + 1  # bad, beside, last, behind
    rows = server.rows(after)
    assert of(rows, "verdict") == dict.fromkeys(of(rows, "task"), "ok") | {"off": "skipped", "no": "skipped"}
    for kept in ("base", "after"):
        for key in ("session_id", "output", "transcript", "commit"):
            assert of(rows, key)[kept] == of(first, key)[kept]
        assert of(rows, "detail")[kept] == f"done in run {run_id(before)}: kept"
    assert sorted(git(repository, "ls-files").split()) == ["README", "beside.txt", "last.txt"]
    alone = run(profile, repository, *tasks, only=("behind",), **job)
    assert of(server.rows(alone), "verdict") == {"behind": "ok"}
