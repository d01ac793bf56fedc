"""What works in front of a person: `runs watch`, `jobs edit`, and `ccs run`."""

import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path
from uuid import uuid4

import pytest

from ccs.cli.commands import editor
from ccs.cli.errors import RequestError
from tests.worlds.cli import CCS, Cli
from tests.worlds.runs import ended, newest, state

EDITOR = "import sys, pathlib; p = pathlib.Path(sys.argv[1]); p.write_text(p.read_text().replace({!r}, {!r}))"
HEAD = "name: a\nworking_directory: {path: /x}\ntasks:\n"


@pytest.fixture(scope="module")
def cli(server_url: str, tmp_path_factory: pytest.TempPathFactory) -> Cli:
    kept = str(tmp_path_factory.mktemp("kept"))
    return Cli({"PREFECT_API_URL": server_url, "TMPDIR": kept}).provisioned()


@pytest.fixture
def job(cli: Cli) -> str:
    return cli.job(prompt="first line")


@pytest.fixture
def replacing(tmp_path: Path) -> "Replacing":
    return Replacing(tmp_path)


class Replacing:
    """An editor that replaces a text by another."""

    def __init__(self, folder: Path) -> None:
        self._script = folder / "edit.py"

    def __call__(self, old: str, new: str) -> str:
        self._script.write_text(EDITOR.format(old, new))
        return f"{sys.executable} {self._script}"


def test_a_pipe_gets_a_line_for_each_change_of_a_run(cli: Cli, job: str) -> None:
    run = cli.ok("jobs", "run", job).json["id"]
    watching = cli.start("runs", "watch", "--job", job, "--every", "0.2")
    assert watching.stdout
    first = json.loads(watching.stdout.readline())
    state(cli, run, "RUNNING")
    second = json.loads(watching.stdout.readline())
    watching.send_signal(signal.SIGINT)
    _, err = watching.communicate(timeout=120)
    assert (first["id"], first["status"], second["status"]) == (run, "Scheduled", "Running")
    assert (watching.returncode, err) == (0, "")
    state(cli, run, "CANCELLED")


@pytest.mark.parametrize("every", ["nan", "1e999"])
def test_seconds_that_are_no_number_are_waited_for_all_the_same(cli: Cli, job: str, every: str) -> None:
    run = cli.ok("jobs", "run", job).json["id"]
    watching = cli.start("runs", "watch", "--job", job, "--every", every)
    assert watching.stdout
    assert json.loads(watching.stdout.readline())["id"] == run
    watching.send_signal(signal.SIGINT)
    _, err = watching.communicate(timeout=120)
    assert (watching.returncode, err) == (0, "")
    state(cli, run, "CANCELLED")


def test_watching_without_a_server_ends_at_once(cli: Cli) -> None:
    assert cli("runs", "watch", PREFECT_API_URL="http://127.0.0.1:9/api").code == 3


def test_a_terminal_gets_a_table_that_is_drawn_again(cli: Cli, job: str) -> None:
    run = cli.ok("jobs", "run", job).json
    leader, follower = pty.openpty()
    env = {**os.environ, **cli.env, "COLUMNS": "100", "LINES": "20", "NO_COLOR": "1"}
    command = [CCS, "runs", "watch", "--job", job, "--every", "0.2"]
    child = subprocess.Popen(command, stdin=follower, stdout=follower, stderr=follower, env=env, start_new_session=True)
    os.close(follower)
    seen = until(leader, "Scheduled")
    state(cli, run["id"], "RUNNING")
    seen += until(leader, "Running")
    child.send_signal(signal.SIGINT)
    seen += until(leader, "\x1b[?1049l")
    assert child.wait(120) == 0
    os.close(leader)
    assert run["name"] in seen
    assert "(Ctrl-C ends)" in seen
    state(cli, run["id"], "CANCELLED")


def until(leader: int, text: str) -> str:
    """What a terminal shows up to this text."""
    seen, end = "", time.monotonic() + 120
    while text not in seen:
        assert time.monotonic() < end, seen
        seen += os.read(leader, 65536).decode()
    return seen


def test_a_job_is_changed_in_an_editor_and_the_difference_shown(cli: Cli, job: str, replacing: Replacing) -> None:
    said = cli.process("jobs", "edit", job, EDITOR=replacing("prompt: first line", "prompt: |\n    two\n    lines"))
    assert said.code == 0, said
    assert said.json["tasks"][0]["prompt"] == "two\nlines\n"
    assert "-  prompt: first line" in said.err
    assert "+    two" in said.err


def test_an_edit_without_a_change_changes_nothing(cli: Cli, job: str) -> None:
    before = cli.ok("jobs", "get", job).json["updated"]
    said = cli.process("jobs", "edit", job, EDITOR="true")
    assert (said.code, said.err) == (0, "nothing was changed\n")
    assert cli.ok("jobs", "get", job).json["updated"] == before


def test_mistakes_are_told_with_their_lines_and_the_text_is_kept(cli: Cli, job: str, replacing: Replacing) -> None:
    said = cli.process("jobs", "edit", job, EDITOR=replacing("model: sonnet", "model: sonnet\n  colour: red"))
    kept = Path(said.err.rpartition("kept in ")[2].strip())
    number = 1 + kept.read_text().splitlines().index("  colour: red")
    assert said.code == 1
    assert f"line {number}: task 'one', colour: extra inputs are not permitted" in said.err
    assert "Traceback" not in said.err


def test_an_emptied_file_changes_nothing(cli: Cli, job: str, tmp_path: Path) -> None:
    script = tmp_path / "empty.sh"
    script.write_text(': > "$1"\n')
    said = cli.process("jobs", "edit", job, EDITOR=f"sh {script}")
    assert (said.code, said.err) == (0, "nothing was changed\n")


