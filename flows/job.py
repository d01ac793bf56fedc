"""The flow: the tasks of a job in their order, and how the run ends."""

from collections.abc import Sequence
from contextlib import suppress
from queue import SimpleQueue
from typing import Any

import httpx
from prefect import flow, get_run_logger, task
from prefect.client.schemas.objects import State
from prefect.exceptions import TerminationSignal
from prefect.futures import PrefectFuture
from prefect.runtime import deployment, flow_run

from ccs.blocks.env import EMPTY
from ccs.blocks.redact import Clean, Redaction
from ccs.flows.log import clean_records
from ccs.flows.node.files import UnknownUserError
from ccs.flows.node.identity import marks, state_folder
from ccs.flows.processes.shell import CONDITION_TIMEOUT, Shell
from ccs.flows.record.outcome import kept
from ccs.flows.record.row import NO_PAUSE, TaskRow
from ccs.flows.record.table import read_rows
from ccs.flows.run.plan import Plan
from ccs.flows.run.profile import secrets_of
from ccs.flows.run.run import Run
from ccs.flows.run.selection import begun_anew, first_row, not_done, selected
from ccs.flows.run.suspension import suspend
from ccs.flows.run.task import run_task
from ccs.flows.server.login import login_secrets
from ccs.flows.server.publication import cancelled, completed, failed
from ccs.flows.spec.job import Job
from ccs.flows.spec.task import Task
from ccs.flows.spec.verdict import FINE, Reason, TaskState, is_failure
from ccs.flows.workplace.directory import WorkplaceError
from ccs.flows.workplace.workplace import Workplace


@flow(name="job", persist_result=False)
def job(job: Job, only: list[str] = [], continues: str = "") -> State[None]:  # noqa: B006  the UI shows this default
    """Run the tasks of a job in its working directory.

    Args:
        job: The whole job: working directory, profile, tasks and policies.
        only: Names or ids of the tasks to run; empty for all of them.
        continues: Id of an earlier run of the job, whose finished tasks keep their results and are not repeated.
    """
    redaction = Redaction(login_secrets())
    clean_records(redaction.clean)
    try:
        redaction.learn(_secrets(job))
        return _ended(job, only, continues, redaction)
    except Exception as error:  # Prefect would put its text into the state as it is
        get_run_logger().exception("the run came upon an error that was not foreseen")
        return failed(redaction.clean(f"Flow run encountered an exception: {type(error).__name__}: {error}"))


def _secrets(job: Job) -> frozenset[str]:
    """What is to be hidden of all profiles of the job: names of files and branches hold it before a task begins.

    Of a profile that cannot be read nothing is known; no task starts with it either, and that says why.
    """
    found: frozenset[str] = frozenset()
    for name in {job.profile, *(t.profile for t in job.tasks if t.enabled)}:
        with suppress(WorkplaceError, httpx.HTTPError):
            found |= secrets_of(name) if name else frozenset()
    return found


def _ended(job: Job, only: Sequence[str], continues: str, redaction: Redaction) -> State[Any]:
    """How the run ends; Prefect's Abort when it is to go on later."""
    logger = get_run_logger()
    try:
        state_folder()  # or what the run begins and says could not be kept
        chosen = selected(job, only)
        done = _done(job, continues)
        due = not_done(job, chosen, done)
        workplace = Workplace.open(job, [t for t in due if t.enabled], str(flow_run.id), done, logger)
        if workplace.is_anew:
            done = {id_: begun_anew(row) for id_, row in done.items()}
            due = [t for t in chosen if t in due or (t.id in done and done[t.id]["verdict"] == TaskState.NOT_RUN)]
    except (WorkplaceError, UnknownUserError) as problem:
        logger.error("%s", problem)
        return failed(redaction.clean(str(problem)))
    if not any(t.enabled for t in chosen):
        why = "every task is disabled" if job.tasks else "the job has no tasks"
        return _skipped(redaction.clean(f"nothing to run: {why}"))
    rows = [(t, done.get(t.id) or first_row(job, t)) for t in chosen]
    run = Run(job, str(flow_run.id), str(deployment.id or ""), workplace, rows, redaction)
    logger.info(
        "job %s on node %s in %s: %s", job.name, workplace.node, workplace.directory, ", ".join(t.name for t in chosen)
    )
    with workplace, run:
        if job.only_if and not done and (refusal := _refusal(job.only_if, run)):
            return refusal
        _run_tasks(due, run)
    if (until := run.goes_on) is not None:
        waiting = dict.fromkeys(o.verdict.detail for o in run.outcomes.values() if o.pause)
        suspend(until, redaction.clean("; ".join(waiting)))
    return _final_state(chosen, run)


@task(name="skip", task_run_name="{spec.name}", persist_result=False)
def skip_task(spec: Task, run: Run) -> State[None]:
    """Show a disabled task on the run's page."""
    get_run_logger().info("%s is disabled: skipped", spec.name)
    return completed(run.redaction.clean("the task is disabled"), "Skipped")


