"""What the user sees: tables that fit a terminal, JSON on a pipe, colour only where it is wanted."""

import json
import os
import pty
import re
import subprocess
import sys

import pytest

from ccs.cli.client.records import LogLine
from ccs.cli.commands import following
from ccs.cli.diagnosis import findings
from ccs.cli.main import main
from ccs.cli.terminal import output
from ccs.cli.terminal.findings import show_findings
from ccs.cli.terminal.output import Format, Talk

ROWS = [{"id": "1", "name": "first", "status": "Completed"}, {"id": "2", "name": "zweite ü", "status": "Failed"}]
COLUMNS: output.Columns[dict[str, str]] = {"NAME": "name", "STATUS": "status", "BOTH": lambda r: [r["id"], r["name"]]}

SHOW = """
import sys
from ccs.cli.terminal import output
rows = [{"id": str(n), "name": "n" * 80, "status": "Completed"} for n in range(3)]
output.show_list(rows, {"NAME": "name", "STATUS": "status"}, "things")
"""
WIDE = """
from ccs.cli.terminal import output
row = {name: "words of it" for name in "abcdefgh"}
output.show_list([row | {"a": "a-long-name"}], {name.upper() * 3: name for name in row}, "things")
"""


def shown(form: Format, capsys: pytest.CaptureFixture[str], key: str = "things") -> str:
    Talk.format = form
    try:
        output.show_list(ROWS, COLUMNS, key)
    finally:
        Talk.format = None
    return capsys.readouterr().out


def test_json_has_the_rows_under_their_noun_or_bare(capsys: pytest.CaptureFixture[str]) -> None:
    assert json.loads(shown(Format.JSON, capsys)) == {"things": ROWS}
    assert json.loads(shown(Format.JSON, capsys, key="")) == ROWS


def test_the_other_forms_hold_the_same_rows(capsys: pytest.CaptureFixture[str]) -> None:
    assert [json.loads(line) for line in shown(Format.NDJSON, capsys).splitlines()] == ROWS
    assert shown(Format.IDS, capsys) == "1\n2\n"
    assert "- id: '1'\n" in shown(Format.YAML, capsys)
    assert shown(Format.TABLE, capsys) == (
        "NAME      STATUS     BOTH\nfirst     Completed  1, first\nzweite ü  Failed     2, zweite ü\n"
    )


def on_terminal(columns: int, show: str = SHOW, **env: str) -> str:
    """What a process writes to a terminal of so many columns."""
    leader, follower = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-c", show],
        stdout=follower,
        stderr=follower,
        env={**os.environ, "COLUMNS": str(columns), **env},
    )
    os.close(follower)
    said = b""
    while True:
        try:
            chunk = os.read(leader, 65536)
        except OSError:  # how Linux says that the other side is closed
            break
        if not chunk:
            break
        said += chunk
    os.close(leader)
    assert child.wait(120) == 0
    return said.decode()


def test_on_a_terminal_there_is_a_table_that_fits_it() -> None:
    lines = on_terminal(40, NO_COLOR="1", PYTHONIOENCODING="utf-8").splitlines()
    assert max(map(len, lines)) == 40
    assert lines[0].split() == ["NAME", "STATUS"]
    assert "…" in lines[1]


def test_wide_letters_take_the_room_they_need() -> None:
    names = SHOW.replace('"n" * 80', '("日本🎉", "e\\u0301" * 5, "ジョブ" * 30)[n]')
    head, *rows = on_terminal(40, names, NO_COLOR="1", PYTHONIOENCODING="utf-8").splitlines()
    assert rows[0] == "日本🎉" + " " * 25 + "Complet…"
    assert rows[1] == "e\u0301" * 5 + " " * 26 + "Complet…"
    assert rows[2] == "ジョブ" * 4 + "ジョ…  Complet…"  # one more would take two columns, and there is one
    assert head.index("STATUS") == 31


