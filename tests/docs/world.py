"""Where the commands of the pages run: a machine with a server, a node, a repository, and a shell on a terminal."""

import fcntl
import json
import os
import pty
import re
import select
import shutil
import socket
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path
from uuid import uuid4

from tests.fakes.anthropic import FakeApi
from tests.worlds.claude import bundled_claude
from tests.worlds.git import a_repository
from tests.worlds.server import clear, client, free_port

BIN = Path(sys.executable).parent
PATIENCE = 300.0
COLUMNS = 120
APP = {
    "greeting.py": "def greet(name):\n    return 'Hello'  # TODO: greet by name\n",
    "check.py": "from greeting import greet\n\nassert greet('Ann') == 'Hello Ann', 'not by name'\n",
    "Makefile": "test:\n\t@python3 -B check.py\n",
}
FILE = "~/app/greeting.py"
EDIT = {"file_path": FILE, "old_string": "'Hello'  # TODO: greet by name", "new_string": "'Hello ' + name"}
RULES = [  # what the scripted API answers, unless a page says otherwise
    [
        "^Do the",
        [
            {"tool": "Read", "input": {"file_path": FILE}},
            {"tool": "Edit", "input": EDIT},
            {"text": "greet now greets by name."},
        ],
    ],
    ["TODO", [{"tool": "Read", "input": {"file_path": FILE}}, {"text": "greeting.py, line 2: greet by name."}]],
]
# A reader has a login; here the real claude is led to the scripted API.
CLAUDE = """#!/bin/sh
export ANTHROPIC_BASE_URL={url} ANTHROPIC_API_KEY="${{ANTHROPIC_API_KEY:-sk-ant-made-up-login-of-the-node}}"
exec {claude} "$@"
"""


class Terminal:
    """A shell whose commands write to a terminal."""

    def __init__(self, env: dict[str, str], folder: Path, columns: int = COLUMNS) -> None:
        self._screen, end = pty.openpty()
        fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
        self._shell = subprocess.Popen(
            ["bash", "--norc"], stdin=subprocess.PIPE, stdout=end, stderr=end, env=env, cwd=folder, text=True
        )
        os.close(end)

    def type(self, command: str, stdin: str = "", coloured: bool = False) -> tuple[int, str]:
        """Run a command to its end; its exit code, and what the terminal showed."""
        mark = f"ended-{uuid4().hex}"
        given = f"<<'{mark}'\n{stdin}\n{mark}\n" if stdin else "</dev/null\n"
        assert self._shell.stdin
        self._shell.stdin.write(f"{{ {command}\n}} {given}echo {mark} $?\n")
        self._shell.stdin.flush()
        shown, deadline = b"", time.monotonic() + PATIENCE
        while not (end := re.search(rf"{mark} (\d+)\r\n".encode(), shown)):
            if not select.select([self._screen], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise AssertionError(f"not over after {PATIENCE} s: {command}\n{_plain(shown)}")
            try:
                shown += os.read(self._screen, 65536)
            except OSError as error:  # the shell is gone, and with it the terminal
                raise AssertionError(f"the shell ended: {command}\n{_plain(shown)}") from error
        return int(end[1]), _plain(shown[: end.start()], coloured)

    def close(self) -> None:
        """Leave the shell."""
        self._shell.communicate()
        os.close(self._screen)


class Machine:
    """A home with a server and a node; each page finds it as if it were new."""

    def __init__(self, home: Path, api: FakeApi) -> None:
        self.home, self.api, self.port = home, api, free_port()
        (home / "bin").mkdir()
        program = home / "bin" / "claude"
        program.write_text(CLAUDE.format(url=api.url, claude=bundled_claude()))
        program.chmod(0o755)
        self.env = {
            "HOME": str(home),
            "PATH": f"{home}/bin:{BIN}:/usr/local/bin:/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "IS_SANDBOX": "1",  # the tests may run as root
            "TERM": "dumb",
            "NO_COLOR": "1",
            "TMPDIR": str(home),
            "EDITOR": "true",
            "PAGER": "cat",
            "ANTHROPIC_API_KEY": "sk-ant-made-up-0123456789",
            "WORK_KEY": "sk-ant-made-up-9876543210",
        }

    def answer(self, rules: str) -> None:
        """Have the scripted API answer by these rules, JSON in which ~ is the home."""
        self.api.rules = json.loads(rules.replace("~/", f"{self.home}/"))

    def ccs(self, *arguments: str) -> None:
        subprocess.run([BIN / "ccs", *arguments], env=self.env, cwd=self.home, check=True, capture_output=True)

    def fresh(self) -> Terminal:
        """A terminal in the repository ~/app; nothing of an earlier page is there, but server and node run."""
        self.ccs("up", "-d", "--port", str(self.port))
        url = f"http://127.0.0.1:{self.port}/api"
        clear(url)
        with client(url) as api:
            for what in ("block_documents", "flow_runs"):
                for each in api.post(f"/{what}/filter", json={}).raise_for_status().json():
                    api.delete(f"/{what}/{each['id']}")
        for path in self.home.iterdir():
            if path.name not in ("bin", ".prefect", ".ccs", ".claude", ".claude.json"):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        (self.home / ".gitconfig").write_text("[user]\n\tname = Ann\n\temail = ann@localhost\n")
        self.answer(json.dumps(RULES))
        return Terminal(self.env, a_repository(self.home / "app", **APP))


def node_name() -> str:
    """What the node of this machine is called."""
    return socket.gethostname()


def _plain(shown: bytes, coloured: bool = False) -> str:
    """What stays on the screen: no line that another one was written over, and colours only when asked for."""
    text = shown.decode(errors="replace").replace("\r\n", "\n")
    lines = [re.split(r"\x1b\[2K|\r", line)[-1] for line in text.split("\n")]
    return "\n".join(lines if coloured else (re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", line) for line in lines))
