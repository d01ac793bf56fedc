"""What the docs promise, typed as it says: `ccs up`, a job, runs from every side, `ccs down`, no process left."""

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from ccs.flows.node.processes import title
from tests.fakes.anthropic import FakeApi, marker
from tests.worlds.claude import bundled_claude
from tests.worlds.flow import limited
from tests.worlds.processes import parent, processes_with, until

pytestmark = [pytest.mark.server, pytest.mark.node, pytest.mark.claude]

BIN = Path(sys.executable).parent
ROOT = Path(__file__).parent.parent
KEY = "sk-ant-api03-EndToEnd9Kd8Xw2Pm5Ra7Lt4Vb6Qc1"
SECRET = 'a "secret" kept on the server, 7Hn3'


class Machine:
    """A machine of its own: a home, a repository, and what a user types there."""

    def __init__(self, home: Path, api: FakeApi) -> None:
        self.home, self.api = home, api
        self.app = home / "app"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = str(probe.getsockname()[1])
        inherited = {name: os.environ[name] for name in ("LANG", "TZ") if name in os.environ}
        self.env = inherited | {
            "HOME": str(home),
            "PATH": f"{BIN}:/usr/local/bin:/usr/bin:/bin",
            "CCS_CLAUDE": bundled_claude(),
            "ANTHROPIC_API_KEY": KEY,
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "TMPDIR": str(home),
        }

    def type(self, *command: str, cwd: Path | None = None, stdin: str = "", expect: int | None = 0) -> str:
        """Run a command; its standard output. `expect` is the exit code."""
        folder = cwd or self.app
        done = subprocess.run(
            command,
            env={**self.env, "PWD": str(folder)},
            cwd=folder,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert expect is None or done.returncode == expect, (
            f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        )
        return done.stdout

    def json(self, *command: str) -> Any:
        return json.loads(self.type(*command))


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    home = tmp_path_factory.mktemp("home")
    with FakeApi() as api:
        machine = Machine(home, api)
        subprocess.run(["git", "init", "-q", "-b", "main", str(machine.app)], check=True)
        try:
            machine.type("ccs", "up", "-d", "--port", machine.port)
            machine.type(
                *("ccs", "profiles", "create", "anthropic", "--env", "ANTHROPIC_API_KEY=env:ANTHROPIC_API_KEY"),
                *("--env", f"ANTHROPIC_BASE_URL={api.url}", "--env", "IS_SANDBOX=1", "--secret", "MORE"),
                stdin=SECRET + "\n",
            )
            yield machine
        finally:
            machine.type("ccs", "down", "--now", expect=None)
        until(lambda: not processes_with(f"HOME={home}"))


def test_the_first_job_works_as_the_readme_prints_it(machine: Machine) -> None:
    machine.type("ccs", "up", "-d")  # again: nothing to do
    machine.type(
        *("ccs", "jobs", "create", "--name", "nightly", "--working-directory", "~/app", "--profile", "anthropic"),
        *("--cron", "0 9 * * 1-5", "--timezone", "Europe/Amsterdam"),
    )
    for name in ("triage", "fix"):
        machine.type("ccs", "tasks", "create", "--job", "nightly", "--name", name, "--prompt", f"do {name}")
    first = machine.json("ccs", "jobs", "run", "nightly", "--wait")
    assert [(t["task"], t["verdict"]) for t in first["tasks"]] == [("triage", "ok"), ("fix", "ok")]
    assert len(machine.json("ccs", "jobs", "get", "nightly")["next"]) == 3
    said = machine.type("prefect", "deployment", "run", "job/nightly")
    run = re.search(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", said)
    assert run is not None
    log = machine.type("ccs", "runs", "logs", run[0], "-f")
    assert "Hello from fake" in log
    assert machine.json("ccs", "runs", "get", run[0][:8])["status"] == "Completed"
    assert {r["job"] for r in machine.json("ccs", "runs", "list")["runs"]} == {"nightly"}


def test_the_example_jobs_deploy_and_run(machine: Machine) -> None:
    machine.type("prefect", "deploy", "--all", cwd=ROOT)
    names = {job["name"] for job in machine.json("ccs", "jobs", "list")["jobs"]}
    assert {"example-review", "example-nightly"} <= names
    machine.type("ccs", "jobs", "update", "example-review", "--profile", "anthropic")
    assert machine.json("ccs", "jobs", "run", "example-review", "--wait")["status"] == "Completed"


def test_the_nights_work_of_the_documentation_is_done(machine: Machine, tmp_path: Path) -> None:
    files = {
        "greeting.py": "def greet(name):\n    return 'Hello'  # TODO: greet by name\n",
        "check.py": "from greeting import greet\n\nassert greet('Ann') == 'Hello Ann', 'not by name'\n",
        "Makefile": "test:\n\t@python3 -B check.py\n",
    }
    for name, text in files.items():
        (machine.app / name).write_text(text)
    machine.type("git", "add", ".")
    machine.type("git", "-c", "user.name=a", "-c", "user.email=a@localhost", "commit", "-qm", "a greeting")
    (text,) = re.findall(
        r"^```yaml\n(.*?)^```", (ROOT / "docs/jobs-and-tasks.md").read_text(), re.DOTALL | re.MULTILINE
    )
    (tmp_path / "prefect.yaml").write_text(text)
    machine.type("prefect", "deploy", "--all", cwd=tmp_path)
    file = str(machine.app / "trees/night/greeting.py")
    read = {"tool": "Read", "input": {"file_path": file}}

    def edit(old: str, new: str) -> dict[str, Any]:
        return {"tool": "Edit", "input": {"file_path": file, "old_string": old, "new_string": new}}

    machine.api.rules = [
        ["^Read the TODO comments", {"structured": {"todo": "greet by name", "why": "It is rude."}}],
        ["^Do this TODO, and write a test for it: greet by name", [read, edit("'Hello'", "name"), {"text": "Done."}]],
        [
            "(?s)^A check of your work has failed.*not by name",
            [edit("name  #", "'Hello ' + name  #"), {"text": "Mended."}],
        ],
        [
            "^The last commit does greet by name. It was chosen because It is rude.",
            [{"tool": "Bash", "input": {"command": "git show HEAD"}}, {"text": "I saw {{last}}"}],
        ],
    ]
    night = machine.json("ccs", "jobs", "run", "night", "--wait")
    found = [(t["task"], t["verdict"], t["attempts"], bool(t["commit"])) for t in night["tasks"]]
    assert found == [("triage", "ok", 1, False), ("fix", "ok", 2, True), ("review", "ok", 1, False)]
    assert "+    return 'Hello ' + name" in machine.type("git", "log", "-p", "main..night")
    assert "night/fix: Mended." in machine.type("ccs", "runs", "logs", night["id"])
    machine.type("git", "merge", "-q", "night")
    assert [t["name"] for t in machine.json("ccs", "worktrees", "list")["worktrees"]] == ["night"]


def test_cancelling_from_prefect_kills_everything_the_run_started(machine: Machine) -> None:
    mark = f"7{os.getpid()}.25"
    busy = {
        "tool": "Bash",
        "input": {
            "command": f"(setsid sleep {mark} &) ; nohup sleep {mark} & python3 -c 'import time; time.sleep({mark})'"
        },
    }
    machine.api.rules = [["stay busy", busy]]
    machine.type(
        "ccs", "jobs", "create", "--name", "busy", "--working-directory", str(machine.app), "--profile", "anthropic"
    )
    machine.type("ccs", "tasks", "create", "--job", "busy", "--name", "stay", "--prompt", "stay busy")
    run = machine.json("ccs", "jobs", "run", "busy")["id"]
    until(lambda: len(processes_with(mark)) >= 3)
    machine.type("prefect", "flow-run", "cancel", run)
    ended = until(lambda: [r for r in [machine.json("ccs", "runs", "get", run)] if r["status"] == "Cancelled"])[0]
    until(lambda: not processes_with(mark))
    assert [t["verdict"] for t in ended["tasks"]] == ["cancelled"]


@pytest.mark.parametrize(("victim", "status"), [("claude", "Failed"), ("guard", "Failed"), ("run", "Crashed")])
def test_nothing_survives_whatever_is_killed(machine: Machine, victim: str, status: str) -> None:
    mark = f"6{os.getpid()}.{['claude', 'guard', 'run'].index(victim)}5"
    hidden = f"(setsid sleep {mark} &) ; env -i setsid sleep {mark} & python3 -c 'import time; time.sleep({mark})'"
    machine.api.rules = [[f"outlive {victim}", {"tool": "Bash", "input": {"command": hidden}}]]
    job = f"outlive-{victim}"
    machine.type(
        "ccs", "jobs", "create", "--name", job, "--working-directory", str(machine.app), "--profile", "anthropic"
    )
    machine.type("ccs", "tasks", "create", "--job", job, "--name", "stay", "--prompt", f"outlive {victim}")
    run = machine.json("ccs", "jobs", "run", job)["id"]
    until(lambda: len([p for p in processes_with(mark) if title(p) == "sleep"]) == 2)
    (claude,) = [p for p in processes_with(f"CCS_RUN_ID={run}") if title(p) == "claude"]
    guard = parent(claude)
    os.kill({"claude": claude, "guard": guard, "run": parent(guard)}[victim], 9)
    until(lambda: machine.json("ccs", "runs", "get", run)["status"] == status)
    until(lambda: not processes_with(mark))
    (row,) = machine.json("ccs", "runs", "get", run)["tasks"]
    assert (row["attempts"], row["cost_is_partial"]) == (1, True)


def test_no_secret_is_anywhere_but_in_claudes_environment(machine: Machine) -> None:
    show = {"text": f"key {KEY}", "tool": "Bash", "input": {"command": "echo $ANTHROPIC_API_KEY; echo $MORE; ps auxww"}}
    machine.api.rules = [["leak", [show, {"text": f"it is {SECRET}; {{{{last}}}}"}]]]
    machine.type(
        "ccs", "jobs", "create", "--name", "leaky", "--working-directory", str(machine.app), "--profile", "anthropic"
    )
    machine.type("ccs", "tasks", "create", "--job", "leaky", "--name", "leak", "--prompt", "leak")
    ended = machine.json("ccs", "jobs", "run", "leaky", "--wait")
    assert ended["status"] == "Completed"
    assert any(KEY in r["headers"].values() for r in machine.api.requests)
    spellings = [form.encode() for secret in (KEY, SECRET) for form in (secret, json.dumps(secret)[1:-1])]
    for folder in (machine.home / ".prefect", machine.home / ".ccs"):
        for path in (p for p in folder.rglob("*") if p.is_file()):
            with suppress(FileNotFoundError):  # the server makes files and takes them away
                data = path.read_bytes()
                assert not [s for s in spellings if s in data], path
    shown = machine.type("ccs", "profiles", "get", "anthropic") + machine.type("ccs", "runs", "logs", ended["id"])
    assert not [s for s in spellings if s.decode() in shown]


def test_a_run_that_waits_for_a_usage_limit_goes_on_when_it_is_lifted(machine: Machine) -> None:
    machine.type(
        *("ccs", "profiles", "create", "plan", "--env", f"ANTHROPIC_BASE_URL={machine.api.url}"),
        *("--env", "IS_SANDBOX=1", "--secret", "CLAUDE_CODE_OAUTH_TOKEN"),
        stdin=SECRET + "\n",
    )
    machine.type("ccs", "jobs", "create", "--name", "limited", "--profile", "plan")
    prompt = f"do it {marker(limited(), {'text': 'and on'})}"
    machine.type("ccs", "tasks", "create", "--job", "limited", "--name", "one", "--prompt", prompt)
    run = machine.json("ccs", "jobs", "run", "limited")["id"]
    until(lambda: machine.json("ccs", "runs", "get", run)["status"] == "AwaitingRetry")
    told = machine.json("ccs", "explain", run)["findings"]
    (step,) = [f["do"].partition("already: ")[2] for f in told if f["id"] == "limit"]
    assert machine.json(*step.split())["lifted"]
    assert "and on" in machine.type("ccs", "runs", "logs", run, "-f")
    assert machine.json("ccs", "runs", "get", run)["status"] == "Completed"
