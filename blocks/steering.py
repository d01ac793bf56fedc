"""Characters that steer what shows a text, or hide in it: a terminal obeys them, and a reader does not see them."""

import re

CHARACTERS = (
    r"\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters but tab and newline; those of C1 begin sequences, as ESC does
    r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # writing backwards
    r"\u200b\u2060-\u2064\ufeff"  # of no width; the joiners stay: scripts and emoji need them
)
"""The table of them, as the inside of a class of a regular expression."""

_STEERS = re.compile(rf"[{CHARACTERS}\ud800-\udfff]")


def visible(text: str) -> str:
    r"""The text with each of them written out as `\x1b` or `\u202e` is; the end of a line becomes a newline.

    Half of a surrogate pair is written out as well: no database takes it.
    """
    return _STEERS.sub(_written, text.replace("\r\n", "\n")) if _STEERS.search(text) else text


def _written(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
