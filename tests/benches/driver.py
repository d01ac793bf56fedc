"""What the driver adds to a bare `claude -p`, in CPU and wall time, against the same scripted API; prints ratios."""

import resource
import statistics
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from ccs.flows.claude.argv import build_argv
from ccs.flows.claude.attempt import run_attempt
from ccs.flows.claude.executable import Executable
from ccs.flows.claude.request import Request
from ccs.flows.processes.environment import child_environment
from ccs.flows.processes.stop import Stop
from tests.fakes.anthropic import FakeApi
from tests.worlds.claude import KEY, PATH, bundled_claude

REPEATS = 25


def cost(work: Callable[[], object]) -> tuple[float, float]:
    """CPU seconds of this process and its children, and wall seconds."""
    before = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    began = time.perf_counter()
    work()
    wall = time.perf_counter() - began
    after = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    cpu = sum(a.ru_utime + a.ru_stime - b.ru_utime - b.ru_stime for a, b in zip(after, before, strict=True))
    return cpu, wall


def main() -> None:
    executable = Executable(Path(bundled_claude()))
    with FakeApi() as api, tempfile.TemporaryDirectory() as folder:
        node = {"HOME": folder, "PATH": PATH, "TMPDIR": folder}
        profile = {"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": api.url}

        def request() -> Request:
            return Request(
                prompt="say hello",
                cwd=Path(folder),
                environment=child_environment(node, profile, (), {}),
                session_id=str(uuid.uuid4()),
                transcript=Path(folder) / "transcript.jsonl",
                permission_mode="default",
            )

        def bare() -> None:
            asked = request()
            command = build_argv(executable, asked)
            subprocess.run(command, input=b"say hello", env=dict(asked.environment), cwd=folder, check=True, stdout=-3)

        def driven() -> None:
            report = run_attempt(executable, request(), redact=bytes, on_event=lambda event: None, stop=Stop())
            assert report.verdict.ok, report.verdict

        bare()
        driven()
        pairs = [(cost(bare), cost(driven)) for _ in range(REPEATS)]
    for kind, name in ((0, "CPU"), (1, "wall")):
        alone = statistics.median(b[kind] for b, _ in pairs)
        ours = statistics.median(d[kind] for _, d in pairs)
        added = statistics.median(d[kind] / b[kind] - 1 for b, d in pairs)
        print(f"{name:5} bare claude -p {alone * 1000:.0f} ms, through the driver {ours * 1000:.0f} ms: {added:+.1%}")


if __name__ == "__main__":
    main()
