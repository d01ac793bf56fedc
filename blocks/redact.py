"""Redaction: no secret of a profile leaves the process that runs `claude`."""

import json
from collections.abc import Iterable
from urllib.parse import quote

MASK = "********"
_MASK = MASK.encode()
_PIECE = 8  # a shorter piece of a secret is too common a text to hide


class Redactor:
    """Hides secrets in a stream of lines: whole, JSON-escaped, URL-quoted, and cut in two by the end of a line.

    Every beginning and every end of a secret that is at least a third of it (and 8 characters) is hidden too. So of
    a secret cut in two the larger piece always is, and what may stay is less than a third.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        self._forms = sorted({form for secret in secrets for form in _forms(secret)}, key=len, reverse=True)

    def line(self, line: bytes) -> bytes:
        """The line without secrets. Safe on JSON: the mask needs no escaping."""
        for form in self._forms:
            line = line.replace(form, _MASK)
        for form in self._forms:
            piece = max(_PIECE, (len(form) + 2) // 3)
            if 2 * piece <= len(form) and (form[:piece] in line or form[-piece:] in line):
                line = _without_ends(line, form, piece)
        return line

    def text(self, text: str) -> str:
        """The text without secrets."""
        return self.line(text.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")


def _forms(secret: str) -> set[bytes]:
    """The ways a secret is spelled in a stream: raw, in JSON, in JSON within JSON, in a URL."""
    spelled = {secret, secret.strip(), quote(secret), quote(secret, safe="")}
    once = {json.dumps(s, ensure_ascii=ascii_only)[1:-1] for s in spelled for ascii_only in (True, False)}
    twice = {json.dumps(s, ensure_ascii=ascii_only)[1:-1] for s in once for ascii_only in (True, False)}
    return {form.encode("utf-8", "surrogatepass") for form in spelled | once | twice if form}


def _without_ends(line: bytes, secret: bytes, piece: int) -> bytes:
    """The line without beginnings and ends of the secret that are at least `piece` bytes long."""
    return _without_beginnings(_without_beginnings(line, secret, piece)[::-1], secret[::-1], piece)[::-1]


def _without_beginnings(line: bytes, secret: bytes, piece: int) -> bytes:
    """In one pass, because a line may be megabytes of what looks like the secret."""
    kept: list[bytes] = []
    done = 0
    start = line.find(secret[:piece])
    while start >= 0:
        end = start + piece
        while end < len(line) and end - start < len(secret) and line[end] == secret[end - start]:
            end += 1
        kept += (line[done:start], _MASK)
        done = end
        start = line.find(secret[:piece], done)
    return b"".join((*kept, line[done:])) if kept else line
