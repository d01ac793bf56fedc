"""`ccs up` and `ccs down` with real processes: everything comes up, is found again, and goes away."""

import json
import os
import signal
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from ccs.cli.local.process import Process
from tests.worlds.cli import Cli
from tests.worlds.server import clean_environment, free_port


@pytest.fixture
def cli(tmp_path: Path) -> Iterator[Cli]:
    proxy = {"http_proxy": "http://127.0.0.1:9", "no_proxy": "intranet"}  # as in a company; it is not for this machine
    env = {**clean_environment(tmp_path), "CCS_HOME": str(tmp_path / "ccs"), "PREFECT_API_URL": "", **proxy}
    cli = Cli(env)
    yield cli
    cli.process("down", "--now")


def state(ccs: Cli, name: str) -> Process:
    return Process.load(Path(ccs.env["CCS_HOME"]) / name)


@pytest.mark.node
def test_up_starts_everything_twice_is_once_and_down_leaves_nothing(cli: Cli) -> None:
    port = str(free_port())
    first = cli.process("up", "-d", "--port", port, "--name", "here", "--limit", "2", timeout=300)
    assert first.code == 0, first
    assert f"ready. UI: http://127.0.0.1:{port}" in first.err
    assert json.loads(first.out)["name"] == "here"
    profiles = tomllib.loads((Path(cli.env["PREFECT_HOME"]) / "profiles.toml").read_text())
    assert profiles["profiles"][profiles["active"]]["PREFECT_API_URL"] == f"http://127.0.0.1:{port}/api"

    status = json.loads(cli.process("status").out)
    assert (status["pool"]["exists"], status["profile_type"]) == (True, True)
    assert [n["name"] for n in status["nodes"]] == ["here"]
    assert cli.process("health").code == 0
    assert cli.process("nodes", "list", "--output", "table").out.split()[4] == "here"

    server, node = state(cli, "server.json"), state(cli, "node-here.json")
    second = cli.process("up", "-d", "--name", "here")
    assert second.code == 0, second
    assert second.err.count("runs already") == 2
    assert (state(cli, "server.json").pid, state(cli, "node-here.json").pid) == (server.pid, node.pid)

    down = cli.process("down")
    assert down.code == 0, down
    assert not server.alive
    assert not node.alive
    assert "nothing to stop" in cli.process("down").err
    unreachable = cli.process("jobs", "list")
    assert (unreachable.code, "ccs up -d" in unreachable.err) == (3, True)

    again = cli.process("up", "-d", timeout=300)  # the same address as before, from the profile
    assert f"http://127.0.0.1:{port}" in again.err


@pytest.fixture
def trap(tmp_path: Path) -> tuple[Path, Path]:
    """A folder full of code that hides modules and settings of Prefect, and the file that it writes when it runs."""
    folder, proof = tmp_path / "checkout", tmp_path / "pwned"
    folder.mkdir()
    for name in {*sys.stdlib_module_names, *packages_distributions()} - {"__main__"}:
        (folder / f"{name}.py").write_text(f"open({str(proof)!r}, 'a').write(__name__ + '\\n')\n")
    handler = {"class": "logging.FileHandler", "filename": str(proof)}
    logging = {"version": 1, "handlers": {"trap": handler}, "root": {"handlers": ["trap"]}}
    (folder / "logging.yml").write_text(json.dumps(logging))
    setting = "logging.config_path = 'logging.yml'\n"
    (folder / "prefect.toml").write_text(setting)
    (folder / "pyproject.toml").write_text(f"[tool.prefect]\n{setting}")
    (folder / ".env").write_text("PREFECT_LOGGING_CONFIG_PATH=logging.yml\n")
    return folder, proof


