"""What the user sees: the result on stdout, the talk on stderr."""

import contextlib
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import TextIO, TypeVar

from ccs.blocks.steering import CHARACTERS

Row = Mapping[str, object]
R = TypeVar("R", bound=Row)
Columns = Mapping[str, str | Callable[[R], object]]
"""Headings of a table, each with the key of a row or a function of it."""

_COLOURS = {"completed": 32, "online": 32, "ok": 32, "running": 36, "failed": 31, "crashed": 31, "cancelled": 33}


_STEERS = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_][^\x07\x1b\n]*(?:\x07|\x1b\\)?" + f"|[{CHARACTERS}]")
"""What a terminal obeys instead of showing it: colours, titles, cursor moves, control characters, writing backwards."""

_UNSEEN = re.compile(rf"(?![\x00-\x1f])[{CHARACTERS}]")
"""What steers a terminal and JSON need not escape."""

_LEAST = 8
"""Characters of a column that is cut."""


class Format(StrEnum):
    """How a result is written."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"
    NDJSON = "ndjson"
    IDS = "ids"


class ReaderGoneError(Exception):
    """Whoever read stdout has what it wanted (| head -1)."""


class Talk:
    """What this process says besides its result; `verbosity` counts the -v."""

    verbosity = 0
    format: Format | None = None
    muted = False
    """Whether results are kept back, because what they would say did not happen."""


def mute() -> None:
    """Keep back results from now on."""
    Talk.muted = True


def plain(text: str) -> str:
    """The text without what would steer a terminal: claude, repositories and other people wrote parts of it."""
    return _STEERS.sub("", text)


def say(text: str, level: int = 0) -> None:
    """One line on stderr; lines of a higher level only with as many -v."""
    if level <= Talk.verbosity and (level or not Talk.muted):
        with contextlib.suppress(OSError):  # nobody reads it, or the disk is full: the exit code still says it
            print(plain(text), file=sys.stderr, flush=True)  # noqa: T201


def write(text: str) -> None:
    """Text on stdout, as it is."""
    if Talk.muted:
        return
    try:
        print(text, flush=True)  # noqa: T201
    except BrokenPipeError as error:
        raise ReaderGoneError from error


def let_go() -> None:
    """Write what is left, or drop it where nobody takes it: the interpreter would try again at its end, and fail."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def is_terminal(stream: TextIO) -> bool:
    """Whether a person looks at the stream."""
    return stream.isatty()


def show_list(rows: Sequence[R], columns: Columns[R], key: str = "", empty: str = "") -> None:
    """Show rows: a table on a terminal; on a pipe `{key: rows}`, or the bare list when there is no key."""
    match _format():
        case Format.TABLE:
            if rows:
                write(table(rows, columns))
            elif empty:
                say(empty)
        case Format.NDJSON:
            for row in rows:
                write(_json(row, indent=None))
        case Format.IDS:
            for row in rows:
                _write_id(row)
        case Format.YAML:
            write(_yaml({key: rows} if key else rows))
        case Format.JSON:
            write(_json({key: rows} if key else rows))


def show_one(row: R, text: Callable[[R], str]) -> None:
    """Show one thing: `text` of it on a terminal, all of it on a pipe."""
    match _format():
        case Format.TABLE:
            write(text(row))
        case Format.NDJSON:
            write(_json(row, indent=None))
        case Format.IDS:
            _write_id(row)
        case Format.YAML:
            write(_yaml(row))
        case Format.JSON:
            write(_json(row))


def table(rows: Sequence[R], columns: Columns[R]) -> str:
    """Rows as a table that fits the terminal."""
    from shutil import get_terminal_size

    from tabulate import tabulate

    cells = [list(columns), *([_cell(c(r) if callable(c) else r.get(c)) for c in columns.values()] for r in rows)]
    on_terminal = is_terminal(sys.stdout)
    if on_terminal:
        cells = _fitted(cells, get_terminal_size().columns)
    paint = _coloured if on_terminal and not os.environ.get("NO_COLOR") else str
    drawn = tabulate([list(map(paint, row)) for row in cells], tablefmt="plain", disable_numparse=True)
    return "\n".join(line.rstrip() for line in drawn.splitlines())


