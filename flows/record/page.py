"""What became of a task, as a page: the markdown artifact of its task run."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from ccs.flows.processes.command import CommandResult
from ccs.flows.record.outcome import Attempt, Outcome

_MAX_TEXT = 30_000


def page(outcome: Outcome) -> str:
    """The task's markdown artifact."""
    report, verdict = outcome.report, outcome.verdict
    lines = [f"# {outcome.task.name}: {outcome.standing}", "", verdict.detail, ""]
    if report is None:
        lines += [f"`claude` was not started on node `{outcome.node}`.", ""]
        return "\n".join(lines + _commands(outcome.commands))
    figures = outcome.figures
    tokens = (
        f"{figures.input_tokens:,} in, {figures.output_tokens:,} out, {report.usage.cache_read_tokens:,} from cache"
    )
    facts = [
        ("Verdict", f"`{verdict.reason}`"),
        ("Cost (estimate)", f"{'at least ' if figures.cost_is_partial else ''}${figures.cost_usd:.4f}"),
        ("Attempts", str(figures.attempts)),
        ("Turns", str(figures.turns)),
        ("Tokens", tokens),
        ("Duration", f"{figures.duration_seconds:.1f} s"),
        ("Model", ", ".join(report.models) or "unknown"),
        ("Profile", f"`{outcome.profile}`" if outcome.profile else "none"),
        ("Session", f"`{report.session_id}`"),
        ("Resume by hand", f"`{resume_command(outcome.directory, report.session_id)}`"),
        ("Files changed", _files(outcome.changed)),
        ("Commit", f"`{outcome.commit}`" if outcome.commit else "none"),
        *([("Set aside", f"`{outcome.aside}`")] if outcome.aside else []),
        ("Node", f"`{outcome.node}`"),
        ("Directory", f"`{outcome.directory}`"),
        ("Transcript", f"`{report.transcript}`"),
        ("claude", f"{report.claude_version or 'unknown version'} at `{outcome.executable}`"),
        ("Credentials", report.api_key_source or "unknown"),
        ("Processes left behind", f"{report.survivors_killed} (ended)" if report.survivors_killed else "none"),
    ]
    lines += ["| | |", "|---|---|", *(f"| {name} | {_cell(text)} |" for name, text in facts), ""]
    if len(outcome.attempts) > 1:
        lines += ["## Attempts", "", "| | why | verdict | cost | session | transcript |", "|---|---|---|---|---|---|"]
        lines += [*map(_attempt, outcome.attempts), ""]
    if report.denials:
        lines += ["## Denied", "", *(f"- {d.tool}: {_cell(d.summary)}" for d in report.denials), ""]
    if warnings := [*outcome.notes, *report.warnings]:
        lines += ["## Warnings", "", *(f"- {_cell(warning)}" for warning in warnings), ""]
    lines += _commands(outcome.commands)
    if report.text.strip():
        text = report.text.replace("\0", "")
        cut = f"\n\n*… {len(text) - _MAX_TEXT:,} more characters in the transcript*" if len(text) > _MAX_TEXT else ""
        lines += ["## Result", "", text[:_MAX_TEXT] + cut, ""]
    return "\n".join(lines)


def _commands(commands: Sequence[CommandResult]) -> list[str]:
    lines = ["## Condition and gates", ""] if commands else []
    for result in commands:
        output = result.output_tail[-_MAX_TEXT // len(commands) :].splitlines()
        lines += [f"`{_cell(result.command)}`: {result.sentence}", "", *(f"    {line}" for line in output), ""]
    return lines


def resume_command(directory: Path, session_id: str) -> str:
    """The line for a shell on the node that goes on with a session by hand."""
    return f"cd {shlex.quote(str(directory))} && claude --resume {session_id}"


def _attempt(attempt: Attempt) -> str:
    report = attempt.report
    cost = f"{'at least ' if report.usage.is_partial else ''}${report.usage.cost_usd:.4f}"
    verdict = f"{report.verdict.reason}: {_cell(report.verdict.detail)}"
    return (
        f"| {attempt.number} | {attempt.cause} | {verdict} | {cost} | `{report.session_id}` | `{report.transcript}` |"
    )


def _files(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return ", ".join(f"`{name}`" for name in names[:10]) + more if names else "none"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
