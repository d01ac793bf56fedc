"""Lines of what a process writes, cut out of its bytes as they come."""

MAX_LINE = 256 * 1024 * 1024
"""Bytes after which a text without a newline is handed on as it is; no real line comes near."""


class LineFramer:
    """Cuts a stream into lines, in time proportional to its size; one longer than `max_line` bytes comes in pieces.

    Only a newline byte ends a line: U+2028 and NEL occur inside JSON strings.
    """

    def __init__(self, max_line: int = MAX_LINE) -> None:
        self._parts: list[bytes] = []
        self._size = 0
        self._max_line = max_line
        self._is_cut = False

    def push(self, data: bytes) -> list[bytes]:
        """The lines, without their newline, that these bytes complete."""
        *ends, rest = data.split(b"\n")
        lines = []
        for end in ends:
            if end or self._parts or not self._is_cut:  # else the newline only ends what was given out already
                lines.append(b"".join([*self._parts, end]) if self._parts else end)
            self._parts, self._size, self._is_cut = [], 0, False
        if rest:
            self._parts.append(rest)
            self._size += len(rest)
            if self._size > self._max_line:
                lines += self.flush()
                self._is_cut = True
        return lines

    def flush(self) -> list[bytes]:
        """What is left at the end of the stream: a line without its newline, or nothing."""
        line = b"".join(self._parts)
        self._parts, self._size = [], 0
        return [line] if line else []
