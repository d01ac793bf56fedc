"""Findings on the terminal."""

from collections.abc import Iterable

from ccs.cli.diagnosis.findings import Finding
from ccs.cli.terminal.output import plain, prints_table, show_list, write


def show_findings(findings: Iterable[Finding], key: str) -> None:
    """Findings: a line each on a terminal, never cut, for each ends with what to do."""
    found = list(findings)
    if prints_table():
        for f in found:
            write(plain(f"{f.level:<4}  {f.what}" + (f"; next: {f.do}" if f.do else "")))
        return
    show_list([{"id": f.id, "level": f.level, "what": f.what, "do": f.do} for f in found], {}, key)