def test_an_editor_that_fails_or_is_missing_changes_nothing(cli: Cli, job: str) -> None:
    assert "ended with code 1; nothing was changed" in cli.process("jobs", "edit", job, EDITOR="false").err
    for named in ("/no/such/editor", "vi 'unclosed"):
        said = cli.process("jobs", "edit", job, EDITOR=named)
        assert (said.code, f"the editor {named} cannot be started" in said.err) == (1, True), said
    said = cli.process("jobs", "edit", job, EDITOR="", VISUAL="")
    assert (said.code, "there is no terminal to edit in" in said.err) == (1, True)


@pytest.mark.parametrize("script", ["rm $1", "printf '\\351' > $1"])
def test_a_text_that_cannot_be_read_back_changes_nothing(cli: Cli, job: str, tmp_path: Path, script: str) -> None:
    (tmp_path / "edit.sh").write_text(script)
    said = cli.process("jobs", "edit", job, EDITOR=f"sh {tmp_path / 'edit.sh'}")
    assert (said.code, "cannot be read after the editor" in said.err) == (1, True), said


def test_a_change_by_somebody_else_is_not_overwritten(cli: Cli, job: str, tmp_path: Path) -> None:
    script = tmp_path / "edit.sh"
    script.write_text(f'"{CCS}" tasks disable {job}/one >/dev/null\nsed -i "s/first line/second line/" "$1"\n')
    said = cli.process("jobs", "edit", job, EDITOR=f"sh {script}")
    assert said.code == 1
    assert "somebody else" in said.err
    assert cli.ok("jobs", "get", job).json["tasks"][0]["prompt"] == "first line"
    kept = Path(said.err.rpartition("your text is kept in ")[2].strip())
    assert "second line" in kept.read_text()
    kept.unlink()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name: [", "line 1"),
        ("- a", "line 1: the spec of a job is a mapping"),
        ("name: a\nworking_directory:\n  path: relative\n", "line 2: working_directory"),
        ("name: a\n", "working_directory: field required"),
        (HEAD + "- name: t\n  prompt: x\n- name: t\n  prompt: y\n", "line 1: two tasks"),
        (HEAD + "- name: t\n  prompt: x\n  max_turns: 0\n", "line 6: task 't'"),
        ("name: \x07", "not YAML"),
    ],
)  # fmt: skip
def test_a_text_that_is_no_job_is_refused_with_the_line(text: str, says: str) -> None:
    with pytest.raises(RequestError) as refused:
        editor.parsed(text)
    assert says in str(refused.value)


def test_a_prompt_is_run_once_and_leaves_a_run_but_no_job(cli: Cli, tmp_path: Path) -> None:
    prompt = f"hello {uuid4().hex}"
    running = cli.start("run", prompt, "-C", str(tmp_path), "--permissions", "plan", "--model", "haiku")
    job = job_with(cli, prompt)
    run = newest(cli, job)
    spec = cli.ask("GET", f"/flow_runs/{run}").json()["parameters"]["job"]
    state(cli, run, "RUNNING")
    ended(cli, run, "FAILED", verdict="usage_limit")
    out, err = running.communicate(timeout=120)
    assert running.returncode == 75, err
    assert json.loads(out)["id"] == run
    assert (spec["tasks"][0]["permissions"], spec["tasks"][0]["model"]) == ("plan", "haiku")
    assert spec["working_directory"]["path"] == str(tmp_path)
    assert cli("jobs", "get", job).code == 1
    assert cli.ok("runs", "get", run).json["tasks"][0]["verdict"] == "usage_limit"


def job_with(ccs: Cli, prompt: str) -> str:
    """The name of the job that was made for a prompt."""
    end = time.monotonic() + 120
    while time.monotonic() < end:
        rows = ccs.ok("tasks", "list").json["tasks"]
        if found := [t["job"] for t in rows if t.get("prompt") == prompt]:
            return str(found[0])
        time.sleep(0.1)
    raise AssertionError("the job was not created")


def test_a_prompt_can_be_kept_as_a_job(cli: Cli) -> None:
    name = f"kept-{uuid4().hex[:8]}"
    running = cli.start("run", "hello", "--keep", name)
    run = newest(cli, name)
    state(cli, run, "RUNNING")
    ended(cli, run, "COMPLETED")
    running.communicate(timeout=120)
    assert running.returncode == 0
    assert cli.ok("jobs", "get", name).json["tasks"][0]["prompt"] == "hello"


def test_a_prompt_that_no_node_takes_is_taken_back(cli: Cli) -> None:
    pool = f"pool-{uuid4().hex[:8]}"
    cli.ask("POST", "/work_pools/", {"name": pool, "type": "process"})
    prompt = f"nobody {uuid4().hex}"
    said = cli.process("run", prompt, "--pool", pool)
    assert said.code == 1
    assert f"no node of work pool '{pool}' is alive" in said.err
    assert "was taken back" in said.err
    assert prompt not in json.dumps(cli.ok("tasks", "list").json)


def test_an_interrupted_prompt_goes_on_and_says_so(cli: Cli) -> None:
    prompt = f"interrupted {uuid4().hex}"
    running = cli.start("run", prompt)
    job = job_with(cli, prompt)
    run = newest(cli, job)
    state(cli, run, "RUNNING")
    body = [{"name": "x", "level": 20, "message": "begun", "timestamp": "2026-01-01T00:00:00Z", "flow_run_id": run}]
    cli.ask("POST", "/logs/", body)
    assert running.stderr
    while "begun" not in running.stderr.readline():
        assert running.poll() is None
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=120)
    assert running.returncode == 130
    assert f"ccs runs stop {run}" in err
    assert f"ccs jobs delete {job}" in err
    state(cli, run, "CANCELLED")
