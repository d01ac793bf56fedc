"""What the tests of the driver share: the real executable, stubs of it, requests, and counting processes."""

import os
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from ccs.flows.claude.attempt import run_attempt
from ccs.flows.claude.events import Event
from ccs.flows.claude.executable import Executable
from ccs.flows.claude.report import Report
from ccs.flows.claude.request import Request
from ccs.flows.processes.environment import child_environment
from ccs.flows.processes.stop import Stop
from tests.fakes.anthropic import FakeApi

PATH = "/usr/local/bin:/usr/bin:/bin"
KEY = "sk-ant-made-up-0123456789"
PATIENCE = (2, 10, 60)
"""Seconds that a test gives claude before it is stopped: the next ones when it did not come far enough."""


def bundled_claude() -> str:
    """The path of the real executable, which comes with a development dependency."""
    spec = find_spec("claude_agent_sdk")
    assert spec is not None and spec.origin is not None, "claude-agent-sdk is not installed: run make install"
    path = Path(spec.origin).parent / "_bundled" / "claude"
    assert path.exists(), f"{path} is missing: this build of claude-agent-sdk bundles no executable"
    return str(path)


def stub(folder: Path, script: str, name: str = "claude") -> Executable:
    """An executable made of a script: Python, unless it begins with a line of its own that says otherwise."""
    path = folder / name
    path.write_text(script if script.startswith("#!") else "#!/usr/bin/env python3\n" + script)
    path.chmod(0o755)
    return Executable(path)


@dataclass
class Bench:
    """Runs attempts in a folder of their own and keeps what they told."""

    folder: Path
    url: str
    executable: Executable = field(default_factory=lambda: Executable(Path(bundled_claude())))
    events: list[Event] = field(default_factory=list)
    stop: Stop = field(default_factory=Stop)

    def __post_init__(self) -> None:
        self.cwd.mkdir(parents=True, exist_ok=True)
        self.home.mkdir(exist_ok=True)

    @property
    def cwd(self) -> Path:
        """The working directory of the attempts."""
        return self.folder / "project"

    @property
    def home(self) -> Path:
        """The home of the attempts."""
        return self.folder / "home"

    @property
    def transcript(self) -> Path:
        """Where the attempts write."""
        return self.folder / "transcripts" / "one.ndjson"

    def environment(self, **values: str) -> dict[str, str]:
        """The environment of an attempt that talks to the fake API, with short retries."""
        profile = {"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": self.url, "CLAUDE_CODE_MAX_RETRIES": "0"}
        node = {"HOME": str(self.home), "PATH": os.environ.get("PATH", PATH), "TMPDIR": str(self.folder)}
        return child_environment(node, {**profile, "IS_SANDBOX": "1", **values}, (), {})

    def request(self, prompt: str, **fields: Any) -> Request:
        """A request with the settings that matter to a test, the rest as a task has them."""
        fields = {
            "cwd": self.cwd,
            "environment": self.environment(**fields.pop("values", {})),
            "session_id": str(uuid.uuid4()),
            "transcript": self.transcript,
            **fields,
        }
        return Request(prompt=prompt, **fields)

    def run_until(self, prompt: str, requests: int, seen: Sequence[object], **fields: Any) -> Report:
        """Run an attempt that is stopped as soon as the API has seen so many requests."""

        def watch() -> None:
            while len(seen) < requests and not self.stop.reason:
                time.sleep(0.02)
            self.stop.request("timeout")

        Thread(target=watch, daemon=True).start()
        report = self.run(prompt, **fields)
        self.stop = Stop()
        return report

    def run(
        self,
        prompt: str,
        *,
        redact: Callable[[bytes], bytes] = lambda line: line,
        on_event: Callable[[Event], None] | None = None,
        linger: float = 120,
        **fields: Any,
    ) -> Report:
        """Run one attempt to its end."""
        return run_attempt(
            self.executable,
            self.request(prompt, **fields),
            redact=redact,
            on_event=on_event or self.events.append,
            stop=self.stop,
            linger=linger,
        )


def line(kind: str, **fields: Any) -> dict[str, Any]:
    """A record of the stream."""
    return {"type": kind, **fields}


INIT = line("system", subtype="init", session_id="s", model="m", claude_code_version="9.9", slash_commands=["review"])
SAID = line("assistant", message={"id": "m1", "model": "m", "content": [{"type": "text", "text": "hello"}]})
RESULT = line(
    "result", subtype="success", is_error=False, num_turns=1, result="hello", total_cost_usd=0.5, permission_denials=[]
)


def printing(records: Sequence[object], then: str = "") -> str:
    """A stub's script that prints records, one in a line, and then does something else."""
    lines = "".join(f"print(json.dumps({record!r}), flush=True)\n" for record in records)
    return f"import json, os, signal, sys, time\n{lines}{then}\n"


@pytest.fixture(scope="module")
def api() -> Iterator[FakeApi]:
    """The scripted API of a module of tests."""
    with FakeApi() as fake:
        yield fake


@pytest.fixture
def bench(tmp_path: Path, api: FakeApi) -> Bench:
    """A directory and a home for attempts against it."""
    return Bench(tmp_path, api.url)
