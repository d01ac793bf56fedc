"""The story of an attempt as it is written: redacted into files, then into facts and events."""

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from ccs.blocks.steering import visible
from ccs.flows.claude.events import Answered, Event, Noise, Notice, events_of
from ccs.flows.claude.facts import Facts
from ccs.flows.claude.stream import Record
from ccs.flows.claude.transcript import MAX_STDERR, LineFile
from ccs.flows.processes.lines import LineFramer
from ccs.flows.processes.pump import Stream

MAX_NOISE = 50
"""Lines of noise that become events; all of them are in the files."""

_TAIL_LINE = 2000


class Story:
    """Takes in both streams of claude. Nothing leaves it unredacted."""

    def __init__(
        self, transcript: Path, redact: Callable[[bytes], bytes], on_event: Callable[[Event], None] | None
    ) -> None:
        self.facts = Facts()
        self.transcript = LineFile(transcript)
        self.stderr = LineFile(transcript.with_suffix(".stderr"), MAX_STDERR)
        self.on_event = on_event  # None when nobody listens any more
        self._redact = redact
        self._framers: dict[Stream, LineFramer] = {"stdout": LineFramer(), "stderr": LineFramer()}
        self._tail: deque[str] = deque(maxlen=20)
        self._noise = 0

    def push(self, name: Stream, data: bytes) -> None:
        """Take in bytes of a stream."""
        self._take(name, self._framers[name].push(data))

    def flush(self) -> None:
        """Take in what the streams ended with, if it was no whole line."""
        for name, framer in self._framers.items():
            self._take(name, framer.flush())

    def close(self) -> None:
        """Close the files."""
        self.transcript.close()
        self.stderr.close()

    @property
    def last_stderr(self) -> str:
        """The last line of the standard error output that says something."""
        return next((line for line in reversed(self._tail) if line.strip()), "")

    def _take(self, name: Stream, lines: list[bytes]) -> None:
        redacted = [self._redact(line) for line in lines]
        if name == "stderr":
            self.stderr.append(redacted)
            for line in redacted:
                self._tail.append(_text(line[:_TAIL_LINE]))
                self._make_noise(Noise(_text(line[:_TAIL_LINE]), "stderr"))
            return
        self.transcript.append(redacted)
        for line, safe in zip(lines, redacted, strict=True):
            if line.strip():
                self._observe(line, safe)

    def _observe(self, line: bytes, safe: bytes) -> None:
        """One line of the stream: verdicts must not depend on what redaction hides, nor texts show it."""
        self.facts.lines += 1
        record = Record.parse(line)
        if record is not None and safe != line:
            record = record.cleaned(self.clean)
        if record is None:
            self.facts.last_noise = _text(safe[:_TAIL_LINE])
            self._make_noise(Noise(self.facts.last_noise))
            return
        was_silent = not self.facts.replies
        self.facts.observe(record)
        if was_silent and self.facts.replies:
            self._emit(Answered(record.record("message").text("model")))
        for event in events_of(record):
            self._emit(event)

    def _make_noise(self, noise: Noise) -> None:
        self._noise += 1
        if self._noise <= MAX_NOISE:
            self._emit(noise)
        elif self._noise == MAX_NOISE + 1:
            self._emit(Notice("more lines of this kind follow; they are only in the files of the attempt"))

    def _emit(self, event: Event) -> None:
        texts: dict[str, Any] = {name: self.clean(text) for name, text in vars(event).items() if isinstance(text, str)}
        if self.on_event:
            self.on_event(replace(event, **texts))

    def clean(self, text: str) -> str:
        """The text without secrets, and with what steers a terminal written out."""
        return _text(self._redact(text.replace("\0", "").encode("utf-8", "replace")))


def _text(line: bytes) -> str:
    return visible(line.decode("utf-8", "replace").replace("\0", ""))
