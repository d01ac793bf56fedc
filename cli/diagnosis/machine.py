"""What this machine gives to runs: claude, git, its user, disk space, Prefect's settings."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from ccs.cli.client.settings import Settings, split_login
from ccs.cli.diagnosis.findings import Finding, fail, info, ok, warn
from ccs.flows.claude.executable import INSTALL, ExecutableNotFound, find_executable
from ccs.flows.git.command import GitError, version
from ccs.flows.node.files import expanded

_LOW, _FULL = 2_000_000_000, 200_000_000
"""Bytes; a long run leaves tens of megabytes of transcript, and claude's own files."""


def check(settings: Settings, is_node: bool) -> Iterator[Finding]:
    """Findings about this machine; `is_node` when runs take place here."""
    yield _claude(settings, is_node)
    yield _git(is_node)
    yield _disk(settings.home)
    yield from _prefect(settings)


def logged_in() -> bool:
    """Whether claude keeps a login in this user's home."""
    folder = expanded(os.environ.get("CLAUDE_CONFIG_DIR") or "~/.claude")
    return (folder / ".credentials.json").is_file()


def claude(settings: Settings) -> str | None:
    """The claude program a node on this machine would run; None when there is none."""
    try:
        return str(find_executable(None, settings.env).path)
    except ExecutableNotFound:
        return None


def _claude(settings: Settings, is_node: bool) -> Finding:
    level = fail if is_node else warn
    named, path = settings.env.get("CCS_CLAUDE"), claude(settings)
    if path is None:
        if named:
            return level("claude", f"CCS_CLAUDE names {named}, which is no program", f"correct it, or {INSTALL}")
        return level("claude", "claude was not found on this machine", INSTALL)
    said = _version(path)
    if said is None:
        return level("claude", f"{path} does not tell its version", f"run it yourself, or {INSTALL}")
    return ok("claude", f"claude {said} at {path}")


def _git(is_node: bool) -> Finding:
    try:
        return ok("git", version())
    except GitError:
        return (fail if is_node else warn)("git", "git was not found on this machine", "install git")


def _version(program: str) -> str | None:
    command = [program, "--version"]
    try:
        said = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=30, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    first = said.stdout.strip().partition("\n")[0]
    return first if said.returncode == 0 and first else None


def _disk(home: Path) -> Finding:
    there = next(p for p in (home.absolute(), *home.absolute().parents) if p.exists())
    free = shutil.disk_usage(there).free
    what = f"{free / 1e9:.1f} GB free for {home}"
    if not os.access(there, os.W_OK):
        return fail("disk", f"{there} cannot be written to", "set CCS_HOME to a folder of yours")
    if free < _LOW:
        return (fail if free < _FULL else warn)("disk", what, f"free some space, or delete old folders in {home}/runs")
    return ok("disk", what)


def _prefect(settings: Settings) -> Iterator[Finding]:
    name, path = settings.active_profile, settings.profiles_path
    other, _ = split_login(settings.env.get("PREFECT_API_URL") or settings.profile.get("PREFECT_API_URL", ""))
    if other.rstrip("/") != settings.api_url and settings.configured:
        yield warn(
            "prefect", f"ccs uses {settings.api_url} ({settings.origin}), plain prefect {other or 'no server'}",
            f"prefect config set PREFECT_API_URL={settings.api_url}",
        )  # fmt: skip
    elif name:
        yield ok("prefect", f"Prefect's profile is {name!r} ({path}); prefect and ccs use the same server")
    else:
        yield info("prefect", f"Prefect has no profile chosen in {path}; the server is from: {settings.origin}")
