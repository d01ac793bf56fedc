"""Runs `claude` and keeps a copy of what it prints: `copied_claude.py CLAUDE FOLDER ARGUMENT...`.

A byte is copied once it was passed on, so that the copy is what the driver must have on record. It ends as claude did.
"""

import contextlib
import os
import select
import signal
import sys
import time
from pathlib import Path

_TICK = 0.2


def main() -> None:
    claude, folder, *arguments = sys.argv[1:]
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(writer, 1)
        os.close(reader)
        os.close(writer)
        os.execv(claude, [claude, *arguments])  # noqa: S606 - no shell is the point
    os.close(writer)
    signal.signal(signal.SIGTERM, lambda number, _: os.kill(child, number))
    status = _copy(reader, child, _copy_of(Path(folder), arguments))
    if os.WIFSIGNALED(status):
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), os.WTERMSIG(status))
    os._exit(os.waitstatus_to_exitcode(status) & 255)


def _copy_of(folder: Path, arguments: list[str]) -> Path:
    """`RUN/SESSION-TIME`, where the session is the one whose transcript is written."""
    given = dict(argument.partition("=")[::2] for argument in arguments)
    session = given.get("--session-id") or given["--resume"]
    path = folder / os.environ["CCS_RUN_ID"] / f"{session[:8]}-{time.time_ns()}"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _copy(reader: int, child: int, path: Path) -> int:
    """Pass on what claude prints until its end; its wait status."""
    ended, status = 0, 0
    with path.open("wb", buffering=0) as copy, contextlib.suppress(BrokenPipeError):
        while True:
            if not ended:
                ended, status = os.waitpid(child, os.WNOHANG)
            if not select.select([reader], [], [], 0 if ended else _TICK)[0]:
                if ended:
                    return status
                continue
            data = os.read(reader, 1 << 20)
            if not data:
                break
            view = memoryview(data)
            while view:
                count = os.write(1, view)
                copy.write(view[:count])
                view = view[count:]
    return status if ended else os.waitpid(child, 0)[1]


if __name__ == "__main__":
    main()