def _done(job: Job, continues: str) -> dict[str, TaskRow]:
    """By task id the rows of what this run did before it was interrupted, or of what the run did that it continues."""
    own = read_rows(job.name, str(flow_run.id)) if flow_run.run_count > 1 else []
    if own:
        return {row["id"]: row for row in own if row["id"]}
    if not continues:
        return {}
    found = read_rows(job.name, continues)
    if not found:
        raise WorkplaceError(
            f"run {continues} of job {job.name!r} left no results to continue: restart it from its start"
        )
    committing = {t.id for t in job.tasks if t.commit_on_success}
    return {
        row["id"]: kept(row, continues)
        for row in found
        if row["id"] and row["verdict"] == Reason.OK and not (row["id"] in committing and row["undecided"])
    }  # an undecided one ended beside others, and the run was killed before they did and its changes were committed


def _refusal(only_if: str, run: Run) -> State[Any] | None:
    """How the run ends when its condition does not hold; None when it does."""
    redact, clean, say = run.redaction.line, run.redaction.clean, get_run_logger().info
    shell = Shell.at(run.workplace.directory, EMPTY, marks(run.id), redact=redact, say=say, stop=run.stop)
    answer = shell.run(only_if, min(CONDITION_TIMEOUT, run.time_left))
    if not answer.is_answer:
        return failed(clean(f"only_if `{only_if}` gave no answer: {answer.sentence}"))
    return None if answer.ok else _skipped(clean(f"nothing to run: only_if `{only_if}`: {answer.sentence}"))


def _skipped(message: Clean) -> State[Any]:
    get_run_logger().warning("%s", message)
    return cancelled(message, "Skipped")


def _run_tasks(due: Sequence[Task], run: Run) -> None:
    """Start each task when it is its turn, and return when none is running any more."""
    for spec in due:
        if not spec.enabled:
            skip_task(spec, run, return_state=True)
    plan = Plan(run.job, [t for t in due if t.enabled], run.ended_before(due))
    ended: SimpleQueue[tuple[Task, PrefectFuture[Any]]] = SimpleQueue()
    try:
        while True:
            while following := _next(plan, run):
                _start(following, run, ended)
            if not plan.running:
                break
            spec, future = ended.get()
            _take(plan, run, spec, future)
    except (TerminationSignal, KeyboardInterrupt):
        run.stop.request("cancelled")
        while plan.running:  # what was done and spent stays on record
            plan.ended(ended.get()[0], ok=False)
        raise
    for spec in due:
        if spec.enabled and spec.id not in run.outcomes:
            # What it spent stays on record, should it have begun before a usage limit.
            row: TaskRow = {**run.table.row(spec), **NO_PAUSE, "detail": plan.obstacle(spec)}
            run.table.put(spec, {**row, "verdict": str(TaskState.NOT_RUN)})


def _start(spec: Task, run: Run, ended: SimpleQueue[tuple[Task, PrefectFuture[Any]]]) -> None:
    run_task.submit(spec, run).add_done_callback(lambda future: ended.put((spec, future)))


def _next(plan: Plan, run: Run) -> Task | None:
    if run.time_left > 0:
        return plan.next()
    plan.halt()
    return None


def _take(plan: Plan, run: Run, spec: Task, future: PrefectFuture[Any]) -> None:
    outcome = run.outcomes.get(spec.id)
    if outcome is None:  # not the task's doing: Prefect could not run it
        run.stop.request("cancelled")
        future.wait()  # the state of one that has only just ended
        raise RuntimeError(f"task {spec.name} did not run: {future.state.message}")
    if outcome.pause:
        plan.halt()  # what is running goes on, then the run waits
    plan.ended(spec, outcome.ok)
    for other in list(run.outcomes.values()):
        if not other.ok:  # also one beside this one, which could not be committed in the end
            plan.failed(other.task.name)


def _final_state(chosen: list[Task], run: Run) -> State[None]:
    clean = run.redaction.clean
    rows = [run.table.row(t) for t in chosen if t.enabled]
    bad = [row for row in rows if is_failure(row["verdict"])]
    ok = sum(row["verdict"] in FINE for row in rows)
    at_least = "at least " if any(row["cost_is_partial"] for row in rows) else ""
    done = f"{ok} of {len(rows)} tasks ok, estimated {at_least}${sum(row['cost_usd'] for row in rows):.4f}"
    if bad:
        named = "; ".join(f"{row['task']} failed, {row['verdict']}: {row['detail']}" for row in bad)
        return failed(clean(f"{named} ({done})"))
    if run.time_left <= 0 and ok < len(rows):
        return failed(clean(f"timeout: the run's {run.job.timeout} s were over before every task had run ({done})"))
    return completed(clean(done))
