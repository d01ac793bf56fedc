"""`ccs worktrees`: the worktrees of jobs in a repository of this machine."""

import shlex
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypedDict

import typer

from ccs.cli import words
from ccs.cli.app import Noun, Session
from ccs.cli.commands.options import confirm, duration
from ccs.cli.errors import RequestError
from ccs.cli.exit_codes import ExitCode
from ccs.cli.terminal.output import Columns, prints_table, say, show_list
from ccs.flows.node.files import expanded

if TYPE_CHECKING:
    from ccs.flows.git.pruning import Tree

app = Noun("Worktrees: where jobs work beside a repository's main checkout, on this machine.")


class WorktreeRow(TypedDict):
    """A worktree of a job, and what became of the work in it."""

    name: str
    path: str
    branch: str | None
    commit: str
    base: str | None
    ahead: int
    behind: int
    dirty: bool
    changes: list[str]  # uncommitted files
    unmerged: bool
    missing: bool
    running: bool
    locked: bool
    problem: str | None
    last_change: str


class PruningRow(WorktreeRow):
    """What became of a worktree."""

    action: str
    reason: str


Directory = Annotated[
    Path,
    typer.Option("--directory", "-C", metavar="DIR", help="A directory in the repository, instead of the current one."),
]


@app.verb("list", "ccs worktrees list -C ~/project")
def list_(directory: Directory = Path()) -> None:
    """The worktrees of jobs, and what became of the work in them."""
    columns: Columns[WorktreeRow] = {
        "NAME": "name",
        "BRANCH": "branch",
        "BASE": "base",
        "AHEAD": "ahead",
        "BEHIND": "behind",
        "STATE": _state,
        "CHANGED": lambda row: words.ago(row["last_change"]),
        "PATH": "path",
    }
    show_list([_row(tree) for tree in _trees(directory)], columns, "worktrees", "no worktree of a job here")


@app.verb("prune", "ccs worktrees prune -C ~/project --older-than 7d")
def prune(
    directory: Directory = Path(),
    force: Annotated[
        bool,
        typer.Option("--force", "-f", help="Also those with uncommitted or unmerged work, which is lost; do not ask."),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    older_than: Annotated[
        str | None, typer.Option("--older-than", metavar="TIME", help="Only those unchanged for so long (7d, 12h).")
    ] = None,
) -> None:
    """Remove worktrees that are clean and merged into their base, with their branches.

    One with a run in it stays in any case.
    """
    age = duration(older_than)
    found = _trees(directory)
    now = datetime.now(UTC)
    obstacles = {tree.name: tree.obstacle(force, age, now) for tree in found}
    chosen = [tree for tree in found if not obstacles[tree.name]]
    if chosen and not yes:
        _ask(chosen, force)
    rows: list[PruningRow] = []
    failed = False
    for tree in found:
        why = obstacles[tree.name]
        if not why and not Session.dry_run:
            why, error = _remove(directory, tree.name, force, age)
            failed = failed or error
        done = "kept" if why else "would be removed" if Session.dry_run else "removed"
        rows.append({**_row(tree), "action": done, "reason": why})
    columns: Columns[PruningRow] = {name.upper(): name for name in ("name", "branch", "action", "reason", "path")}
    show_list(rows, columns, "worktrees", "no worktree of a job here")
    if prints_table() and not Session.dry_run:
        _tell_lost(rows)
    if failed:
        raise typer.Exit(ExitCode.REQUEST)


def _ask(chosen: list["Tree"], force: bool) -> None:
    names = ", ".join(tree.name for tree in chosen[:5]) + (", …" if len(chosen) > 5 else "")
    question = f"remove {len(chosen)} worktrees with their branches: {names}?"
    if not (force or Session.dry_run or sys.stdin.isatty()):
        hint = "say --yes to do it without a question; --force takes those with unfinished work, too"
        raise RequestError(f"not done without being asked: {question}", hint)
    confirm(question, force)


def _tell_lost(rows: list[PruningRow]) -> None:
    """Name the commits that no branch has any more: they can be had back until git tidies up."""
    for row in rows:
        if row["action"] == "removed" and row["unmerged"]:
            back = f"git branch {shlex.quote(row['name'])} {row['commit']}"
            say(f"{row['name']} had commits that are not in {row['base']}: {back}")


def _trees(directory: Path) -> "list[Tree]":
    from ccs.flows.git.command import GitError
    from ccs.flows.git.pruning import trees

    place = expanded(str(directory)).absolute()
    if not place.is_dir():
        raise RequestError(f"there is no directory {str(place)!r}", "name one in a git repository with -C")
    try:
        return trees(place)
    except GitError as error:
        raise RequestError(str(error)) from error


def _remove(directory: Path, name: str, force: bool, age: float | None) -> tuple[str, bool]:
    """Why it was not removed, if it was not, and whether that is an error."""
    from ccs.flows.git.command import GitError
    from ccs.flows.git.pruning import remove

    try:
        return remove(expanded(str(directory)).absolute(), name, force, age), False
    except GitError as error:
        return str(error), True


def _row(tree: "Tree") -> WorktreeRow:
    return {
        "name": tree.name,
        "path": str(tree.path),
        "branch": tree.branch or None,
        "commit": tree.commit,
        "base": tree.base or None,
        "ahead": tree.ahead,
        "behind": tree.behind,
        "dirty": bool(tree.dirty),
        "changes": [_text(path) for path in tree.dirty],
        "unmerged": tree.unmerged,
        "missing": tree.is_missing,
        "running": tree.is_busy,
        "locked": tree.is_locked,
        "problem": tree.problem or None,
        "last_change": tree.last_change.isoformat(timespec="seconds"),
    }


def _text(path: str) -> str:
    """A file name without the bytes that are no text."""
    return path.encode("utf-8", "replace").decode()


def _state(row: WorktreeRow) -> str:
    marks = [mark for mark in ("running", "dirty", "unmerged", "missing", "locked") if row[mark]]
    return ", ".join([*marks, *([row["problem"]] if row["problem"] else [])]) or "ok"
