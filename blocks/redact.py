"""Redaction: no secret of a profile leaves the process that runs `claude`."""

import json
import re
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import NewType

from ccs.blocks.spellings import anchor, escaped, parts, spellings
from ccs.blocks.steering import visible

Clean = NewType("Clean", str)
"""A text that may leave a run: without secrets, and with all that steers a terminal written out.

Only a Redaction makes one, and what publishes a text takes no other.
"""

MASK = "********"
_MASK = MASK.encode()
_WORD = 8
"""Bytes. Every text of at least 15 holds a word of eight bytes that begins at a multiple of eight of its line."""

_SEEN = 2 * _WORD - 1
_PIECE = 8  # a shorter piece of a secret is too common a text to hide
_OPEN_ESCAPE = re.compile(rb"\\+(?:u[0-9a-fA-F]{0,3}|x[0-9a-fA-F]?)?" + re.escape(_MASK))


class Redactor:
    """Hides secrets in a stream of lines: in every spelling of `ccs.blocks.spellings`, whole and in pieces.

    Of each spelling every run of 15 bytes is hidden, and of the secret itself each beginning and end that is at least
    a third of it (and 8 bytes). So of a secret cut in two the larger piece is hidden, and less than a third may stay.

    The cost of a line hardly grows with the number of secrets and spellings: its words of eight bytes are looked up
    in one set, and only what is found there is searched for.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        short: set[bytes] = set()
        self._patterns: list[tuple[bytes, bool, re.Pattern[bytes]]] = []
        self._ends: list[tuple[bytes, int]] = []
        self._words: dict[int, list[tuple[bytes, int]]] = {}
        for part in {part for secret in secrets if secret for part in parts(secret)}:
            spelled = spellings(part)
            for form in spelled.wrapped | spelled.others:
                if len(form) < _SEEN:
                    short.add(form)
                else:
                    self._learn(form, len(form) if form in spelled.wrapped else _SEEN)
            if pattern := escaped(part):
                start = anchor(part)
                self._patterns.append((start, len(start) >= _SEEN and bool(spelled.wrapped), pattern))
            raw = part.encode("utf-8", "surrogatepass")
            piece = max(_PIECE, (len(raw) + 2) // 3)
            if 2 * piece <= len(raw) and piece < _SEEN:
                self._ends.append((raw, piece))
        self._short = sorted(short, key=len, reverse=True)
        self._known = frozenset(self._words)

    def _learn(self, form: bytes, size: int) -> None:
        """Know the spelling by the words in its first bytes, so many."""
        for start in range(size - _WORD + 1):
            self._words.setdefault(_number(form[start : start + _WORD]), []).append((form, start))

    def line(self, line: bytes) -> bytes:
        """The line without secrets. Safe on JSON: what is put in needs no escaping, and no escape is cut."""
        clean = line
        if hits := self._hits(line):
            for form in sorted({form for word in hits for form, _ in self._words[word]}, key=len, reverse=True):
                clean = clean.replace(form, _MASK)
        for start, has_words, pattern in self._patterns:
            if (hits or not has_words) and start in clean:
                clean = pattern.sub(_MASK, clean)
        for form in self._short:
            clean = clean.replace(form, _MASK)
        if hits:
            clean = self._without_runs(clean)
        for form, piece in self._ends:
            if form[:piece] in clean or form[-piece:] in clean:
                clean = _without_ends(clean, form, piece)
        return line if clean is line else _OPEN_ESCAPE.sub(_MASK, clean)

    def text(self, text: str) -> str:
        """The text without secrets."""
        return self.line(text.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")

    def _hits(self, line: bytes) -> frozenset[int]:
        if not self._known or len(line) < _WORD:
            return frozenset()
        return self._known.intersection(memoryview(line)[: len(line) // _WORD * _WORD].cast("Q"))

    def _without_runs(self, line: bytes) -> bytes:
        """The line without parts of spellings that are long enough to tell something."""
        for word in self._hits(line):
            for form, start in self._words[word]:
                line = b"".join(_masked(line, _runs(line, form, start)))
        return line


class Redaction:
    """All secrets that a process has met so far, and what makes its texts Clean; safe in threads."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets = frozenset(secrets)
        self._redactor = Redactor(self._secrets)
        self._learning = threading.Lock()

    def learn(self, secrets: Iterable[str]) -> None:
        """Hide these as well from now on, in all texts."""
        with self._learning:
            known = self._secrets.union(secrets)
            if known != self._secrets:
                self._secrets, self._redactor = known, Redactor(known)

    def line(self, line: bytes) -> bytes:
        """The line without secrets, as Redactor.line."""
        return self._redactor.line(line)

    def clean(self, text: str) -> Clean:
        """The text without secrets, fit for a terminal and a database; never raises."""
        try:
            line = text.encode("utf-8", "surrogateescape")  # names of files may hold any bytes
        except UnicodeEncodeError:
            line = text.encode("utf-8", "surrogatepass")
        redacted = self._redactor.line(line)
        # A secret may end within a letter, of which the rest is then no text.
        return Clean(visible(text if redacted is line else redacted.decode("utf-8", "backslashreplace")))

    def table(self, rows: Iterable[Mapping[str, object]], kept: Collection[str]) -> Clean:
        """The rows as JSON, with every text in them clean but those of the fields that are to be `kept`."""
        found = [{key: value if key in kept else self._data(value) for key, value in row.items()} for row in rows]
        return Clean(json.dumps(found))

    def _data(self, value: object) -> object:
        match value:
            case str():
                return self.clean(value)
            case dict():
                return {self.clean(name): self._data(item) for name, item in value.items()}
            case list():
                return [self._data(item) for item in value]
            case _:
                return value


def _number(word: bytes) -> int:
    return memoryview(word).cast("Q")[0]


def _runs(line: bytes, form: bytes, start: int) -> Iterator[tuple[int, int]]:
    """Where the line has a run of the form around its word at `start`: begin and end."""
    word = form[start : start + _WORD]
    at = line.find(word)
    while at >= 0:
        begin, end = at, at + _WORD
        while begin > 0 and start - (at - begin) > 0 and line[begin - 1] == form[start - (at - begin) - 1]:
            begin -= 1
        while end < len(line) and start + end - at < len(form) and line[end] == form[start + end - at]:
            end += 1
        while end > begin and line[end - 1] == 0x5C:  # with half an escape, what follows would be read as another
            end -= 1
        if end - begin >= _SEEN:
            yield begin, end
        at = line.find(word, max(end, at + 1))


def _masked(line: bytes, spans: Iterable[tuple[int, int]]) -> Iterator[bytes]:
    done = 0
    for begin, end in spans:
        if begin < done:
            begin = done
        yield line[done:begin]
        yield _MASK
        done = end
    yield line[done:]


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
