"""One task of a run: what it needs on this node, then its attempts, as a Prefect task that says what happened."""

import os
from dataclasses import replace
from functools import partial
from uuid import uuid4

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State

from ccs.blocks.env import Environment, UnresolvedError
from ccs.flows.claude.executable import ExecutableNotFound, find_executable
from ccs.flows.claude.request import PermissionMode, Request
from ccs.flows.limits.gate import LimitGate
from ccs.flows.node.identity import marks, node_name, state_folder
from ccs.flows.processes.environment import child_environment
from ccs.flows.processes.shell import CONDITION_TIMEOUT, Shell
from ccs.flows.record.outcome import Figures, Outcome
from ccs.flows.record.page import page
from ccs.flows.record.pause import Pause
from ccs.flows.run.attempts import Assignment, run_attempts
from ccs.flows.run.profile import ResolvedProfile, resolve
from ccs.flows.run.run import Run
from ccs.flows.server.publication import cancelled, completed, failed, publish_page
from ccs.flows.sessions.store import SessionStore
from ccs.flows.spec import templates
from ccs.flows.spec.names import slug
from ccs.flows.spec.task import Permissions, Task
from ccs.flows.spec.verdict import Reason, Verdict
from ccs.flows.workplace.directory import WorkplaceError, prompt_of

_MODE: dict[Permissions, PermissionMode] = {
    Permissions.DEFAULT: "default",
    Permissions.ACCEPT_EDITS: "acceptEdits",
    Permissions.PLAN: "plan",
    Permissions.DONT_ASK: "dontAsk",
    Permissions.AUTO: "auto",
    Permissions.BYPASS: "bypassPermissions",
}


@task(name="task", task_run_name="{spec.name}", persist_result=False, cache_policy=NO_CACHE)
def run_task(spec: Task, run: Run) -> State[None]:
    """Run one task; its Outcome goes to `run`, its words to the state that is returned."""
    clean = run.redaction.clean
    try:
        outcome = _outcome(spec, run)
        run.ended(outcome)
        _publish(run, outcome)
    except Exception as error:  # Prefect would put its text into the state as it is
        get_run_logger().exception("the task could not be run")
        return failed(clean(f"Task run encountered an exception {type(error).__name__}: {error}"))
    if outcome.pause:
        return cancelled(clean(outcome.verdict.detail), "Waiting")
    if outcome.is_skipped:
        return completed(clean(outcome.verdict.detail), "Skipped")
    if outcome.verdict.reason is Reason.CANCELLED:
        return cancelled(clean(outcome.sentence))
    return completed(clean(outcome.sentence)) if outcome.ok else failed(clean(outcome.sentence))


def _outcome(spec: Task, run: Run) -> Outcome:
    """What becomes of the task; only Prefect's own trouble raises."""
    log = get_run_logger()
    start = Outcome(
        task=spec,
        verdict=Verdict(Reason.OK, ""),
        node=node_name(),
        directory=run.workplace.directory,
        earlier=Figures.read(run.table.row(spec)),
    )
    if missing := run.skipped & spec.uses:
        words = f"it uses the result of {', '.join(sorted(missing))}, which was skipped"
        return start.skipped(words)
    try:
        profile = resolve(spec.profile or run.job.profile)
        run.redaction.learn(profile.environment.secrets)  # of which some may have changed since the run began
        shell = Shell.at(
            run.workplace.directory,
            profile.environment,
            marks(run.id),
            redact=run.redaction.line,
            say=log.info,
            stop=run.stop,
        )
        if spec.only_if and run.interrupted(spec) is None:
            condition = shell.run(spec.only_if, min(CONDITION_TIMEOUT, run.time_left))
            start = replace(start, commands=(condition,))
            if run.stop.reason:
                return start.failed(Reason.CANCELLED, "the run was ended before this task began")
            if not condition.is_answer:
                raise WorkplaceError(f"only_if `{spec.only_if}` gave no answer: {condition.sentence}")
            if not condition.ok:
                return start.skipped(f"only_if `{spec.only_if}`: {condition.sentence}")
        assignment = _assignment(spec, run, profile, shell)
        run.workplace.enter(spec)
    except (UnresolvedError, ExecutableNotFound, WorkplaceError, templates.TemplateError) as problem:
        return start.failed(Reason.SPAWN, str(problem))
    for name in profile.environment.skipped:
        log.warning("profile %s: %s is empty and was left out", profile.name, name)
    with run.workplace.leaving(spec):
        ended = run_attempts(assignment)
        last = ended.attempts[-1].report if ended.attempts else None
        outcome = replace(
            start,
            profile=profile.name or "",
            attempts=ended.attempts,
            verdict=ended.verdict,
            pause=ended.pause,
            commands=(*start.commands, *ended.gates),
            executable=assignment.executable.path,
            output=last.output if last and ended.verdict.ok else None,
        )
        *others, own = run.workplace.leave(outcome)
    for other in others:  # what became of its changes is known only now
        run.ended(other)
        if other.attempts:
            _publish(run, other)
    return own


def _assignment(spec: Task, run: Run, profile: ResolvedProfile, shell: Shell) -> Assignment:
    log = get_run_logger()
    row, found = run.table.row(spec), run.interrupted(spec)
    redact = run.redaction.line
    return Assignment(
        spec=spec,
        run=run,
        executable=find_executable(None, {**os.environ, **profile.environment.values}),
        request=_request(spec, run, profile.environment),
        profile=profile,
        earlier=Figures.read(row),
        continues=found["session_id"] if found else "",
        pause=Pause.read(row),
        redact=redact,
        gate=LimitGate(profile.name, node_name(), log),
        sessions=SessionStore(state_folder(), run.job.transcripts, node=node_name(), redact=redact, warn=log.warning),
        shell=shell,
        changed=run.workplace.changed,
        log=log,
    )


def _request(spec: Task, run: Run, environment: Environment) -> Request:
    """The task's first attempt, were it in a new session."""
    fill = partial(templates.render, outputs=run.outputs)
    return Request(
        prompt=fill(prompt_of(spec, run.workplace.directory)),
        is_command=spec.command is not None,
        model=spec.model,
        permission_mode=_MODE[spec.permissions],
        allowed_tools=tuple(spec.allowed_tools),
        disallowed_tools=tuple(spec.disallowed_tools),
        append_system_prompt=fill(spec.append_system_prompt),
        renews_system_prompt=spec.session_mode != "new",  # in a session of an earlier run, it may have been another
        mcp_config=spec.mcp_config,
        max_turns=spec.max_turns,
        output_schema=spec.output_schema,
        trust_project=run.job.working_directory.trust_project,
        session_id=str(uuid4()),
        cwd=run.workplace.directory,
        environment=child_environment(os.environ, environment.values, environment.removed, marks(run.id)),
        transcript=state_folder() / "runs" / run.id / f"{slug(spec.name)}.jsonl",
        timeout=spec.timeout,
        first_output_timeout=spec.first_output_timeout,
        idle_timeout=spec.idle_timeout,
        on_denied=spec.on_denied,
    )


def _publish(run: Run, outcome: Outcome) -> None:
    """Leave the page of a task, which fails no task: the server may be away for long."""
    try:
        publish_page(
            f"{slug(run.job.name)}-{slug(outcome.task.name)}",
            run.redaction.clean(page(outcome)),
            run.redaction.clean(f"{outcome.task.name}: {outcome.verdict.reason}"),
        )
    except Exception as error:
        get_run_logger().warning("the page of task %s could not be written to the server: %s", outcome.task.name, error)
