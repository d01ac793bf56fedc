"""The names of jobs, tasks and profiles: what the server takes, and what is named after them.

It loads no pydantic: the command line asks for names also where it needs no spec.
"""

import re

NAME_RULE = "1 to 100 characters, no / % & < >, no leading - and no blanks at the ends"
_NAME = re.compile(r"[^\s/%&<>-](?:[^/%&<>\x00-\x1f\x7f]{0,98}[^\s/%&<>\x00-\x1f\x7f])?")

MAX_PROFILE_NAME = 225
"""The server bounds no name of a block, but that of a variable: 255 in `ccs_spent_profile_NAME_v0000000001`."""

PROFILE_NAME_RULE = f"1 to {MAX_PROFILE_NAME} lower case letters, digits and single dashes, such as my-key"
_PROFILE_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def check_name(name: str) -> str:
    """The name of a job or a task itself; ValueError when it breaks the rule."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name[:60]!r} is not a name: {NAME_RULE}")
    return name


def check_profile_name(name: str) -> str:
    """The name of a profile itself; ValueError when the server would refuse it, or a variable named after it."""
    if len(name) > MAX_PROFILE_NAME or not _PROFILE_NAME.fullmatch(name):
        raise ValueError(f"{name[:60]!r} is not a name for a profile: {PROFILE_NAME_RULE}")
    return name


def slug(name: str) -> str:
    """The name as a file name and as the key of an artifact: lower case letters, digits and dashes."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "unnamed"


def run_table_key(job: str) -> str:
    """The key of the table artifact that every run of the job leaves: one row a task."""
    return f"ccs-{slug(job)}"
