"""A job's spec in the user's editor: YAML out, YAML back in, with the line of each mistake."""

import difflib
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ccs.cli.client.records import Spec
from ccs.cli.errors import CcsError, RequestError
from ccs.cli.terminal.output import say

if TYPE_CHECKING:
    import yaml

_HEAD = "# job {}: what is not named here has its default. An empty file changes nothing.\n"
_KEPT = "your text is kept in {}"


def text_of(spec: Spec) -> str:
    """A spec as YAML; texts of several lines as blocks."""
    import yaml

    class Dumper(yaml.SafeDumper):
        pass

    def block(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)

    Dumper.add_representer(str, block)
    return yaml.dump(spec, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=110)


def parsed(text: str) -> Spec:
    """The spec in a text; RequestError, with the line of each mistake, when it is none."""
    import yaml
    from pydantic import ValidationError

    from ccs.cli.client import editing, validation
    from ccs.flows.spec.job import Job

    try:
        tree = yaml.compose(text, Loader=yaml.SafeLoader)
        spec = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise RequestError(f"line {line}: {error.problem or error}") from error
    except yaml.YAMLError as error:
        raise RequestError(f"it is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(spec, dict):
        raise RequestError("line 1: the spec of a job is a mapping, such as name: nightly")
    try:
        Job.model_validate(spec)
    except ValidationError as error:
        lines = [_line(tree, place["loc"]) for place in error.errors(include_url=False, include_input=False)]
        said = validation.mistakes(error, spec)
        raise RequestError("\n     ".join(f"line {n}: {text}" for n, text in zip(lines, said, strict=True))) from error
    return editing.dump(editing.checked(spec))


def change(spec: Spec, store: Callable[[Spec], object]) -> bool:
    """Have the user edit a spec, and `store` it; False when it stayed the same.

    RequestError when it was left with mistakes. Whatever keeps it from being stored, the user's text is kept.
    """
    file, before = _file(), text_of(spec)
    text = before
    while True:
        text = _edited(text, str(spec["name"]), file)
        if not any(line.strip() and not line.startswith("#") for line in text.splitlines()):
            file.unlink()
            return False
        try:
            after = parsed(text)
            if after["name"] != spec["name"]:
                raise RequestError(f"line {_line_of_name(text)}: a job keeps its name, {spec['name']!r}")
            break
        except RequestError as error:
            if not _wants_another_try(error):
                raise RequestError(f"{error}\n     nothing was changed", _KEPT.format(file)) from error
    if is_new := after != parsed(before):
        _show_difference(before, text_of(after))
        try:
            store(after)
        except CcsError as error:
            error.hint = f"{error.hint}; {_KEPT.format(file)}".removeprefix("; ")
            raise
    file.unlink()
    return is_new


def _edited(text: str, name: str, file: Path) -> str:
    """The text after the user's editor, which works on `file`; RequestError when the editor fails."""
    file.write_text(text if text.startswith("#") else _HEAD.format(name) + text, encoding="utf-8")
    named = os.environ.get("VISUAL") or os.environ.get("EDITOR") or ""
    if not named and not sys.stdin.isatty():
        file.unlink()
        raise RequestError("there is no terminal to edit in; nothing was changed", "set EDITOR to a program that edits")
    try:
        command = shlex.split(named) or ["vi"]
        code = subprocess.run([*command, str(file)], check=False).returncode
    except (OSError, ValueError) as error:
        file.unlink()
        why = getattr(error, "strerror", None) or error
        raise RequestError(f"the editor {named or 'vi'} cannot be started: {why}", "set EDITOR") from error
    if code:
        raise RequestError(f"the editor {command[0]} ended with code {code}; nothing was changed", f"it had {file}")
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(f"{file} cannot be read after the editor: {error}", "nothing was changed") from error


def _file() -> Path:
    """A new file of the user's own; it is kept when its text was refused."""
    handle, path = tempfile.mkstemp(prefix="ccs-job-", suffix=".yaml")
    os.close(handle)
    return Path(path)


def _wants_another_try(mistake: RequestError) -> bool:
    """Whether to open the editor again after a mistake; never where nobody can be asked."""
    import typer

    if not sys.stdin.isatty():
        return False
    say(f"ccs: {mistake}")
    return typer.confirm("edit it again?", default=True, err=True)


def _show_difference(before: str, after: str) -> None:
    """What changed, on stderr."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), "before", "after", lineterm="", n=2)
    for line in lines:
        say(line)


def _line_of_name(text: str) -> int:
    return next((n for n, line in enumerate(text.splitlines(), 1) if line.startswith("name:")), 1)


def _line(tree: Any, location: tuple[int | str, ...]) -> int:
    """The line of the deepest part of a YAML tree that a place in the spec leads to."""
    node: yaml.Node | None = tree
    line = 1
    for part in location:
        if node is None:
            break
        pairs: Any = node.value if isinstance(node.value, list) else []
        if isinstance(part, int):
            node = pairs[part] if part < len(pairs) else None
            line = node.start_mark.line + 1 if node else line
            continue
        found = next((pair for pair in pairs if isinstance(pair, tuple) and pair[0].value == part), None)
        node = found[1] if found else None
        line = found[0].start_mark.line + 1 if found else line
    return line
