"""How pages are read: their commands, what comments say about them, and how loosely an output is compared."""

import pytest

from tests.docs.page import Command, blocks, missing

PAGE = """# Title

<!-- test: run
RUN=3f2a -->
Words.

<!-- test: exit 10 -->
<!-- test: stdin yes -->
```sh
# what it is about
ccs jobs run nightly \\
  --wait    # live
ccs runs get RUN
```

```console
$ ccs runs list
RUN   STATUS

eel   Completed
$ ccs down
```
"""


def test_blocks_have_their_commands_and_what_comments_say() -> None:
    hidden, typed, shown = blocks(PAGE)
    assert hidden.notes == {"run": "RUN=3f2a"}
    assert typed.notes == {"exit": "10", "stdin": "yes"}
    assert [c.text for c in typed.commands] == ["ccs jobs run nightly --wait    # live", "ccs runs get RUN"]
    assert shown.commands == [Command("ccs runs list", ("RUN   STATUS", "", "eel   Completed")), Command("ccs down")]
    assert (shown.line, shown.notes) == (16, {})


@pytest.mark.parametrize(
    ("shown", "output"),
    [
        ("finished after 2 turns, 0.3 s, $0.0008", "finished after 12 turns, 1.7 s, $0.0120"),
        ("09:14:03 committed a.py as 0ace312b2abf on main", "08:00:59 committed a.py as 77f0cc81d2e4 on main"),
        ("eel   ok   4s ago", "ferret  ok  1m 3s ago"),
        ("see … for more", "see a page for more"),
    ],
)
def test_numbers_ids_gaps_and_names_may_vary(shown: str, output: str) -> None:
    assert missing((shown,), f"before\n{output}\nafter", ["eel"]) == ""


@pytest.mark.parametrize("output", ["failed after 2s", "completed", "completed after 2s and more"])
def test_words_may_not(output: str) -> None:
    assert missing(("completed after 2s",), output, []) == "completed after 2s"


def test_lines_come_in_the_order_of_the_page() -> None:
    assert missing(("a", "b"), "a\nx\nb", []) == ""
    assert missing(("b", "a"), "a\nx\nb", []) == "a"
