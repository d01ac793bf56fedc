"""How a secret can be spelled in a stream: its parts that are secrets themselves, and the encodings of each."""

import base64
import html
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from string import whitespace
from urllib.parse import unquote

from ccs.blocks.sensitivity import MIN_SECRET, is_sensitive

_USERINFO = re.compile(r"://([^/\s:@]*):([^/\s@]+)@")
_ARMOUR = re.compile(r"-----(BEGIN|END) [A-Z0-9 ]+-----")
_PLAIN = re.compile(r"[A-Za-z0-9_.-]")  # what nothing escapes that does not escape everything
_RUNS = re.compile(rb"[A-Za-z0-9_.-]{4,}")
_NAMED = {"\n": b"n", "\r": b"r", "\t": b"t", "\b": b"b", "\f": b"f", "\v": b"v"}


def parts(secret: str) -> set[str]:
    """The secret, and what is in it that gives access by itself.

    Those are the lines of a key of several lines, the password in a URL, and the sensitive fields of a JSON object.
    They are without the quotes and backslashes around them: in a JSON text these cannot be told from its own.
    """
    found = {secret, *secret.splitlines()}
    for _, password in _USERINFO.findall(secret):
        found |= {password, unquote(password)}
    try:
        value = json.loads(secret)
    except (ValueError, RecursionError):
        value = None
    if isinstance(value, Mapping):
        for text in _sensitive(value):
            found |= parts(text)
    bare = {part.strip('"\\' + whitespace) for part in found}
    told = {part for part in bare if len(part) >= MIN_SECRET and not _ARMOUR.fullmatch(part)}
    return told or {secret.strip('"\\') or secret}


@dataclass(frozen=True)
class Spellings:
    """The encodings of a part as a whole.

    `wrapped` are those of which pieces occur and tell something: tools break them into lines. `others` occur whole, as
    does every spelling of a URL or of a JSON object, most of which is no secret.
    """

    wrapped: frozenset[bytes]
    others: frozenset[bytes]


def spellings(part: str) -> Spellings:
    """The part as it is, in base64, base32 and hexadecimal, or with every character escaped."""
    raw = part.encode("utf-8", "surrogatepass")
    wide = part.encode("utf-16-le", "surrogatepass")
    units = [int.from_bytes(wide[i : i + 2], "little") for i in range(0, len(wide), 2)]
    once, digits = _base64(raw), raw.hex()
    wrapped = {raw, *once, *_base32(raw), digits.encode(), digits.upper().encode()}
    others = {twice for text in once for twice in _base64(text)} | _base64(wide)
    for form, numbers in ((b"\\x%02x", raw), (b"%%%02x", raw), (b"\\u%04x", units)):
        others.add(b"".join(form % number for number in numbers))
        others.add(b"".join(form.replace(b"x", b"X").replace(b"\\X", b"\\x") % number for number in numbers))
    if "://" in part or part.startswith("{"):
        wrapped, others = set(), wrapped | others
    return Spellings(_told(wrapped), _told(others - wrapped))


def _told(found: set[bytes]) -> frozenset[bytes]:
    return frozenset(form for form in found if len(form) >= MIN_SECRET)


def escaped(part: str) -> re.Pattern[bytes] | None:
    """A pattern for the part with any of its characters escaped, as often as one likes.

    It knows JSON, URLs, HTML, shells and the string literals of programming languages; None for a part in which
    none of them has anything to escape.
    """
    if all(map(_PLAIN.fullmatch, part)):
        return None
    return re.compile(b"".join(map(_character, part)))


def anchor(part: str) -> bytes:
    """The longest run of characters that stands in every escaped form of the part; empty when there is none."""
    return max(_RUNS.findall(part.encode("utf-8", "surrogatepass")), key=len, default=b"")


def _sensitive(value: Mapping[str, object]) -> Iterator[str]:
    for name, item in value.items():
        if isinstance(item, Mapping):
            yield from _sensitive(item)
        elif isinstance(item, str) and is_sensitive(name, item):
            yield item


def _base64(data: bytes) -> set[bytes]:
    """What of the base64 of a longer text is the same whatever stands around these bytes, at each alignment."""
    found = set()
    for before in range(3):
        encode = base64.b64encode(bytes(before) + data)
        core = encode[(8 * before + 5) // 6 : 8 * (before + len(data)) // 6]
        found |= {core, core.translate(bytes.maketrans(b"+/", b"-_"))}
    return found


def _base32(data: bytes) -> set[bytes]:
    found = set()
    for before in range(5):
        encoded = base64.b32encode(bytes(before) + data)
        found.add(encoded[(8 * before + 4) // 5 : 8 * (before + len(data)) // 5])
    return found


def _character(char: str) -> bytes:
    """A pattern for one character in all its forms."""
    raw = char.encode("utf-8", "surrogatepass")
    if _PLAIN.fullmatch(char):
        return re.escape(raw)
    if char == "\\":
        return rb"(?:\\+|(?i:%(?:25)*5c)|&(?:amp;)*#(?:92|x5[cC]);|\\+(?i:u005c|x5c|134))"
    wide = char.encode("utf-16-le", "surrogatepass")
    units = [int.from_bytes(wide[i : i + 2], "little") for i in range(0, len(wide), 2)]
    code = ord(char)
    forms = [
        rb"\\*" + re.escape(raw),
        b"(?i:" + b"".join(rb"\\+u%04x" % unit for unit in units) + b")",
        b"(?i:" + b"".join(b"%%(?:25)*%02x" % byte for byte in raw) + b")",
        b"&(?:amp;)*(?i:#%d|#x%x);" % (code, code),
        b"(?i:" + b"".join(rb"\\+x%02x" % byte for byte in raw) + b")",
        b"".join(rb"\\+0?%03o" % byte for byte in raw),
    ]
    if code > 0xFFFF:
        forms.append(rb"(?i:\\+U%08x)" % code)
    if code < 0x100:
        forms.append(rb"(?i:\\+x%02x)" % code)
    if char in _NAMED:
        forms.append(rb"\\+" + _NAMED[char])
    if (named := html.escape(char)) != char:
        forms.append(b"&(?:amp;)*" + named[1:].encode())
    if char == " ":
        forms.append(rb"\+")
    if char in "'\"":
        forms[:0] = [rb"""'\\*"\\*'\\*"'""", rb"'\\+''", raw * 2]
    return b"(?:" + b"|".join(forms) + b")"
