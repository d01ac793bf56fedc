"""A table on the terminal that is drawn again and again, until Ctrl-C."""

import sys
import time
from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from ccs.cli.client.records import Named
from ccs.cli.errors import ServerError, UnreachableError
from ccs.cli.terminal.output import Columns, Format, Talk, is_terminal, prints_table, say, show_one, table, write

N = TypeVar("N", bound=Named)

_LONGEST = 3600.0
_HOME, _CLEAR_REST, _CLEAR_LINE = "\x1b[H", "\x1b[0J", "\x1b[K"
_OTHER_SCREEN, _OWN_SCREEN = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"


def watch(read: Callable[[], list[N]], columns: Columns[N], title: str, seconds: float) -> None:
    """Show what `read` gives every so many seconds; on a pipe, each row once more whenever it changed, as NDJSON."""
    seconds = seconds if seconds < _LONGEST else _LONGEST  # also for what is no number
    read()  # what is wrong from the start ends it; later, a server may be away for a while
    try:
        if prints_table() and is_terminal(sys.stdout):
            _draw(read, columns, title, seconds)
        else:
            _stream(read, seconds)
    except KeyboardInterrupt:
        return


def _draw(read: Callable[[], list[N]], columns: Columns[N], title: str, seconds: float) -> None:
    from shutil import get_terminal_size

    sys.stdout.write(_OTHER_SCREEN)
    try:
        while True:
            rows, trouble = _read(read)
            size = get_terminal_size()
            head = f"{title}  {datetime.now().astimezone():%H:%M:%S}  (Ctrl-C ends){trouble}"[: size.columns]
            body = table(rows, columns).splitlines() if rows else ["nothing yet"]
            lines = [head, "", *body][: size.lines - 1]
            write(_HOME + "\n".join(line + _CLEAR_LINE for line in lines) + _CLEAR_REST)
            time.sleep(seconds)
    finally:
        sys.stdout.write(_OWN_SCREEN)
        sys.stdout.flush()


def _stream(read: Callable[[], list[N]], seconds: float) -> None:
    known: dict[str, N] = {}
    Talk.format = Format.IDS if Talk.format is Format.IDS else Format.NDJSON
    while True:
        rows, trouble = _read(read)
        if trouble:
            say(trouble.strip())
        for row in reversed(rows):
            if known.get(row["id"]) != row:
                known[row["id"]] = row
                show_one(row, str)
        time.sleep(seconds)


def _read(read: Callable[[], list[N]]) -> tuple[list[N], str]:
    """The rows, or none with what is the trouble: a server may be away for a while."""
    try:
        return read(), ""
    except (ServerError, UnreachableError) as error:
        return [], f"  {error}"
