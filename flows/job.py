"""The flow: the tasks of a job in their order, and what to do when one fails."""

import difflib
from typing import Any

from prefect import flow, get_run_logger, task
from prefect.artifacts import create_table_artifact
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Cancelled, Completed, Failed

from ccs.flows.outcome import NOT_RUN, SKIPPED, row, row_without_run
from ccs.flows.spec import Job, Task, run_table_key
from ccs.flows.task import Run, run_task
from ccs.flows.workplace import WorkplaceError, node_name, working_directory


@flow(name="job", persist_result=False)
def job(job: Job, only: list[str] = [], continues: str = "") -> State[None]:  # noqa: B006  the UI shows this default
    """Run the tasks of a job, one after the other, in its working directory.

    Args:
        job: The whole job: working directory, profile, tasks and policies.
        only: Names or ids of the tasks to run; empty for all of them.
        continues: Id of an earlier run of the job, whose finished tasks keep their results and are not repeated.
    """
    logger = get_run_logger()
    try:
        chosen = select(job, only)
        directory = working_directory(job.working_directory)
    except WorkplaceError as problem:
        logger.error("%s", problem)
        return Failed(message=str(problem))
    if not any(t.enabled for t in chosen):
        message = "nothing to run: the job has no tasks" if not job.tasks else "nothing to run: every task is disabled"
        logger.warning("%s", message)
        return Cancelled(name="Skipped", message=message)
    logger.info("job %s on node %s in %s: %s", job.name, node_name(), directory, ", ".join(t.name for t in chosen))
    run = Run(job, str(flow_run.id), directory)
    try:
        _run_in_order(chosen, run)
    finally:  # also when the run is cancelled: what was done and spent stays on record
        rows = [_row(t, run) for t in chosen]
        create_table_artifact(key=run_table_key(job.name), table=rows, description=f"Tasks of job {job.name}")
    return _final_state(chosen, run)


def select(job: Job, only: list[str]) -> list[Task]:
    """The tasks named by `only` (names or ids), in the job's order; WorkplaceError for one that is not there."""
    known = {key for t in job.tasks for key in (t.name, t.id)}
    for wanted in only:
        if wanted not in known:
            close = difflib.get_close_matches(wanted, [t.name for t in job.tasks], 1)
            hint = (
                f"did you mean {close[0]!r}?" if close else f"it has {', '.join(t.name for t in job.tasks) or 'none'}"
            )
            raise WorkplaceError(f"job {job.name!r} has no task {wanted!r}: {hint}")
    return [t for t in job.tasks if not only or t.name in only or t.id in only]


@task(name="skip", task_run_name="{spec.name}", persist_result=False)
def skip_task(spec: Task) -> State[None]:
    """Show a disabled task on the run's page."""
    get_run_logger().info("%s is disabled: skipped", spec.name)
    return Completed(name="Skipped", message="the task is disabled")


def _run_in_order(chosen: list[Task], run: Run) -> None:
    for spec in chosen:
        if not spec.enabled:
            skip_task(spec, return_state=True)
            continue
        if run.time_left <= 0:
            get_run_logger().error("the run's timeout of %s s is over: %s is not started", run.job.timeout, spec.name)
            return
        state = run_task(spec, run, return_state=True)
        if spec.id not in run.outcomes:  # not the task's doing: Prefect could not run it
            raise RuntimeError(f"task {spec.name} did not run: {state.message}")
        if not run.outcomes[spec.id].ok and run.job.on_failure == "stop":
            return


def _row(spec: Task, run: Run) -> dict[str, Any]:
    if outcome := run.outcomes.get(spec.id):
        return row(outcome)
    if not spec.enabled:
        return row_without_run(spec, SKIPPED, "the task is disabled", node_name())
    return row_without_run(spec, NOT_RUN, "the run ended before it", node_name())


def _final_state(chosen: list[Task], run: Run) -> State[None]:
    outcomes = run.outcomes.values()
    failed = [o for o in outcomes if not o.ok]
    due = [t for t in chosen if t.enabled]
    cost = sum(o.report.usage.cost_usd for o in outcomes if o.report)
    done = f"{len(outcomes) - len(failed)} of {len(due)} tasks ok, estimated ${cost:.4f}"
    if failed:
        return Failed(message="; ".join(f"{o.task} failed, {o.sentence}" for o in failed) + f" ({done})")
    if len(outcomes) < len(due):
        return Failed(message=f"timeout: the run's {run.job.timeout} s were over before every task had run ({done})")
    return Completed(message=done)
