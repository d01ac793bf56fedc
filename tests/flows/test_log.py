"""What a process logs is clean, whoever logs it and whatever is wrong with it."""

import io
import json
import logging
from collections.abc import Iterator

import pytest

from ccs.blocks.redact import MASK, Redaction
from ccs.flows.log import clean_records

SECRET = "Zq9Kd8Xw2Pm5Ra7Lt4Vb6"


@pytest.fixture
def redaction() -> Iterator[Redaction]:
    before = logging.getLogRecordFactory()
    redaction = Redaction([SECRET])
    clean_records(redaction.clean)
    yield redaction
    logging.setLogRecordFactory(before)


@pytest.fixture
def said() -> Iterator[io.StringIO]:
    said = io.StringIO()
    handler = logging.StreamHandler(said)
    logging.getLogger().addHandler(handler)
    yield said
    logging.getLogger().removeHandler(handler)


def test_messages_arguments_and_tracebacks_are_cleaned(redaction: Redaction, said: io.StringIO) -> None:
    log = logging.getLogger("a.library")
    log.warning(f"in the text {SECRET}")
    log.warning("as %s and %r", SECRET, {"key": SECRET})
    log.warning("%s\x1b[2J", 7, stack_info=True)
    try:
        raise ValueError(f"\x1b]0;{SECRET}")
    except ValueError:
        log.exception("trouble")
    text = said.getvalue()
    assert SECRET not in text and "\x1b" not in text
    assert f"as {MASK} and {{'key': '{MASK}'}}" in text
    assert "7\\x1b[2J" in text
    assert f"ValueError: \\x1b]0;{MASK}" in text


def test_a_line_that_does_not_fit_its_arguments_harms_nobody(redaction: Redaction, said: io.StringIO) -> None:
    logging.getLogger().warning("%d of %s", SECRET)
    assert MASK in said.getvalue() and SECRET not in said.getvalue()


def test_what_is_learned_is_hidden_from_then_on(redaction: Redaction, said: io.StringIO) -> None:
    logging.getLogger().warning("first another-secret")
    redaction.learn(["another-secret"])
    logging.getLogger().warning("then another-secret and %s", SECRET)
    assert said.getvalue() == f"first another-secret\nthen {MASK} and {MASK}\n"


def test_texts_that_are_none_in_utf_8_are_cleaned_too(redaction: Redaction) -> None:
    assert redaction.clean(f"{SECRET} \udcff") == f"{MASK} \\xff"
    assert redaction.clean(f"{SECRET} \ud83d \udcff").startswith(MASK)
    assert redaction.clean("\udcff") == "\\udcff"


def test_a_table_keeps_what_it_is_told_to(redaction: Redaction) -> None:
    row = {"id": SECRET, "detail": SECRET, "output": {SECRET: [SECRET, 7, None, "\x1b"]}}
    (found,) = json.loads(redaction.table([row], {"id"}))
    assert found == {"id": SECRET, "detail": MASK, "output": {MASK: [MASK, 7, None, "\\x1b"]}}
