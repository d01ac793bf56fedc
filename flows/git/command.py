"""One git command: a clean environment, a time limit, and what it answered."""

import os
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

from ccs.flows.git.settings import OFFLINE, options
from ccs.flows.node.identity import node_name
from ccs.flows.processes.environment import passed_on

USUAL = 120.0
"""Seconds for commands that look something up."""

LONG = 900.0
"""Seconds for commands that write many files or run hooks."""

_OWN = (
    *("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM", "GIT_EXEC_PATH"),
    *("GIT_SSH", "GIT_SSH_COMMAND", "GIT_SSH_VARIANT", "GNUPGHOME"),
)
"""What git and the programs that it signs and connects with are told beside that which every process gets."""

_FIXED = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "true",
    "GCM_INTERACTIVE": "never",
    "GIT_EDITOR": ":",
    "GIT_SEQUENCE_EDITOR": ":",
    "GIT_PAGER": "cat",
    "GIT_OPTIONAL_LOCKS": "0",
    "LC_ALL": "C",
}


class GitError(Exception):
    """git cannot do what is needed; the message says what, why and what to do next."""


class GitMissingError(GitError):
    """There is no git on this machine."""


class GitTimeoutError(GitError):
    """git did not answer in time, and was ended."""


class NoRepositoryError(GitError):
    """The directory is in no git repository."""


@dataclass(frozen=True)
class Answer:
    """What a command said; `out` holds file names of any bytes, as os.fsdecode has them."""

    code: int
    out: str
    err: str

    @property
    def ok(self) -> bool:
        return self.code == 0

    @property
    def line(self) -> str:
        """The output without the end of its line; a path may hold other line breaks."""
        return self.out.removesuffix("\n")

    @property
    def fields(self) -> list[str]:
        """The output of -z."""
        return self.out.split("\0")[:-1]


class CommandFailedError(GitError):
    """A command that must succeed did not; `answer` is what git said."""

    def __init__(self, message: str, answer: Answer) -> None:
        super().__init__(message)
        self.answer = answer


def environment(more: Mapping[str, str]) -> dict[str, str]:
    """The environment of git, and so of hooks, filters and all other programs that it starts.

    They belong to the repository, and a task may have changed what they call: of the node they get what `claude` gets,
    and no token. Nothing points git to another repository, and nothing lets it ask.
    """
    own = {name: os.environ[name] for name in _OWN if name in os.environ}
    return {**passed_on(os.environ), **own, **_FIXED, **more}


def run(
    directory: Path,
    *arguments: str,
    stdin: str = "",
    env: Mapping[str, str] | None = None,
    timeout: float = USUAL,
    git_dir: Path | None = None,
    hooks: bool = False,
) -> Answer:
    """Run git in a directory. Raises GitError when there is no git or it takes longer than `timeout` seconds.

    A repository without a `.git` is used only when it is named by `git_dir`. With `hooks` those of the repository run,
    and may connect to other machines.

    git leads a session of its own, without a terminal, so that no hook or signing program can ask there, and all
    that it started ends with it when the time is over.
    """
    named = [f"--git-dir={git_dir}"] if git_dir else []
    command = ["git", "-C", os.fspath(directory), *named, *options(hooks=hooks), *arguments]
    try:
        return _run(
            command,
            stdin,
            {**({} if hooks else OFFLINE), **(env or {})},
            timeout,
            f"`git {arguments[0]}` in {shown(directory)}",
        )
    except OSError as error:
        raise GitError(f"git cannot be run on node {node_name()}: {error.strerror or error}") from None


def version() -> str:
    """What git says of its version; GitError when it says nothing."""
    said = run(Path("/"), "--version")
    if not (said.ok and said.line):
        raise GitError(f"git on node {node_name()} does not tell its version")
    return said.line


def _run(command: list[str], stdin: str, env: Mapping[str, str], timeout: float, what: str) -> Answer:
    # Files and not pipes: what a hook leaves in the background may keep a pipe open for ever.
    with TemporaryFile() as given, TemporaryFile() as out, TemporaryFile() as err:
        given.write(os.fsencode(stdin))
        given.seek(0)
        try:
            child = subprocess.Popen(
                command, stdin=given, stdout=out, stderr=err, env=environment(env), start_new_session=True
            )
        except FileNotFoundError:
            raise GitMissingError(f"git is not installed on node {node_name()}: install it there") from None
        try:
            code = child.wait(timeout)
        except subprocess.TimeoutExpired:
            raise GitTimeoutError(f"{what} did not answer within {_minutes(timeout)}") from None
        finally:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)  # not waited for yet, so the group is still its own
                child.wait()
        out.seek(0)
        err.seek(0)
        return Answer(code, os.fsdecode(out.read()), err.read().decode("utf-8", "replace"))


def _minutes(seconds: float) -> str:
    if seconds == 60:
        return "a minute"
    return f"{seconds / 60:.0f} minutes" if seconds > 60 else f"{seconds:g} seconds"


def reason(text: str, lines: int = 3) -> str:
    """Why git failed, in its own words, made fit for one line."""
    said = [line.strip() for line in text.splitlines() if line.strip()]
    named = [line for line in said if line.startswith(("fatal: ", "error: "))]
    chosen = [line.removeprefix("fatal: ").removeprefix("error: ") for line in (named or said[-lines:])[:lines]]
    return shown("; ".join(chosen)[:600]) or "it does not say why"


def shown(path: object) -> str:
    """A path or text for a sentence: on one line, whatever it holds."""
    text = os.fsencode(str(path)).decode("utf-8", "replace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def naming(paths: list[str], most: int = 2) -> str:
    """Some paths for a sentence: `a.txt, b.txt and 3 more`."""
    if len(paths) <= most + 1:
        names = [shown(path) for path in paths]
        return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else "none"
    return f"{', '.join(shown(path) for path in paths[:most])} and {len(paths) - most} more"
