"""The command line under test: called in this process, or as the process a user starts."""

import contextlib
import functools
import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch
from uuid import uuid4

import httpx
import typer

from ccs.cli.client import provision
from ccs.cli.client.api import Api
from ccs.cli.client.settings import Settings
from ccs.cli.main import main
from tests.worlds.server import client

built = functools.cache(typer.main.get_command)
"""What Typer makes of the commands, once: a process of a user runs one of them, this one thousands."""

CCS = str(Path(sys.executable).with_name("ccs"))


@dataclass(frozen=True)
class Said:
    """What a command line answered."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class Cli:
    """`ccs` with an environment of its own."""

    env: Mapping[str, str]

    def __call__(self, *arguments: str, stdin: str = "", **env: str) -> Said:
        """Run a command line in this process."""
        out, err = io.StringIO(), io.StringIO()
        with (
            patch.dict(os.environ, {**self.env, **env}),
            patch.object(typer.main, "get_command", built),
            patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode()))),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            code = main(arguments)
        return Said(code, out.getvalue(), err.getvalue())

    def ok(self, *arguments: str, **more: str) -> Said:
        """Run a command line that must succeed."""
        said = self(*arguments, **more)
        assert said.code == 0, said
        return said

    def start(self, *arguments: str, **env: str) -> "subprocess.Popen[str]":
        """Start a command line as a process of its own."""
        return subprocess.Popen(
            [CCS, *arguments],
            env={**os.environ, **self.env, **env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def process(self, *arguments: str, timeout: float = 120, **env: str) -> Said:
        """Run a command line as a process of its own, to its end."""
        child = self.start(*arguments, **env)
        out, err = child.communicate(timeout=timeout)
        return Said(child.returncode, out, err)

    def provisioned(self) -> "Cli":
        """The same, once its server has the work pool and the type of profiles."""
        api = Api(Settings(self.env))
        provision.provision(api, "ccs")
        api.close()
        return self

    def job(self, *options: str, task: str = "one", prompt: str = "x") -> str:
        """Make a job of a name of its own, with one task; its name."""
        name = f"job-{uuid4().hex[:12]}"
        self.ok("jobs", "create", "--name", name, *options)
        self.ok("tasks", "create", "--job", name, "--name", task, "--prompt", prompt)
        return name

    def ask(self, method: str, path: str, body: object = None) -> httpx.Response:
        """A request to the server, without ccs in between."""
        with client(self.env["PREFECT_API_URL"]) as api:
            return api.request(method, path, json=body)
