"""Redaction: no secret of a profile leaves the process that runs `claude`."""

import json
from collections.abc import Iterable
from urllib.parse import quote

MASK = "********"
_MASK = MASK.encode()
_HALVES_FROM = 16  # a half of a shorter secret is too common a text to hide


class Redactor:
    """Hides secrets in a stream of lines: whole, JSON-escaped, URL-quoted, and cut in two by the end of a line.

    A secret that is cut in two has a half that is at least half as long as itself. So every beginning and every
    end of a secret of at least half its length is hidden too; what stays is less than a half.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        self._forms = sorted({form for secret in secrets for form in _forms(secret)}, key=len, reverse=True)

    def line(self, line: bytes) -> bytes:
        """The line without secrets. Safe on JSON: the mask needs no escaping."""
        for form in self._forms:
            line = line.replace(form, _MASK)
        for form in self._forms:
            if len(form) >= _HALVES_FROM:
                line = _without_halves(line, form)
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


def _without_halves(line: bytes, secret: bytes) -> bytes:
    half = (len(secret) + 1) // 2
    head, tail = secret[:half], secret[-half:]
    start = line.find(head)
    while start >= 0:
        end = start + half
        while end - start < len(secret) and end < len(line) and line[end] == secret[end - start]:
            end += 1
        line = line[:start] + _MASK + line[end:]
        start = line.find(head, start + len(_MASK))
    end = line.rfind(tail)
    while end >= 0:
        start, stop = end, end + half
        while stop - start < len(secret) and start > 0 and line[start - 1] == secret[len(secret) - 1 - (stop - start)]:
            start -= 1
        line = line[:start] + _MASK + line[stop:]
        end = line.rfind(tail, 0, start)
    return line
