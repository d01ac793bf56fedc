"""Commands of the user around a task, in the run's directory: conditions and gates."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ccs.blocks.env import Environment
from ccs.flows.processes.command import CommandResult, command_environment, run_command
from ccs.flows.processes.stop import Stop

CONDITION_TIMEOUT = 600.0
"""Seconds for the answer of an only_if."""


@dataclass(frozen=True)
class Shell:
    """Runs lines for sh; what they write goes to the log, redacted."""

    directory: Path
    environment: dict[str, str]
    redact: Callable[[bytes], bytes]
    say: Callable[[str], None]
    stop: Stop

    @classmethod
    def at(
        cls,
        directory: Path,
        profile: Environment,
        marks: dict[str, str],
        *,
        redact: Callable[[bytes], bytes],
        say: Callable[[str], None],
        stop: Stop,
    ) -> "Shell":
        """A shell in a directory with what of a profile is no secret."""
        environment = command_environment(os.environ, profile, marks)
        return cls(directory, environment, redact, say, stop)

    def run(self, line: str, timeout: float) -> CommandResult:
        """Run a line; `timeout` is in seconds."""
        return run_command(
            line,
            self.directory,
            self.environment,
            timeout,
            redact=self.redact,
            on_line=lambda text: self.say(f"| {text}"),
            stop=self.stop,
        )
