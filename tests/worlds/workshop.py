"""A workshop for commands: a folder of their own, what they said, and whether anything of them is left."""

from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from ccs.blocks.env import EMPTY
from ccs.blocks.redact import Redactor
from ccs.flows.processes.command import CommandResult, command_environment, run_command
from ccs.flows.processes.stop import Stop
from tests.worlds.claude import KEY, PATH
from tests.worlds.processes import processes_with


class Workshop:
    """Runs commands in a folder of their own and keeps what they said."""

    def __init__(self, folder: Path) -> None:
        self.cwd = folder / "project"
        self.cwd.mkdir()
        self.lines: list[str] = []
        self.stop = Stop()
        self.mark = str(uuid4())
        self.redact: Callable[[bytes], bytes] = Redactor([KEY]).line

    def run(
        self, line: str, timeout: float = 60, on_line: Callable[[str], None] | None = None, cwd: Path | None = None
    ) -> CommandResult:
        return run_command(
            line,
            cwd or self.cwd,
            command_environment({"HOME": str(self.cwd), "PATH": PATH}, EMPTY, {"CCS_RUN_ID": self.mark}),
            timeout,
            redact=self.redact,
            on_line=on_line or self.lines.append,
            stop=self.stop,
        )

    @property
    def survivors(self) -> set[int]:
        return processes_with(self.mark)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Workshop]:
    shop = Workshop(tmp_path)
    yield shop
    assert not shop.survivors
