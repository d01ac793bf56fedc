"""A page of the documentation as steps: what its code blocks have a reader type, and what its comments add to that.

Fenced blocks of `sh` hold commands, those of `console` also what is shown: `$ COMMAND`, then lines of its output.
Comments that begin with `test:` are for the test alone; each concerns the next block where nothing else is said:

    <!-- test: run COMMANDS -->         commands to run here, such as what a reader has done already; what they set,
                                        RUN=..., stands for the word RUN in the commands that follow
    <!-- test: skip REASON -->          cannot be run in a test: its commands are held against the real options
    <!-- test: api RULES -->            what the scripted API answers from here on (tests/fakes/scenario.py)
    <!-- test: file NAME -->            the block is the content of this file
    <!-- test: stdin TEXT -->           what is typed when its commands ask
    <!-- test: exit N -->               the exit code of its last command
    <!-- test: varies WORD ... -->      words of this page's output that are others in each run, as numbers and ids are
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = {p.relative_to(ROOT).as_posix(): p for p in [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/*.md"))]}
_PART = re.compile(
    r"^<!-- test: (?P<what>\w+)\b\s?(?P<said>.*?)\s*-->$|^```(?P<language>\w*)\n(?P<content>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
_VARIES = r"(?P<id>\b(?=[0-9a-f-]*\d)[0-9a-f]{7,}[0-9a-f-]*\b)|(?P<number>\d[\d.,:]*[a-zµ]*)|(?P<gap>\s+)|(?P<any>…)"
_SPAN = r"\d[\d.,:]*[a-zµ]*(?: \d+[a-z])?"


@dataclass(frozen=True)
class Command:
    """A command line, and the lines of its output that the page shows."""

    text: str
    shown: tuple[str, ...] = ()


@dataclass
class Block:
    """A code block with what the comments before it say."""

    line: int
    language: str
    content: str
    notes: dict[str, str] = field(default_factory=dict)

    @property
    def commands(self) -> list[Command]:
        """What a reader types, in order; none for a block that is something else."""
        joined = re.sub(r" *\\\n *", " ", self.content)
        lines = [line for line in joined.splitlines() if line.strip()]
        if self.language == "sh":
            return [Command(line) for line in lines if not line.startswith("#")]
        if self.language != "console":
            return []
        parts = re.split(r"^\$ ", joined, flags=re.MULTILINE)[1:]
        return [Command(first, tuple(rest)) for first, *rest in (part.rstrip().splitlines() for part in parts)]


def blocks(text: str) -> Iterator[Block]:
    """The blocks of a page in order; comments that stand on their own come as blocks without a language."""
    notes: dict[str, str] = {}
    for part in _PART.finditer(text):
        line = text.count("\n", 0, part.start()) + 1
        if part["what"] in ("run", "api"):
            yield Block(line, "", part["said"], {part["what"]: part["said"]})
        elif part["what"]:
            notes[part["what"]] = part["said"]
        else:
            yield Block(line, part["language"], part["content"], notes)
            notes = {}


def missing(shown: tuple[str, ...], output: str, varies: list[str]) -> str:
    """The first line that is shown and not in the output, in this order; empty when all are there."""
    rest = iter(output.splitlines())
    for line in shown:
        if line.strip() and not any(_pattern(line, varies).fullmatch(said.strip()) for said in rest):
            return line
    return ""


def _pattern(line: str, varies: list[str]) -> re.Pattern[str]:
    """A line as it may be in another run."""
    words = "".join(rf"|\b{re.escape(word)}\b" for word in varies)
    parts: list[str] = []
    end = 0
    for match in re.finditer(_VARIES + (words and f"|(?P<word>{words[1:]})"), line.strip()):
        kind = match.lastgroup or ""
        parts += [
            re.escape(line.strip()[end : match.start()]),
            {"id": r"[0-9a-f-]+", "number": _SPAN, "gap": r"\s+", "any": ".*", "word": r"\S+"}[kind],
        ]
        end = match.end()
    return re.compile("".join([*parts, re.escape(line.strip()[end:])]))
