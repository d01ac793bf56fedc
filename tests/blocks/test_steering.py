"""What steers a terminal, or hides, is written out; everything else stays."""

import pytest

from ccs.blocks.steering import visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J\x1b]0;title\x07", "\\x1b[2J\\x1b]0;title\\x07"),
        ("\x9b31m \x7f \x00", "\\x9b31m \\x7f \\x00"),
        ("\u202eabc\u2066\u200b\ufeff", "\\u202eabc\\u2066\\u200b\\ufeff"),
        ("one\r\ntwo\rthree", "one\ntwo\\x0dthree"),
        ("half \ud83d of \udcff", "half \\ud83d of \\udcff"),
    ],
)
def test_what_steers_is_written_out(text: str, shown: str) -> None:
    assert visible(text) == shown
    assert visible(shown) == shown


@pytest.mark.parametrize("text", ["", "a\tb\n", "Grüße", "👩\u200d💻 🏳️\u200d🌈", "می\u200cخواهم"])
def test_letters_of_all_scripts_stay(text: str) -> None:
    assert visible(text) == text
