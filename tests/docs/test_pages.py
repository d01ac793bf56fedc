"""Every command that a page prints is run, in the order in which the page has it, and shows what the page shows."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.docs.page import PAGES, Block, blocks, missing
from tests.docs.world import Machine, Terminal, node_name
from tests.fakes.anthropic import FakeApi
from tests.worlds.processes import processes_with, until

pytestmark = [pytest.mark.server, pytest.mark.node, pytest.mark.claude]


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    # In a folder whose path is short: a table on the terminal cuts a longer one, which then is not the page's ~/app.
    with TemporaryDirectory(prefix="ccs-", dir="/tmp", ignore_cleanup_errors=True) as home, FakeApi() as api:
        machine = Machine(Path(home), api)
        try:
            yield machine
        finally:
            subprocess.run(["ccs", "down", "--now"], env=machine.env, check=False)
        until(lambda: not processes_with(f"HOME={machine.home}"), "nothing is left")


@pytest.fixture
def terminal(machine: Machine) -> Iterator[Terminal]:
    terminal = machine.fresh()
    yield terminal
    terminal.close()


class Reader:
    """Who works through a page."""

    def __init__(self, machine: Machine, terminal: Terminal) -> None:
        self._machine, self._terminal = machine, terminal
        self._names: set[str] = set()
        self._varying = [node_name()]

    def does(self, block: Block) -> None:
        notes = block.notes
        self._varying += notes.get("varies", "").split()
        if "api" in notes:
            self._machine.answer(notes["api"])
        elif "run" in notes:
            self._type(f"set -e\n{notes['run']}\nset +e", "", 0)
            self._names |= set(re.findall(r"^([A-Z]+)=", notes["run"], re.MULTILINE))
        elif "file" in notes:
            (self._machine.home / "app" / notes["file"]).write_text(block.content)
        elif "skip" not in notes:
            self._types(block)

    def _types(self, block: Block) -> None:
        commands = block.commands
        for command in commands:
            text = command.text
            for name in self._names:
                text = re.sub(rf"\b{name}\b", f"${name}", text)
            code = int(block.notes.get("exit", 0)) if command is commands[-1] else 0
            output = self._type(text, block.notes.get("stdin", ""), code)
            if line := missing(command.shown, output.replace(str(self._machine.home), "~"), self._varying):
                raise AssertionError(f"$ {text}\nshows no line\n{line}\nbut\n{output}")

    def _type(self, text: str, stdin: str, expected: int) -> str:
        code, output = self._terminal.type(text, stdin)
        assert code == expected, f"$ {text}\nended with {code}:\n{output}"
        return output


def is_typed(page: str) -> bool:
    """Whether a page has commands that can be run."""
    return any(block.commands and "skip" not in block.notes for block in blocks(page))


STOPPING = ["docs/getting-started.md", "README.md"]
"""Pages that stop server and node at their end come last: what is stopped has to be started for the next page."""
OTHERS = [name for name, path in PAGES.items() if name not in STOPPING and is_typed(path.read_text())]


@pytest.mark.parametrize("page", [*OTHERS, *STOPPING])
def test_the_commands_of_a_page_do_what_it_shows(page: str, machine: Machine, terminal: Terminal) -> None:
    reader = Reader(machine, terminal)
    for block in blocks(PAGES[page].read_text()):
        try:
            reader.does(block)
        except AssertionError as error:
            raise AssertionError(f"{page}:{block.line}\n{error}") from None
