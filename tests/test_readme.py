"""What README.md prints is what there is: every field and verdict, and commands that exist with these options."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from pydantic import BaseModel

from ccs.cli.main import app
from ccs.flows.spec.job import Job, WorkingDirectory, Worktree
from ccs.flows.spec.task import Gate, Retry, Task
from ccs.flows.spec.verdict import Reason

README = (Path(__file__).parent.parent / "README.md").read_text()


def section(title: str) -> str:
    """The text below a heading."""
    return README.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def commands() -> Iterator[str]:
    """The command lines of ccs that are printed, in blocks and within the text."""
    blocks = re.findall(r"^    (.*)$", re.sub(r"```.*?```", "", README, flags=re.DOTALL), re.MULTILINE)
    for text in [*blocks, *re.findall(r"`([^`\n]+)`", README)]:
        for line in re.split(r";|&&|\||[()]", text.partition("  #")[0]):
            if line.strip().startswith("ccs ") and "COMMAND" not in line:
                yield line.strip()


@pytest.mark.parametrize("model", [Job, WorkingDirectory, Worktree, Task, Retry, Gate])
def test_every_field_is_in_the_tables(model: type[BaseModel]) -> None:
    told = set(re.findall(r"`([^`]+)`", section("What a job can say")))
    assert not model.model_fields.keys() - told


def test_every_verdict_is_in_the_table() -> None:
    told = re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (`.*?) \|", section("How a task ends"), re.MULTILINE)))
    assert sorted(told) == sorted(Reason)


@pytest.mark.parametrize("line", sorted(set(commands())))
def test_every_command_exists_with_its_options(line: str) -> None:
    command: Any = typer.main.get_command(app)
    words = shlex.split(line)[1:]
    while words[:1] != ["--help"] and hasattr(command, "get_command"):
        command = command.get_command(None, words.pop(0))
    known = {option for p in command.params for option in [*p.opts, *p.secondary_opts]} | {"--help"}
    assert not {word.partition("=")[0] for word in words if re.match("--?[a-z]", word)} - known
