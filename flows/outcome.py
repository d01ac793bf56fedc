"""What became of a task: as a sentence, as a row of the run's table, as a page."""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ccs.flows.claude.report import Report
from ccs.flows.claude.usage import Usage
from ccs.flows.claude.verdict import Verdict
from ccs.flows.spec import Task

SKIPPED = "skipped"
NOT_RUN = "not_run"
_MAX_TEXT = 30_000


@dataclass(frozen=True)
class Outcome:
    """The end of one task in one run. Without a report, `claude` was never started."""

    task: str
    verdict: Verdict
    node: str
    report: Report | None = None
    executable: Path | None = None

    @property
    def ok(self) -> bool:
        return self.verdict.ok

    @property
    def sentence(self) -> str:
        """One line: the reason's name and the detail."""
        return f"{self.verdict.reason}: {self.verdict.detail}" if self.verdict.detail else str(self.verdict.reason)


def row(outcome: Outcome) -> dict[str, Any]:
    """The task's row in the run's table artifact; the command line reads it back."""
    return _row(outcome.task, str(outcome.verdict.reason), outcome.verdict.detail, outcome.node, outcome.report)


def row_without_run(task: Task, verdict: str, detail: str, node: str) -> dict[str, Any]:
    """The row of a task that was skipped or not reached."""
    return _row(task.name, verdict, detail, node, None)


def _row(task: str, verdict: str, detail: str, node: str, report: Report | None) -> dict[str, Any]:
    usage = report.usage if report else Usage()
    return {
        "task": task,
        "verdict": verdict,
        "detail": detail,
        "attempts": 1 if report else 0,
        "turns": report.num_turns if report else 0,
        "cost_usd": round(usage.cost_usd, 6),
        "cost_is_partial": usage.is_partial,
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "duration_seconds": round(report.duration_seconds, 1) if report else 0.0,
        "session_id": report.session_id if report else "",
        "transcript": str(report.transcript or "") if report else "",
        "node": node,
    }


def page(outcome: Outcome, directory: Path) -> str:
    """The task's markdown artifact."""
    report, verdict = outcome.report, outcome.verdict
    lines = [f"# {outcome.task}: {verdict.reason}", "", verdict.detail, ""]
    if report is None:
        return "\n".join([*lines, f"`claude` was not started on node `{outcome.node}`.", ""])
    resume = f"cd {shlex.quote(str(directory))} && claude --resume {report.session_id}"
    usage = report.usage
    tokens = f"{usage.input_tokens:,} in, {usage.output_tokens:,} out, {usage.cache_read_tokens:,} from cache"
    facts = [
        ("Verdict", f"`{verdict.reason}`"),
        ("Cost (estimate)", f"{'at least ' if usage.is_partial else ''}${usage.cost_usd:.4f}"),
        ("Turns", str(report.num_turns)),
        ("Tokens", tokens),
        ("Duration", f"{report.duration_seconds:.1f} s"),
        ("Model", ", ".join(report.models) or "unknown"),
        ("Session", f"`{report.session_id}`"),
        ("Resume by hand", f"`{resume}`"),
        ("Node", f"`{outcome.node}`"),
        ("Directory", f"`{directory}`"),
        ("Transcript", f"`{report.transcript}`"),
        ("claude", f"{report.claude_version or 'unknown version'} at `{outcome.executable}`"),
        ("Credentials", report.api_key_source or "unknown"),
        ("Processes left behind", f"{report.survivors_killed} (ended)" if report.survivors_killed else "none"),
    ]
    lines += ["| | |", "|---|---|", *(f"| {name} | {_cell(text)} |" for name, text in facts), ""]
    if report.denials:
        lines += ["## Denied", "", *(f"- {d.tool}: {_cell(d.summary)}" for d in report.denials), ""]
    if report.warnings:
        lines += ["## Warnings", "", *(f"- {warning}" for warning in report.warnings), ""]
    if report.text.strip():
        text = report.text.replace("\0", "")
        cut = f"\n\n*… {len(text) - _MAX_TEXT:,} more characters in the transcript*" if len(text) > _MAX_TEXT else ""
        lines += ["## Result", "", text[:_MAX_TEXT] + cut, ""]
    return "\n".join(lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
