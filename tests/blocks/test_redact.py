"""Redaction: a secret does not get through in any spelling a stream has for it."""

import json
from urllib.parse import quote

import pytest

from ccs.blocks.redact import MASK, Redactor

SECRET = 'sk-ant-api03-"Zq\n\\9é/Kd8+Xw2Pm5Ra7'


@pytest.mark.parametrize(
    "spelled",
    [
        SECRET,
        json.dumps(SECRET),
        json.dumps(SECRET, ensure_ascii=False),
        json.dumps(json.dumps({"env": SECRET})),
        quote(SECRET),
        quote(SECRET, safe=""),
    ],
)
def test_every_spelling_is_hidden(spelled: str) -> None:
    clean = Redactor([SECRET]).text(f"before {spelled} after")
    assert MASK in clean
    assert "before" in clean
    assert "after" in clean
    assert not any(SECRET[i : i + 8] in clean for i in range(len(SECRET) - 8))


@pytest.mark.parametrize("cut", range(1, 40))
def test_a_secret_cut_in_two_lines_leaves_less_than_a_third_of_it(cut: int) -> None:
    secret = "0123456789abcdefghijklmnopqrstuvwxyzABCD"
    redactor = Redactor([secret])
    first = redactor.line(json.dumps({"text": f"the key is {secret[:cut]}"}).encode())
    second = redactor.line(json.dumps({"text": f"{secret[cut:]} is the key"}).encode())
    assert json.loads(first)["text"].startswith("the key is ")
    assert json.loads(second)["text"].endswith(" is the key")
    longest = max(
        length
        for length in range(len(secret))
        for start in range(len(secret) - length)
        if secret[start : start + length].encode() in first + second
    )
    assert longest < len(secret) / 3 + 1


def test_several_secrets_the_longer_one_first() -> None:
    redactor = Redactor(["password", "password-and-more"])
    assert redactor.text("x password-and-more y password z") == f"x {MASK} y {MASK} z"


def test_every_occurrence_in_a_long_line_is_hidden() -> None:
    secret = "correct-horse-battery-staple"
    line = f"{secret} {secret[:20]} {secret[10:]} {secret}".encode() * 1000
    clean = Redactor([secret]).line(line)
    assert b"horse" not in clean
    assert b"staple" not in clean


def test_megabytes_of_pieces_are_one_pass() -> None:
    secret = "0123456789abcdefghijklmnop"
    clean = Redactor([secret]).line(b"0123456789ab " * 400_000)  # minutes, were each piece a copy of the line
    assert clean == MASK.encode() + (b" " + MASK.encode()) * 399_999 + b" "


def test_text_without_a_secret_is_untouched() -> None:
    data = "\udcff\x00 käse – plain".encode("utf-8", "surrogateescape")
    assert Redactor(["unrelated-secret"]).line(data) == data
    assert Redactor([]).line(data) == data
