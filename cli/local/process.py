"""Processes that outlive the command that started them: known by pid and start time, never by name."""

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ccs.cli.errors import ServerError
from ccs.flows.node.files import private_folder, write_whole
from ccs.flows.node.processes import birth


@dataclass
class Process:
    """A process with a file that remembers it; `facts` is what its starter wants to know about it later."""

    file: Path
    pid: int = 0
    born: str = ""
    facts: dict[str, str] = field(default_factory=dict)

    @classmethod
    def load(cls, file: Path) -> "Process":
        """The process that a file remembers; one that is not alive when there is none, or it cannot be read."""
        try:
            stored = json.loads(file.read_text(encoding="utf-8"))
            return cls(file, int(stored["pid"]), str(stored["born"]), dict(stored["facts"]))
        except (OSError, ValueError, KeyError, TypeError):
            return cls(file)

    @property
    def log(self) -> Path:
        """Where the process writes what it has to say."""
        return self.file.with_suffix(".log")

    @property
    def alive(self) -> bool:
        """Whether this very process runs: the same pid, and born at the same time."""
        if not self.pid:
            return False
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, os.WNOHANG)
        return birth(self.pid) == self.born

    def start(self, command: Sequence[str], env: Mapping[str, str], facts: Mapping[str, str]) -> None:
        """Start it in a session of its own, and remember it.

        It works in its own folder: Python takes modules, and Prefect settings, from the one that a user is in.
        """
        private_folder(self.file.parent)
        with self.log.open("ab") as log:
            child = subprocess.Popen(
                command,
                env=dict(env),
                cwd=self.file.parent,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.pid, self.facts = child.pid, dict(facts)
        child.returncode = 0  # it is not waited for: it outlives this process
        self.born = birth(self.pid) or ""
        self._save()

    def stopped(self) -> None:
        """Forget the pid and keep the facts."""
        self.pid, self.born = 0, ""
        self._save()

    def signal(self, number: int) -> None:
        """Send a signal, if it is alive."""
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """End it and its process group at once, if it is alive."""
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)

    def wait(self, seconds: float) -> bool:
        """Whether it is gone within so many seconds."""
        until = time.monotonic() + seconds
        while self.alive:
            if time.monotonic() > until:
                return False
            time.sleep(0.1)
        return True

    def log_size(self) -> int:
        """Bytes in the log so far."""
        return self.log.stat().st_size if self.log.exists() else 0

    def failed(self, what: str) -> ServerError:
        """The error that it ended, or does not answer, with the end of its log."""
        text = self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""
        tail = "\n".join(f"     | {line}" for line in text.splitlines()[-8:])
        return ServerError(f"{what}; the end of {self.log}:\n{tail}", "try again, or read the whole log")

    def _save(self) -> None:
        stored = {k: v for k, v in asdict(self).items() if k != "file"}
        write_whole(self.file, json.dumps(stored))