def fields(pairs: Mapping[str, object]) -> str:
    """Names and values below each other; those without a value are left out."""
    shown = {name: _text(value) for name, value in pairs.items() if value not in (None, "", [], {})}
    width = max((len(name) for name in shown), default=0) + 2
    return "\n".join(f"{name:<{width}}" + value.replace("\n", "\n" + " " * width) for name, value in shown.items())


def has_unicode() -> bool:
    """Whether stdout takes more than plain letters; Python writes UTF-8 also where the locale has only those."""
    locale = os.environ.get("LC_ALL") or os.environ.get("LC_CTYPE") or os.environ.get("LANG")
    return (sys.stdout.encoding or "").lower().startswith("utf") and locale not in ("C", "POSIX")


def prints_table() -> bool:
    """Whether the result is for reading and not for a program."""
    return _format() is Format.TABLE


def _write_id(row: Row) -> None:
    """The id, or the name of what has none; nothing for what is no thing, such as settings."""
    if identity := row.get("id") or row.get("name"):
        write(plain(str(identity)))


def _format() -> Format:
    return Talk.format or (Format.TABLE if is_terminal(sys.stdout) else Format.JSON)


def _json(value: object, indent: int | None = 2) -> str:
    import json

    is_ascii = (sys.stdout.encoding or "").lower().replace("-", "") != "utf8"
    written = json.dumps(value, indent=indent, ensure_ascii=is_ascii, default=str)
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", written)


def _yaml(value: object) -> str:
    import json

    import yaml

    simple = json.dumps(value, default=str, ensure_ascii=False)
    as_it_is = not _UNSEEN.search(simple)
    return str(yaml.safe_dump(json.loads(simple), sort_keys=False, allow_unicode=as_it_is, width=110)).rstrip()


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return plain("\n".join(map(str, value)))
    return plain(str(value))


def _cell(value: object) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else _text("" if value is None else value)
    return " ".join("".join(c if c.isprintable() else " " for c in plain(text)).split())


def _fitted(rows: list[list[str]], width: int) -> list[list[str]]:
    """Leave out the last columns until the rest can fit, and cut the widest, down to 8 characters, until it does.

    The first is a name to type, and is cut last.
    """
    widths = [max(map(_width, column)) for column in zip(*rows, strict=True)]
    shown = len(widths)
    while shown > 2 and sum(min(w, _LEAST) for w in widths[:shown]) + 2 * (shown - 1) > width:
        shown -= 1
    dots = "…" if has_unicode() else "~"
    if shown < len(widths):
        rows = [[*rows[0][: shown - 1], rows[0][shown - 1] + dots], *(row[:shown] for row in rows[1:])]
        widths = [max(map(_width, column)) for column in zip(*rows, strict=True)]
    for first in (1, 0):  # unless nothing else helps
        while sum(widths) + 2 * (len(widths) - 1) > width and max(widths[first:], default=0) > _LEAST:
            widths[widths.index(max(widths[first:]), first)] -= 1
    return [[_cut(cell, w, dots) for cell, w in zip(row, widths, strict=True)] for row in rows]


def _cut(text: str, width: int, dots: str) -> str:
    if _width(text) <= width:
        return text
    kept = text[: width - 1]
    while _width(kept) >= width:
        kept = kept[:-1]
    return kept + dots


def _width(text: str) -> int:
    """The columns of a terminal that a text takes: two for a Chinese letter or an emoji, none for an accent."""
    if text.isascii():
        return len(text)
    from wcwidth import wcswidth

    return wcswidth(text)


def _coloured(cell: str) -> str:
    code = _COLOURS.get(cell.lower())
    return f"\x1b[{code}m{cell}\x1b[0m" if code else cell