def test_columns_that_find_no_room_are_left_out() -> None:
    head, row = on_terminal(40, WIDE, NO_COLOR="1", LC_ALL="C.UTF-8").splitlines()
    assert head.split() == ["AAA", "BBB", "CCC", "DDD…"]
    assert len(row) == 40
    assert row.startswith("a-long-na…")
    assert len(on_terminal(120, WIDE, NO_COLOR="1").splitlines()[0].split()) == 8


def test_help_fits_a_narrow_terminal() -> None:
    for words in ([], ["jobs"], ["jobs", "create"]):
        code = f"from ccs.cli.main import main; main({[*words, '--help']!r})"
        lines = on_terminal(40, code, NO_COLOR="1").splitlines()
        assert max(len(line) for line in lines if not line.startswith("  --")) <= 40, words


def test_colour_is_left_out_when_it_is_not_wanted() -> None:
    assert "\x1b[32mCompleted" in on_terminal(120)
    assert "\x1b" not in on_terminal(120, NO_COLOR="1")


def test_a_terminal_without_unicode_gets_plain_letters() -> None:
    assert "~" in on_terminal(40, NO_COLOR="1", PYTHONIOENCODING="ascii:replace")
    assert on_terminal(40, NO_COLOR="1", LC_ALL="C").isascii()


def test_json_survives_an_encoding_without_unicode() -> None:
    code = "from ccs.cli.terminal import output; output.show_list([{'id': 'ü'}], {}, 'x')"
    env = {**os.environ, "PYTHONIOENCODING": "ascii"}
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, env=env, check=True)
    assert json.loads(child.stdout) == {"x": [{"id": "ü"}]}


HOSTILE = "a\x1b[2J\x1b[31mb\x1b[0m \x1b]0;title\x07c\r\x9b31md\u202eẍ 🎉\n\tin"
"""A text that clears the screen, has a colour, a title, goes back to the line's beginning, and turns writing around."""


def test_what_steers_a_terminal_never_reaches_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert output.plain(HOSTILE) == "ab c31mdẍ 🎉\n\tin"
    output.say(HOSTILE)
    output.write(output.fields({"Reason": HOSTILE, "All": [HOSTILE]}))
    output.write(output.table([{"name": HOSTILE}], {"NAME": "name"}))
    time = "2026-01-01T00:00:00+00:00"
    line: LogLine = {"id": "1", "timestamp": time, "message": HOSTILE, "name": "x", "level": 20}
    output.write(following.text_of(line))
    try:
        Talk.format = Format.TABLE
        show_findings([findings.info("log", HOSTILE, HOSTILE)], "findings")
        for Talk.format in (Format.IDS, Format.YAML, Format.JSON):
            output.write("---")
            output.show_one({"id": HOSTILE}, str)
    finally:
        Talk.format = None
    said = capsys.readouterr()
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", said.out + said.err)
    assert json.loads(said.out.rpartition("---")[2])["id"] == HOSTILE


def test_help_needs_no_server_and_ends_with_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    for noun in ("jobs", "tasks", "runs", "profiles", "nodes", "debug"):
        assert main([noun, "--help"]) == 0
        verbs = re.findall(r"^  (\w+) ", capsys.readouterr().out.partition("Commands:")[2], re.MULTILINE)
        assert verbs
        for verb in verbs:
            assert main([noun, verb, "--help"]) == 0
            assert "Example:  ccs " in capsys.readouterr().out, (noun, verb)
    alone = ("doctor", "run", "explain", "open", "state", "scheduler", "stats", "completion")
    for verb in ("up", "down", "status", "health", *alone):
        assert main([verb, "--help"]) == 0
        assert "Example:  ccs " in capsys.readouterr().out


def test_lists_load_nothing_heavy() -> None:
    code = (
        "import sys; from ccs.cli.main import main\n"
        "assert main(['jobs', 'list', '--api-url', 'http://127.0.0.1:9/api']) == 3\n"
        "heavy = {'prefect', 'pydantic', 'croniter', 'rich', 'yaml', 'zoneinfo'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert child.returncode == 0, child.stderr
