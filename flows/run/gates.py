"""What a task is held to when `claude` has ended: the files it has to leave, and what a failed gate tells claude."""

import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from ccs.flows.processes.command import CommandResult


def check_files(patterns: Iterable[str], directory: Path) -> list[str]:
    """The expected files that do not exist, in words.

    A pattern is relative to the directory; `*`, `?`, `[…]` and `**` are understood, unless a file has that very name.
    """
    missing = []
    for pattern in patterns:
        path = PurePosixPath(pattern)
        if path.is_absolute() or ".." in path.parts:
            missing.append(f"{pattern} (it leads out of the working directory)")
        elif not _exists(pattern, directory):
            missing.append(pattern)
    return missing


def fix_prompt(command: str, result: CommandResult) -> str:
    """What the session is told when a gate failed, so that it mends the cause.

    `claude` reads a file that is mentioned as @PATH anywhere in its prompt, unasked and wherever it is. The output is
    a stranger's text and must not make it do that.
    """
    output = re.sub(r"(?<![A-Za-z0-9_])@", r"\\@", result.output_tail.strip("\n"))
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", output)), default=0))
    shown = (
        f"Its output ends like this:\n\n{fence}\n{output}\n{fence}\n\n" if output.strip() else "It printed nothing.\n\n"
    )
    return (
        f"A check of your work has failed. This command was run in the working directory:\n\n    {command}\n\n"
        f"It did not pass: {result.sentence}.\n\n{shown}"
        "Find the cause and mend it. Do not weaken, skip or remove the check or its tests to make it pass. "
        "The same command is run again when you have finished."
    )


def _exists(pattern: str, directory: Path) -> bool:
    try:
        return (directory / pattern).exists() or any(found.exists() for found in directory.glob(pattern))
    except (OSError, ValueError, NotImplementedError, RecursionError):  # what pathlib says to a pattern it cannot take
        return False
