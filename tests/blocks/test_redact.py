"""Redaction: a secret does not get through in any spelling a stream has for it."""

import base64
import csv
import html
import io
import json
import random
import re
import shlex
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
import yaml

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


RAW = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
LETTERS = (
    RAW,
    RAW + "-_.",
    RAW + "+/=",
    RAW + "".join(map(chr, range(33, 127))),
    RAW + " \t'\"\\$`!&<>",
    RAW + 'éßλ中😀"\\',
)
SIZES = (6, 8, 12, 15, 20, 24, 32, 40, 64, 100)


def secrets(dice: random.Random, count: int) -> list[str]:
    """Secrets of all sizes, of letters of all kinds."""
    made = ("".join(dice.choices(dice.choice(LETTERS), k=dice.choice(SIZES))).strip() for _ in range(count))
    return [secret for secret in made if len(secret.strip('"\\')) >= 6 and len(set(secret)) > 2]


def among(encode: Callable[[bytes], bytes], text: str, dice: random.Random) -> str:
    """The text encoded in the middle of something else, at any alignment."""
    return encode(dice.randbytes(dice.randrange(6)) + text.encode() + dice.randbytes(dice.randrange(6))).decode()


def in_csv(text: str) -> str:
    written = io.StringIO()
    csv.writer(written).writerow([text, "x"])
    return written.getvalue()


def in_json(text: str, depth: int) -> str:
    for level in range(depth):
        text = json.dumps(text, ensure_ascii=level % 2 == 0)
    return text


ENCODINGS: dict[str, Callable[[str, random.Random], str]] = {
    "json": lambda text, _: in_json(text, 1),
    "json twice": lambda text, _: in_json(text, 2),
    "json three times": lambda text, _: in_json(text, 3),
    "json five times": lambda text, _: in_json(text, 5),
    "base64": lambda text, dice: among(base64.b64encode, text, dice),
    "base64 in a URL": lambda text, dice: among(base64.urlsafe_b64encode, text, dice),
    "base64 of a login": lambda text, _: base64.b64encode(f"user:{text}".encode()).decode(),
    "base64 twice": lambda text, dice: among(base64.b64encode, among(base64.b64encode, text, dice), dice),
    "base64 in json": lambda text, dice: json.dumps(among(base64.b64encode, text, dice)),
    "base64 of UTF-16": lambda text, _: base64.b64encode(text.encode("utf-16-le")).decode(),
    "base32": lambda text, dice: among(base64.b32encode, text, dice),
    "hexadecimal": lambda text, _: text.encode().hex(),
    "HEXADECIMAL": lambda text, _: text.encode().hex().upper(),
    "URL": lambda text, _: quote(text),
    "URL, all of it": lambda text, _: quote(text, safe=""),
    "URL twice": lambda text, _: quote(quote(text, safe=""), safe=""),
    "form": lambda text, _: quote_plus(text),
    "HTML": lambda text, _: html.escape(text),
    "HTML twice": lambda text, _: html.escape(html.escape(text)),
    "shell": lambda text, _: shlex.quote(text),
    "python": lambda text, _: repr(text),
    "python in json": lambda text, _: json.dumps(repr(text)),
    "yaml": lambda text, _: yaml.safe_dump({"a": text}, width=10**6),
    "csv": lambda text, _: in_csv(text),
    "every byte": lambda text, _: "".join(f"\\x{byte:02x}" for byte in text.encode()),
    "every byte of a URL": lambda text, _: "".join(f"%{byte:02X}" for byte in text.encode()),
}


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_no_encoding_lets_a_secret_pass(encoding: str) -> None:
    dice = random.Random(encoding)
    for secret in secrets(dice, 200):
        spelled = ENCODINGS[encoding](secret, dice)
        clean = Redactor([secret]).text(f"before {spelled} after")
        assert clean.startswith("before ")
        assert clean.endswith(" after")
        assert MASK in clean, (secret, spelled)
        rest = re.sub(r"[\\'\"]", "", clean[7:-6]).split(MASK)  # around it stands what base64 mixes with its neighbours
        assert max(map(len, rest)) <= 24, (secret, spelled, clean)


def test_a_json_text_stays_one_whatever_is_hidden_in_it() -> None:
    dice = random.Random("json")
    for secret in secrets(dice, 1500):
        begin, end = sorted((dice.randrange(len(secret) + 1), dice.randrange(len(secret) + 1)))
        noise = ["".join(dice.choices('"\\\nnu00e9' + secret, k=dice.randrange(30))) for _ in range(3)]
        text = noise[0] + secret[begin:end] + noise[1] + secret + noise[2]
        json.loads(Redactor([secret]).text(json.dumps({"text": text}, ensure_ascii=dice.random() < 0.5)))


def test_a_key_of_several_lines_is_hidden_line_by_line() -> None:
    rows = [base64.b64encode(random.Random(row).randbytes(48)).decode() for row in range(20)]
    redactor = Redactor(["\n".join(("-----BEGIN PRIVATE KEY-----", *rows, "-----END PRIVATE KEY-----", ""))])
    shown = "".join(f"{number:>6}\t{row}\n" for number, row in enumerate(rows))  # as claude's Read tool does
    indented = "".join(f"    {row}\n" for row in rows)
    encoded = base64.encodebytes("\n".join(rows).encode()).decode()  # in rows of another length
    for text in (shown, indented, encoded):
        for line in (*text.splitlines(), json.dumps(text)):
            clean = redactor.text(line)
            pieces = [piece for piece in clean.split(MASK) if len(piece.strip()) > 16]
            assert MASK in clean
            assert not [piece for piece in pieces if any(piece[8:16] in row for row in (*rows, encoded))], clean


@pytest.mark.parametrize("url", ["https://ci:correct-horse@host/path", "postgresql://ci:correct%2Dhorse@host/db"])
def test_the_password_in_a_url_is_a_secret_of_its_own(url: str) -> None:
    assert Redactor([url]).text("PGPASSWORD=correct-horse") == f"PGPASSWORD={MASK}"


def test_the_sensitive_fields_of_a_json_object_are_secrets_of_their_own() -> None:
    secret = json.dumps(
        {"type": "service_account", "private_key": "line-one-of-it\nline-two-of-it", "client_id": "10001"}
    )
    clean = Redactor([secret]).text("service_account 10001: line-two-of-it")
    assert clean == f"service_account 10001: {MASK}"


def test_a_piece_from_the_middle_is_hidden() -> None:
    secret = "0123456789abcdefghijklmnopqrstuvwxyzABCD"
    assert Redactor([secret]).text(f"cut -c9-30: {secret[8:30]}!") == f"cut -c9-30: {MASK}!"
