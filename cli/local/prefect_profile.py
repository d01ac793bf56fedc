"""Prefect's profile file: so that plain `prefect` finds the server that `ccs up` started."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

from ccs.cli.client.settings import Settings
from ccs.cli.errors import RequestError
from ccs.flows.node.files import write_whole

OWN = "ccs"
"""The profile that is made when the user has none of their own."""


def point_to(settings: Settings, url: str) -> str:
    """Write the server's address into the active profile, or into one of our own; a sentence about what was done.

    Empty when there was nothing to do. Everything else in the file stays as it is.
    """
    path, active = settings.profiles_path, settings.active_profile
    name = active if active not in ("", "ephemeral") else OWN
    if settings.profile.get("PREFECT_API_URL") == url and name == active:
        return ""
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    after = _with_value(before, name, "PREFECT_API_URL", url)
    if name != active:
        after = _with_active(after, name)
    _check(path, before, after, name, url)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, after)  # for its owner alone: it may hold keys
    verb = "made and chose" if name != active else "set the address in"
    return f"{verb} Prefect's profile {name!r} in {path}: `prefect` finds this server, too"


def _with_value(text: str, profile: str, key: str, value: str) -> str:
    line = f"{key} = {json.dumps(value)}"
    header = re.compile(rf'^\[profiles\.(?:{re.escape(profile)}|"{re.escape(profile)}")\][^\n]*\n?', re.MULTILINE)
    found = header.search(text)
    if not found:
        quoted = profile if re.fullmatch(r"[A-Za-z0-9_-]+", profile) else json.dumps(profile)
        return f"{text.rstrip()}\n\n[profiles.{quoted}]\n{line}\n".lstrip()
    end = re.compile(r"^\[", re.MULTILINE).search(text, found.end())
    section = text[found.end() : end.start() if end else len(text)]
    old = re.compile(rf"^{key}[ \t]*=[^\n]*", re.MULTILINE)
    section = old.sub(lambda _: line, section) if old.search(section) else f"{line}\n{section}"
    head = text[: found.end()]
    return head + ("" if head.endswith("\n") else "\n") + section + (text[end.start() :] if end else "")


def _with_active(text: str, profile: str) -> str:
    line = f"active = {json.dumps(profile)}"
    first = re.compile(r"^\[", re.MULTILINE).search(text)
    top, rest = (text[: first.start()], text[first.start() :]) if first else (text, "")
    old = re.compile(r"^active[ \t]*=[^\n]*", re.MULTILINE)
    top = old.sub(lambda _: line, top) if old.search(top) else f"{line}\n{top}"
    return top.rstrip() + "\n\n" + rest


def _check(path: Path, before: str, after: str, name: str, url: str) -> None:
    """Raise RequestError when the text that would be written says anything else than what is meant."""
    meant: dict[str, Any] = tomllib.loads(before)
    meant.setdefault("profiles", {}).setdefault(name, {})["PREFECT_API_URL"] = url
    try:
        found = tomllib.loads(after)
    except ValueError:
        found = {}
    meant["active"] = found.get("active")
    if found != meant or not found["active"]:
        raise RequestError(
            f"Prefect's profile file {path} has a form that is not changed here",
            f"set the address yourself: prefect config set PREFECT_API_URL={url}",
        )
