"""The picture in the README: what `make demo` shows on a terminal, from the job's start to the table of its tasks.

Run as `python -m tests.docs.picture`; it runs the demo and writes docs/demo.svg.
"""

import io
import re
import sys

from rich.console import Console
from rich.terminal_theme import DIMMED_MONOKAI
from rich.text import Text

from tests.demo import FOLDER, ROOT
from tests.docs.world import Terminal

PICTURE = ROOT / "docs" / "demo.svg"
COLUMNS = 100
_SHOWN = re.compile(r"^\$ ccs jobs run .*?(?=^\$ git show)", re.DOTALL | re.MULTILINE)


def drawn(shown: str) -> str:
    """The SVG of what a terminal showed; lines that are too long for it are cut."""
    screen = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    for line in shown.replace("--output table", "").splitlines():
        text = Text.from_ansi(line)
        if line.startswith("$ "):
            text.stylize("bold")
        text.truncate(COLUMNS, overflow="ellipsis")
        screen.print(text, overflow="crop", no_wrap=True, highlight=False)
    return screen.export_svg(title="ccs", theme=DIMMED_MONOKAI)


def main() -> int:
    """Run the demo on a terminal and draw it."""
    env = {"PATH": "/usr/local/bin:/usr/bin:/bin", "TERM": "xterm-256color"}
    terminal = Terminal(env, ROOT, COLUMNS)
    code, shown = terminal.type(f"{sys.executable} -m tests.demo", coloured=True)
    terminal.close()
    found = _SHOWN.search(shown.replace(str(FOLDER / "app"), "~/app").replace(str(FOLDER / "ccs"), "~/.ccs"))
    if code or not found:
        sys.stderr.write(shown)
        return 1
    PICTURE.write_text(drawn(found[0].strip()))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
