"""What is promised of every command there is: an example, the forms of output, a rehearsal where it writes."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from ccs.cli.main import app
from tests.worlds.cli import CCS, Cli

READS = {"status", "health", "doctor", "explain", "open", "state", "scheduler", "stats", "cost", "completion"}
READ_VERBS = {"list", "get", "tasks", "logs", "export", "watch"}
MACHINE = {"up", "down"}  # they start and stop processes
ENDLESS = {"runs watch"}


def commands(command: Any, *path: str) -> Iterator[tuple[str, Any]]:
    """Every command that does something, with the words that call it."""
    if not hasattr(command, "list_commands"):
        yield " ".join(path), command
        return
    for name in command.list_commands(None):
        yield from commands(command.get_command(None, name), *path, name)


COMMANDS = dict(commands(typer.main.get_command(app)))


def reads(words: str) -> bool:
    return words in READS or words.startswith("debug ") or words.split()[-1] in READ_VERBS


@pytest.mark.parametrize("words", COMMANDS)
def test_every_command_says_how_it_is_used(words: str) -> None:
    command = COMMANDS[words]
    options = {o: p for p in command.params for o in p.opts}
    assert {"--output", "--api-url", "-v"} <= options.keys()
    assert ("--dry-run" in options) == (not reads(words) and words not in MACHINE)
    assert command.epilog.count("Example:") == 1
    assert f"ccs {words}" in command.epilog
    context = command.make_context(words, [], resilient_parsing=True)
    for left, right in filter(None, (p.get_help_record(context) for p in command.params)):
        assert "<" not in left.replace("'NAME <MAIL>'", ""), left
        assert right.strip(), left


@pytest.mark.parametrize("words", sorted(COMMANDS.keys() - MACHINE - ENDLESS))
def test_every_command_without_more_words_is_an_answer_or_one_sentence(
    words: str, server_url: str, tmp_path: Path
) -> None:
    ccs = Cli({"PREFECT_API_URL": server_url, "CCS_HOME": str(tmp_path), "HOME": str(tmp_path)})
    said = ccs(*words.split())
    assert said.code in (0, 1), said
    assert "unexpected" not in said.err
    assert "makes no sense" not in said.err


def test_the_options_of_every_command_stand_in_front_of_it_too(server_url: str) -> None:
    ccs = Cli({"PREFECT_API_URL": "http://127.0.0.1:9/api"})
    said = ccs("-v", "--api-url", server_url, "jobs", "--output", "ids", "list", "-n", "1")
    assert (said.code, "POST /deployments/paginate 200" in said.err) == (0, True), said
    assert not said.out.startswith("{")
    assert ccs("debug", "options", "-t").out.startswith("COMMAND")


@pytest.mark.parametrize("noun", ["jobs", "runs", "debug"])
def test_the_list_of_the_verbs_of_a_noun_has_whole_sentences(noun: str) -> None:
    listed = Cli({}).ok(noun, "--help").out.partition("Commands:")[2]
    assert listed and "..." not in listed


@pytest.mark.parametrize(
    ("line", "code", "says"),
    [
        ("{} jobs list >&-", 0, ""),
        ("{} jobs list 2>&-", 0, ""),
        ("{} jobs get none-such >&-", 1, "there is no job 'none-such'"),
        ("{} jobs delete {} <&-", 1, "not done without being asked"),
        ("{} jobs list > /dev/full", 1, "this machine refused: No space left on device"),
        ("{} --help > /dev/full", 1, "this machine refused: No space left on device"),
        ("{} --help | true", 0, ""),
        ("$(dirname {})/claude-code-scheduler --help > /dev/full", 1, "cannot be written: No space left on device"),
        ("{} jobs get none-such 2> >(true)", 1, ""),
        ("{} jobs get none-such 2> /dev/full", 1, ""),
        ("{} jobs --help | true", 0, ""),
    ],
)
def test_streams_that_are_closed_or_full_give_no_traceback(server_url: str, line: str, code: int, says: str) -> None:
    ccs = Cli({"PREFECT_API_URL": server_url}).provisioned()
    ccs("jobs", "create", "--name", "streams")
    child = subprocess.run(
        ["bash", "-o", "pipefail", "-c", line.format(CCS, "streams")],
        env={**os.environ, **ccs.env, "PYTHONUNBUFFERED": ""},  # else nothing is left to be written at the end
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert child.returncode == code, child
    assert says in child.stderr if says else not child.stderr
    assert "Traceback" not in child.stderr
    assert len(child.stderr.splitlines()) <= 2
