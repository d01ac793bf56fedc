"""What the documentation says there is, is there: commands with their options, fields, verdicts, exit codes."""

import re
import shlex
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import pytest
import typer

from ccs.cli.main import app
from ccs.flows.spec.verdict import Reason
from tests.docs.generate import RENEW, fields, renewed
from tests.docs.page import PAGES, ROOT, blocks

TEXTS = {name: path.read_text() for name, path in PAGES.items()}
VERDICTS = TEXTS["docs/runs-and-verdicts.md"]
BY_HAND = {name: re.sub(r"<!-- generated.*?<!-- end -->", "", text, flags=re.DOTALL) for name, text in TEXTS.items()}


def section(text: str, title: str) -> str:
    """The text below a heading."""
    return text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def first_column(text: str) -> list[str]:
    """What the first column of a table has in backquotes or as a number."""
    return re.findall(r"^\| `?(\w+)`? \|", text, re.MULTILINE)[1:]  # without the head


def lines(text: str) -> Iterator[str]:
    """The command lines that a page prints, in blocks and within the text."""
    typed = [command.text for block in blocks(text) for command in block.commands]
    prose = re.sub(r"```.*?```|<!--.*?-->", "", text, flags=re.DOTALL)
    yield from (
        part.strip()
        for line in [*typed, *re.findall(r"`([^`\n]+)`", prose)]
        for part in re.split(r";|&&|\|\|?|[()]", line.partition("  #")[0])
    )


COMMANDS = sorted(
    {
        line
        for text in BY_HAND.values()
        for line in lines(text)
        if line.startswith("ccs ") and not re.search(r"COMMAND|VERB|…", line)
    }
)


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_exists_with_its_options(line: str) -> None:
    command: Any = typer.main.get_command(app)
    words = shlex.split(line)[1:]
    while words[:1] != ["--help"] and hasattr(command, "get_command"):
        command = command.get_command(None, words.pop(0))
    known = {option for p in command.params for option in [*p.opts, *p.secondary_opts]} | {"--help"}
    assert not {word.partition("=")[0] for word in words if re.match("--?[a-zA-Z]", word)} - known


def test_every_target_of_make_exists() -> None:
    targets = {t for text in BY_HAND.values() for t in re.findall(r"(?:^|`|&& )make ([a-z-]+)", text, re.MULTILINE)}
    known = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {"install", "demo", "test"} <= targets
    assert not targets - known - {"lint"}  # the gates of jobs in examples


@pytest.mark.parametrize("page", PAGES)
def test_the_generated_parts_are_what_the_code_says(page: str) -> None:
    assert renewed(TEXTS[page]) == TEXTS[page], f"{page} is not what the code says: {RENEW}"


def test_every_field_is_on_the_page_of_jobs() -> None:
    told = set(re.findall(r"^\| `(.+?)` \|", TEXTS["docs/jobs-and-tasks.md"], re.MULTILINE))
    assert set(fields()) <= told


def test_every_verdict_is_on_its_page() -> None:
    assert sorted(first_column(section(VERDICTS, "Verdicts"))) == sorted(Reason)


def test_every_folder_of_the_source_is_on_the_map() -> None:
    told = set(re.findall(r"^\| `(.+?)/` \|", TEXTS["docs/architecture.md"], re.MULTILINE))
    folders = {
        m.parent for package in ("blocks", "flows", "deployments", "cli") for m in ROOT.glob(f"{package}/**/*.py")
    }
    assert {f.relative_to(ROOT).as_posix() for f in folders} - {"cli", "flows"} == told - {"tests"}


def test_the_changelog_has_the_version_of_the_package() -> None:
    latest = re.findall(r"^## \[(\d.*?)\]", TEXTS["CHANGELOG.md"], re.MULTILINE)[0]
    assert latest == version("ccs")


def test_few_blocks_are_not_run_and_each_says_why() -> None:
    skipped = [b.notes["skip"] for text in TEXTS.values() for b in blocks(text) if "skip" in b.notes]
    assert len(skipped) <= 8
    assert all(len(reason) > 10 for reason in skipped)
