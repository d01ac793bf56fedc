"""From bytes to lines."""

import random

import pytest

from ccs.flows.processes.lines import LineFramer


@pytest.mark.parametrize(
    ("chunks", "lines", "rest"),
    [
        ([b"a\nb\n"], [b"a", b"b"], []),
        ([b"a", b"b", b"c\nd"], [b"abc"], [b"d"]),
        ([b"\n\n"], [b"", b""], []),
        ([b"a\r\n"], [b"a\r"], []),
        (["u2028 \u2028 nel \x85\n".encode()], ["u2028 \u2028 nel \x85".encode()], []),
        ([b"a\n", b"", b"b"], [b"a"], [b"b"]),
        ([], [], []),
    ],
)
def test_lines_end_at_newlines_only(chunks: list[bytes], lines: list[bytes], rest: list[bytes]) -> None:
    framer = LineFramer()
    assert [line for chunk in chunks for line in framer.push(chunk)] == lines
    assert framer.flush() == rest
    assert framer.flush() == []


def test_any_cut_of_a_stream_gives_the_same_lines() -> None:
    dice = random.Random(7)
    data = b"".join(bytes(dice.choices(b"ab\n", k=dice.randrange(30))) for _ in range(50))
    for _ in range(50):
        framer, lines, at = LineFramer(), [], 0
        while at < len(data):
            size = dice.randrange(1, 20)
            lines += framer.push(data[at : at + size])
            at += size
        assert b"\n".join(lines + (framer.flush() or [b""])) == data


def test_a_text_without_end_is_handed_on_in_pieces() -> None:
    framer = LineFramer(max_line=10)
    assert framer.push(b"x" * 8) == []
    assert framer.push(b"x" * 8) == [b"x" * 16]
    assert framer.push(b"y\n") == [b"y"]
    assert framer.push(b"x" * 16) == [b"x" * 16]
    assert framer.push(b"\n") == []  # it ends the piece
    assert framer.push(b"\n") == [b""]
