"""The files of an attempt: the raw stream, redacted, on disk before anything else looks at it."""

import os
from pathlib import Path

from ccs.flows.node.files import PRIVATE, make_durable, private_folder

MAX_STDERR = 16 * 1024 * 1024
"""Bytes of standard error output that are kept."""


class LineFile:
    """Appends lines to a file of its own. A failure to write is remembered and never raised.

    The file is made at its first line, readable by its owner only.
    """

    def __init__(self, path: Path, limit: int | None = None) -> None:
        self.path = path
        self.problem: str | None = None
        self._left = limit
        self._descriptor: int | None = None
        self._lines = 0

    @property
    def exists(self) -> bool:
        """Whether a line was written."""
        return self._lines > 0

    def append(self, lines: list[bytes]) -> None:
        """Write lines, given without their newline, and hand them to the system at once."""
        if self.problem or not lines or (self._left is not None and self._left <= 0):
            return
        data = b"\n".join(lines) + b"\n"
        if self._left is not None:
            self._left -= len(data)
        try:
            if self._descriptor is None:
                private_folder(self.path.parent)
                flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
                self._descriptor = os.open(self.path, flags, PRIVATE)
            view = memoryview(data)
            while view:
                view = view[os.write(self._descriptor, view) :]
        except OSError as error:
            self.problem = f"{self.path} could not be written after line {self._lines}: {error.strerror}"
        else:
            self._lines += len(lines)

    def close(self) -> None:
        """Make the file durable and close it."""
        if self._descriptor is None:
            return
        descriptor, self._descriptor = self._descriptor, None
        try:
            make_durable(descriptor)
        except OSError as error:
            self.problem = self.problem or f"{self.path} could not be made durable: {error.strerror}"
        finally:
            os.close(descriptor)
