"""Where a job runs on this node: the working directory, checked before anything starts."""

import os
import subprocess
from pathlib import Path

from ccs.flows.claude.request import MAX_PROMPT_BYTES
from ccs.flows.spec import Task, WorkingDirectory


class WorkplaceError(Exception):
    """The node does not have what the job needs; the message says what and what to do."""


def node_name() -> str:
    """The name of the node this process runs on."""
    return os.environ.get("CCS_NODE") or os.uname().nodename


def state_folder() -> Path:
    """Where ccs keeps its own files on this node (CCS_HOME, else ~/.ccs)."""
    return Path(os.environ.get("CCS_HOME") or Path.home() / ".ccs")


def working_directory(spec: WorkingDirectory) -> Path:
    """The existing directory a job runs in; never another one instead.

    Raises WorkplaceError when it is missing, not a directory, not accessible, or not in a git repository.
    """
    path = Path(spec.path).expanduser()
    where = f"working directory {path} on node {node_name()}"
    if not path.exists():
        raise WorkplaceError(f"{where} does not exist: create it there, or change the job's working directory")
    if not path.is_dir():
        raise WorkplaceError(f"{where} is not a directory: change the job's working directory")
    if not os.access(path, os.R_OK | os.X_OK):
        raise WorkplaceError(f"{where} cannot be entered by user {os.environ.get('USER') or os.getuid()}")
    if spec.require_git:
        _check_git(path, where)
    return path


def _check_git(path: Path, where: str) -> None:
    try:
        found = subprocess.run(
            ["git", "-C", str(path), "rev-parse", "--is-inside-work-tree"],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    except FileNotFoundError:
        raise WorkplaceError(f"git is not installed on node {node_name()}: install it there") from None
    except subprocess.TimeoutExpired:
        raise WorkplaceError(f"{where}: git did not answer within a minute") from None
    if found.stdout.strip() == "true":
        return
    reason = found.stderr.strip().partition("\n")[0].removeprefix("fatal: ")
    if not reason or "not a git repository" in reason:
        reason = "it is not inside a git repository"
    raise WorkplaceError(
        f"{where} cannot be used: {reason}. Run `git init` there, or set working_directory.require_git to false"
    )


def prompt_of(task: Task, directory: Path) -> str:
    """The text for `claude`'s standard input; WorkplaceError when the prompt file cannot be used."""
    if task.prompt_file is None:
        return task.prompt or task.command or ""
    path = directory / Path(task.prompt_file).expanduser()
    where = f"prompt file {path} on node {node_name()}"
    try:
        data = path.read_bytes()
    except OSError as error:
        raise WorkplaceError(f"{where} cannot be read: {error.strerror or error}") from None
    if len(data) > MAX_PROMPT_BYTES:
        raise WorkplaceError(f"{where} has {len(data) / 1e6:.1f} MB; claude takes {MAX_PROMPT_BYTES / 1e6:.0f} MB")
    text = data.decode("utf-8", "replace")
    if not text.strip():
        raise WorkplaceError(f"{where} is empty")
    return text