@pytest.mark.node
def test_nothing_takes_code_or_settings_from_the_folder_that_ccs_is_called_in(
    cli: Cli, trap: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, proof = trap
    monkeypatch.chdir(folder)
    up = cli.process("up", "-d", "--port", str(free_port()), "--name", "here", timeout=300)
    assert up.code == 0, up
    for words in (["--help"], ["jobs", "list"], ["doctor"], ["status"], ["worktrees", "list", "."], ["debug", "env"]):
        cli.process(*words)
    assert cli.process("down", "--now").code == 0
    assert not proof.exists(), proof.read_text()


@pytest.mark.node
@pytest.mark.skipif(os.geteuid() != 0, reason="only root sees the environment of a node")
def test_a_home_that_is_relative_is_the_same_for_node_and_command_line(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server_url: str
) -> None:
    monkeypatch.chdir(tmp_path)
    up = cli.process("up", "-d", "--name", "near", PREFECT_API_URL=server_url, CCS_HOME="near", timeout=300)
    assert up.code == 0, up
    node = Process.load(tmp_path / "near" / "node-near.json")
    environment = Path(f"/proc/{node.pid}/environ").read_bytes().split(b"\0")
    assert f"CCS_HOME={tmp_path / 'near'}".encode() in environment
    assert cli.process("down", "--now", PREFECT_API_URL=server_url, CCS_HOME="near").code == 0


@pytest.mark.node
def test_in_the_foreground_an_interrupt_brings_everything_down(cli: Cli) -> None:
    child = cli.start("up", "--port", str(free_port()), "--name", "fore")
    assert child.stderr
    said = ""
    while "Ctrl-C stops it" not in said:
        line = child.stderr.readline()
        assert line, said
        said += line
    server, node = state(cli, "server.json"), state(cli, "node-fore.json")
    assert server.alive
    assert node.alive
    child.send_signal(signal.SIGINT)
    _, rest = child.communicate(timeout=120)
    assert child.returncode == 0, rest
    assert "node: fore is stopped" in rest
    assert not server.alive
    assert not node.alive


@pytest.mark.node
def test_where_a_server_is_configured_only_a_node_is_started(cli: Cli, server_url: str) -> None:
    up = cli.process("up", "-d", "--name", "guest", PREFECT_API_URL=server_url, timeout=300)
    assert up.code == 0, up
    assert not state(cli, "server.json").alive
    assert state(cli, "node-guest.json").alive
    assert not (Path(cli.env["PREFECT_HOME"]) / "profiles.toml").exists()
    refused = cli.process("up", "-d", "--port", "4321", PREFECT_API_URL=server_url)
    assert (refused.code, "--port" in refused.err) == (1, True)
    assert cli.process("down", PREFECT_API_URL=server_url).code == 0


@pytest.mark.node
@pytest.mark.parametrize("name", ["a/b", "50%", "x" * 300, " "])
def test_a_name_that_no_node_can_have_is_refused(cli: Cli, server_url: str, name: str) -> None:
    said = cli.process("up", "-d", "--name", name, PREFECT_API_URL=server_url)
    assert (said.code, "is not a name for a node" in said.err) == (1, True), said


@pytest.mark.node
def test_a_home_that_cannot_be_used_is_one_sentence(cli: Cli) -> None:
    said = cli.process("up", "-d", CCS_HOME="/dev/null")
    assert (said.code, "/dev/null cannot be used" in said.err) == (1, True), said


@pytest.mark.node
def test_a_configured_server_that_is_down_is_not_replaced(cli: Cli) -> None:
    said = cli.process("up", "-d", PREFECT_API_URL=f"http://127.0.0.1:{free_port()}/api")
    assert said.code == 3
    assert not state(cli, "server.json").alive


@pytest.mark.node
def test_a_claude_that_is_no_program_is_refused(cli: Cli, server_url: str, tmp_path: Path) -> None:
    (tmp_path / "claude").write_text("no program")
    said = cli.process("up", "-d", "--claude", str(tmp_path / "claude"), PREFECT_API_URL=server_url)
    assert (said.code, "not an executable file" in said.err) == (1, True)


@pytest.fixture
def sleeper() -> Iterator["subprocess.Popen[bytes]"]:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    yield child
    child.kill()
    child.wait()


def test_another_process_with_the_pid_of_ours_is_left_alone(
    cli: Cli, tmp_path: Path, sleeper: "subprocess.Popen[bytes]"
) -> None:
    home = Path(cli.env["CCS_HOME"])
    home.mkdir(exist_ok=True)
    stale = {"pid": sleeper.pid, "born": "1", "facts": {"url": "http://127.0.0.1:4200/api", "name": "old"}}
    for name in ("server.json", "node-old.json"):
        (home / name).write_text(json.dumps(stale))
    assert "nothing to stop" in cli.process("down", "--now").err
    assert sleeper.poll() is None


def test_a_process_is_known_by_its_birth_and_gone_when_it_ends(tmp_path: Path) -> None:
    process = Process(tmp_path / "p.json")
    process.start([sys.executable, "-c", "print('hello', flush=True); import time; time.sleep(600)"], os.environ, {})
    again = Process.load(tmp_path / "p.json")
    assert again.alive
    again.signal(signal.SIGTERM)
    assert again.wait(120)
    assert not process.alive


@pytest.mark.parametrize("content", ["", "{}", "not json", '{"pid": "x"}', "[]"])
def test_a_broken_process_file_is_no_process(tmp_path: Path, content: str) -> None:
    (tmp_path / "p.json").write_text(content)
    assert not Process.load(tmp_path / "p.json").alive
