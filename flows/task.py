"""One task of a run: profile, prompt and `claude`, as a Prefect task that says what happened."""

import os
import time
from pathlib import Path
from uuid import uuid4

from prefect import get_run_logger, task
from prefect.artifacts import create_markdown_artifact
from prefect.client.schemas.objects import State
from prefect.exceptions import TerminationSignal
from prefect.states import Completed, Failed
from pydantic import ValidationError

from ccs.blocks.env import EMPTY, Environment, UnresolvedError
from ccs.blocks.profile import Profile
from ccs.blocks.redact import Redactor
from ccs.flows.claude.attempt import run_attempt
from ccs.flows.claude.environment import child_environment
from ccs.flows.claude.events import Event
from ccs.flows.claude.executable import ExecutableNotFound, find_executable
from ccs.flows.claude.narration import narrate
from ccs.flows.claude.request import PermissionMode, Request
from ccs.flows.claude.stop import Stop
from ccs.flows.claude.verdict import Reason, Verdict
from ccs.flows.outcome import Outcome, page
from ccs.flows.spec import Job, Permissions, Task, slug
from ccs.flows.workplace import WorkplaceError, node_name, prompt_of, state_folder

_MODE: dict[Permissions, PermissionMode] = {
    Permissions.DEFAULT: "default",
    Permissions.ACCEPT_EDITS: "acceptEdits",
    Permissions.PLAN: "plan",
    Permissions.DONT_ASK: "dontAsk",
    Permissions.AUTO: "auto",
    Permissions.BYPASS: "bypassPermissions",
}


class Run:
    """What the tasks of one run share, and what became of them so far."""

    def __init__(self, job: Job, run_id: str, directory: Path) -> None:
        self.job = job
        self.id = run_id
        self.directory = directory
        self.outcomes: dict[str, Outcome] = {}  # by task id
        self._started = time.monotonic()

    @property
    def time_left(self) -> float:
        """Seconds until the run's timeout; infinite without one."""
        if self.job.timeout is None:
            return float("inf")
        return self.job.timeout - (time.monotonic() - self._started)


@task(name="task", task_run_name="{spec.name}", persist_result=False)
def run_task(spec: Task, run: Run) -> State[None]:
    """Run one task; its Outcome goes to `run`, its words to the state that is returned."""
    outcome = _start(spec, run)
    run.outcomes[spec.id] = outcome
    _publish(spec, run, outcome)
    return Completed(message=outcome.sentence) if outcome.ok else Failed(message=outcome.sentence)


def _start(spec: Task, run: Run) -> Outcome:
    logger = get_run_logger()
    profile = spec.profile or run.job.profile
    try:
        environment = _environment(profile)
        executable = find_executable(None, {**os.environ, **environment.values})
        prompt = prompt_of(spec, run.directory)
    except (UnresolvedError, ExecutableNotFound, WorkplaceError) as problem:
        return Outcome(spec.name, Verdict(Reason.SPAWN, str(problem)), node_name())
    for name in environment.skipped:
        logger.warning("profile %s: %s is empty and was left out", profile, name)
    request = _request(spec, run, environment, prompt)
    logger.info("task %s, transcript %s", spec.name, request.transcript)
    try:
        report = run_attempt(
            executable, request, redact=Redactor(environment.secrets).line, on_event=_narrate, stop=Stop()
        )
    except (TerminationSignal, KeyboardInterrupt):
        detail = f"the run was ended while this task ran; go on by hand with `claude --resume {request.session_id}`"
        run.outcomes[spec.id] = Outcome(spec.name, Verdict(Reason.CANCELLED, detail), node_name())
        raise
    if not report.lines and report.verdict.reason is Reason.SPAWN:  # then there is no session to speak of
        return Outcome(spec.name, report.verdict, node_name())
    return Outcome(spec.name, report.verdict, node_name(), report, executable.path)


def _environment(profile: str | None) -> Environment:
    """The profile's environment on this node. Fails closed: WorkplaceError or UnresolvedError, never a part of it."""
    if profile is None:
        return EMPTY
    try:
        block = Profile.load(profile)
        assert isinstance(block, Profile)  # load() is declared to give an awaitable too
    except ValidationError as error:
        fields = ", ".join(".".join(map(str, e["loc"])) for e in error.errors(include_input=False, include_url=False))
        raise WorkplaceError(f"profile {profile!r} holds values that do not fit ({fields}): write it anew") from None
    except ValueError:
        raise WorkplaceError(f"there is no profile {profile!r}: create it with `ccs profiles create`") from None
    return block.resolve(profile)


def _request(spec: Task, run: Run, environment: Environment, prompt: str) -> Request:
    session_id = str(uuid4())
    return Request(
        prompt=prompt,
        is_command=spec.command is not None,
        model=spec.model,
        permission_mode=_MODE[spec.permissions],
        allowed_tools=tuple(spec.allowed_tools),
        disallowed_tools=tuple(spec.disallowed_tools),
        append_system_prompt=spec.append_system_prompt,
        mcp_config=spec.mcp_config,
        max_turns=spec.max_turns,
        budget_usd=spec.budget_usd,
        trust_project=run.job.working_directory.trust_project,
        session_id=session_id,
        cwd=run.directory,
        environment=child_environment(os.environ, environment.values, environment.removed, _marks(run)),
        transcript=state_folder() / "runs" / run.id / f"{slug(spec.name)}-{session_id[:8]}.jsonl",
        timeout=min(spec.timeout, run.time_left),
        first_output_timeout=spec.first_output_timeout,
        idle_timeout=spec.idle_timeout,
        on_denied=spec.on_denied,
    )


def _marks(run: Run) -> dict[str, str]:
    """What tells the node whose process it is, should one be left over."""
    marks = {"CCS_RUN_ID": run.id, "CCS_NODE": node_name()}
    return marks | {name: os.environ[name] for name in ("CCS_NODE_PID",) if name in os.environ}


def _narrate(event: Event) -> None:
    line = narrate(event)
    if line:
        get_run_logger().info("%s", line)


def _publish(spec: Task, run: Run, outcome: Outcome) -> None:
    create_markdown_artifact(
        key=f"{slug(run.job.name)}-{slug(spec.name)}",
        markdown=page(outcome, run.directory),
        description=f"{spec.name}: {outcome.verdict.reason}",
    )
