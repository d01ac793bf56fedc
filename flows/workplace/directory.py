"""What a job needs of the node it runs on."""

import os
import stat
from pathlib import Path

from ccs.flows.claude.request import MAX_PROMPT_BYTES
from ccs.flows.node.files import UnknownUserError, expanded
from ccs.flows.node.identity import node_name
from ccs.flows.spec.job import WorkingDirectory
from ccs.flows.spec.task import Task


class WorkplaceError(Exception):
    """The node does not have what the job needs; the message says what and what to do."""


def checked_directory(spec: WorkingDirectory) -> Path:
    """The existing directory a job names; never another one instead.

    Raises WorkplaceError when it is missing, not a directory or not accessible.
    """
    path = _expanded(spec.path, "working directory")
    where = f"working directory {path} on node {node_name()}"
    try:
        is_directory = stat.S_ISDIR(path.stat().st_mode)
    except FileNotFoundError:
        raise WorkplaceError(
            f"{where} does not exist: create it there, or change the job's working directory"
        ) from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise WorkplaceError(f"{where} cannot be used: {why}; change the job's working directory") from None
    if not is_directory:
        raise WorkplaceError(f"{where} is not a directory: change the job's working directory")
    if not os.access(path, os.R_OK | os.X_OK):
        raise WorkplaceError(f"{where} cannot be entered by user {os.environ.get('USER') or os.getuid()}")
    return path


def prompt_of(task: Task, directory: Path) -> str:
    """The text for `claude`'s standard input; WorkplaceError when the prompt file cannot be used."""
    if task.prompt_file is None:
        return task.prompt or task.command or ""
    path = directory / _expanded(task.prompt_file, "prompt file")
    where = f"prompt file {path} on node {node_name()}"
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):  # a pipe would be waited for, a device has no end
            raise WorkplaceError(f"{where} is not a file")
        if found.st_size > MAX_PROMPT_BYTES:
            size = f"{found.st_size / 1e6:.1f} MB"
            raise WorkplaceError(f"{where} has {size}; claude takes {MAX_PROMPT_BYTES / 1e6:.0f} MB")
        data = path.read_bytes()
    except (OSError, ValueError) as error:
        raise WorkplaceError(f"{where} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    text = data.decode("utf-8", "replace")
    if not text.strip():
        raise WorkplaceError(f"{where} is empty")
    return text


def _expanded(path: str, what: str) -> Path:
    try:
        return expanded(path)
    except UnknownUserError as error:
        raise WorkplaceError(f"{what} on node {node_name()}: {error}") from None
