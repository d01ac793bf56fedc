"""`claude-code-scheduler`: its command lines, translated by a table into those of ccs."""

import contextlib
import io
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from ccs.cli.commands import job_options, task_options
from ccs.cli.exit_codes import ExitCode
from ccs.cli.legacy.names import DIRECTORY, SHORTCUTS, profile_name

NOUNS = ("jobs", "tasks", "runs", "profiles", "nodes")
HELP = """\
claude-code-scheduler is ccs now. This command takes the old command lines and says what it does with them.

  claude-code-scheduler cli jobs|tasks|runs|profiles|nodes VERB ...   ->  ccs jobs|tasks|runs|profiles|nodes VERB ...
  claude-code-scheduler cli health|state|scheduler|stats            ->  ccs health|state|scheduler|stats
  claude-code-scheduler debug ..., completion SHELL                   ->  ccs debug ..., completion SHELL
  claude-code-scheduler gui, server, daemon, node                   ->  ccs up -d; Prefect's web page is the GUI

Take your data over with: ccs import-legacy ~/.claude-scheduler      All commands: ccs --help"""

_REPLACED = {
    "gui": (
        "the GUI is Prefect's web page now",
        "start everything with: ccs up -d; `ccs status` shows the page's address",
    ),
    "server": ("the server is a Prefect server now", "start it with: ccs up -d"),
    "daemon": ("the daemon is a Prefect server now", "start it with: ccs up -d"),
    "node": (
        "a node is a Prefect worker now, without queues or buckets",
        "on that machine: PREFECT_API_URL=URL ccs up -d",
    ),
}
_TAKES_VALUE = frozenset(
    (
        *(
            flag
            for field in (*job_options.FIELDS, *task_options.FIELDS)
            if field.kind is not bool
            for flag in field.flags.split(",")
        ),
        *("--name", "--job", "--status", "--env", "--unset-env", "--limit", "-n", "--output", "--out", "-o", "--input"),
        *("-i", "--api-url", "-s", "--task", "--since", "--secret", "--unset", "--template", "--cron", "--every"),
        *("--timezone", "--pool"),
    )
)
HOMELESS = "tasks on their own"
"""The job of tasks that name none; it is not that of those which are taken over."""

_OPPOSITE = {"--no-require-git": "--require-git", "--allow-dirty": "--no-allow-dirty"}
_ANYWHERE = tuple(_OPPOSITE)
"""It never looked at git before a run."""
_OLD_PORTS = (*range(5679, 5690), *range(8787, 8798))
"""Where the GUI and the daemon listened."""
_ALL = 10_000
"""The lists of jobs and tasks were whole, and scripts rely on that."""


class Refusal(Exception):  # noqa: N818 - not an error: an answer
    """A command line that has no counterpart; `hint` says what to do instead."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


@dataclass
class Translation:
    """A command line of ccs, and what has to be said about it."""

    argv: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    is_homeless: bool = False
    """Whether the job of the tasks that belong to none has to be there."""


def _becomes(*words: str) -> Callable[[str, Translation], list[str]]:
    return lambda value, _: [*words, value] if value else list(words)


def _refused(why: str, hint: str) -> Callable[[str, Translation], list[str]]:
    def refuse(_: str, __: Translation) -> list[str]:
        raise Refusal(why, hint)

    return refuse


def _new_profile(value: str, into: Translation) -> list[str]:
    if (name := SHORTCUTS.get(value) or profile_name(value)) != value:
        into.notes.append(f"profile {value!r} is called {name!r} in ccs")
    return [name]


def _profile(value: str, into: Translation) -> list[str]:
    if name := SHORTCUTS.get(value.lower()):
        into.notes.append(f"profile {value} is {name!r} in ccs")
    return ["--profile", name or value]


def _moved(value: str, into: Translation) -> list[str]:
    return _homeless(into) if value.lower() == "none" else ["--job", value]


def _homeless(into: Translation) -> list[str]:
    into.is_homeless = True
    into.notes.append(f"a task belongs to a job in ccs: this one to {HOMELESS!r}, which works in {DIRECTORY}")
    return ["--job", HOMELESS]


def _text(value: str, into: Translation) -> list[str]:
    """A prompt or a slash command, told apart by how it begins, whichever option had it."""
    return ["--command" if value.startswith("/") else "--prompt", value]


def _format(value: str, into: Translation) -> list[str]:
    if value == "env":
        into.notes.append("--output env is --output table in ccs; secrets are not shown")
    return ["--output", "table" if value == "env" else value]


def _api_url(value: str, into: Translation) -> list[str]:
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        return ["--api-url", value]  # ccs says what is wrong with it
    if port in _OLD_PORTS:
        into.notes.append(f"--api-url {value} is ignored: that was the old scheduler; ccs talks to Prefect's server")
        return []
    url = value if parts.path.strip("/") else value.rstrip("/") + "/api"
    into.notes.append(f"--api-url {value} is taken for the address of a Prefect server: {url}")
    return ["--api-url", url]


_RULES: dict[str, Callable[[str, Translation], list[str]]] = {
    "--api-url": _api_url,
    "--table": _becomes("--output", "table"),
    "--output": _format,
    "--profile": _profile,
    "runs list -n": _becomes("--limit"),
    "jobs list -t": _becomes("--output", "table"),
    "jobs tasks -t": _becomes("--output", "table"),
    "tasks list -t": _becomes("--output", "table"),
    "runs list -t": _becomes("--output", "table"),
    "jobs import -i": _becomes(),
    "jobs import --input": _becomes(),
    "jobs update --status": _refused(
        "a job has no status of its own in ccs: its runs have", "see: ccs runs list --job JOB"
    ),
    "tasks update --job": _moved,
    **{f"tasks {verb} {option}": _text for verb in ("create", "update") for option in ("--prompt", "--command")},
    "profiles create --name": _new_profile,
    "profiles update --name": lambda value, into: ["--name", *_new_profile(value, into)],
    "profiles update --unset-env": _becomes("--remove"),
}


def translate(argv: Sequence[str]) -> Translation:
    """The command line of ccs for one of claude-code-scheduler; Refusal when there is none."""
    into, words, globals_ = Translation(), list(argv), list[str]()
    _global_options(words, globals_, into)
    if words[:1] == ["cli"]:
        words.pop(0)
        _global_options(words, globals_, into)
        globals_ += [] if words or globals_ else ["--help"]
    if words and words[0] in _REPLACED:
        raise Refusal(*_REPLACED[words[0]])
    command = words[:1]
    if words and words[0] in NOUNS:
        del words[0]
        _global_options(words, globals_, into)
        command += words[:1]
    if command[:1] in (["debug"], ["completion"]):
        into.argv += [*words, *globals_]
        return into
    into.argv += [*command, *globals_, *_options(command, words[1:], into)]
    if command == ["tasks", "delete"] and not {"--force", "-f", "--help", "-h"} & set(into.argv):
        into.argv.append("--force")  # it never asked
    _complete(command, into)
    return into


def main(argv: Sequence[str] | None = None) -> int:
    """Run an old command line; the exit code of ccs, or 1 for what has no counterpart."""
    from ccs.cli.terminal.output import let_go

    try:
        return _run(argv)
    finally:
        let_go()


def _run(argv: Sequence[str] | None) -> int:
    from ccs.cli import main
    from ccs.cli.terminal.output import ReaderGoneError, say, write

    if main.COMPLETE in os.environ:
        from ccs.cli.commands import completion

        completion.forget_alias()
        return main.main([])
    words = list(sys.argv[1:] if argv is None else argv)
    if not [w for w in words if not _is_verbosity(w)] or words in (["--help"], ["-h"]):
        try:
            write(HELP)
        except ReaderGoneError:
            return ExitCode.OK
        except OSError as error:
            say(f"claude-code-scheduler: the help cannot be written: {error.strerror or error}")
            return ExitCode.REQUEST
        return ExitCode.OK
    try:
        translation = translate(words)
    except Refusal as refusal:
        say(f"claude-code-scheduler: {refusal}")
        say(f"     {refusal.hint}")
        return ExitCode.REQUEST
    for note in translation.notes:
        say(f"claude-code-scheduler: {note}")
    if translation.is_homeless and "--dry-run" not in translation.argv:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            main.main(_home(translation.argv))  # where that fails, the command itself does, and says why
    return main.main(translation.argv)


def _home(argv: list[str]) -> list[str]:
    """The command line that makes the job of tasks without one, on the server of another."""
    server = argv.index("--api-url") if "--api-url" in argv else len(argv)
    return ["jobs", "create", "--name", HOMELESS, "-C", DIRECTORY, *_ANYWHERE, *argv[server : server + 2]]


def _complete(command: list[str], into: Translation) -> None:
    """What the old command filled in, and ccs does not."""
    given = {word.partition("=")[0] for word in into.argv}
    if {"--help", "-h"} & given:
        return
    if command in (["jobs", "list"], ["tasks", "list"]) and not {"--limit", "-n", "-L"} & given:
        into.argv += ["--limit", str(_ALL)]
    if command == ["tasks", "create"] and "--job" not in given:
        into.argv += _homeless(into)
    if command == ["jobs", "create"]:
        if not {"--working-directory", "-C"} & given:
            into.argv += ["--working-directory", DIRECTORY]
            into.notes.append(f"the job works in {DIRECTORY}, as it did; say otherwise with --working-directory")
        into.argv += [option for option in _ANYWHERE if not {option, _OPPOSITE[option]} & given]


def _global_options(words: list[str], found: list[str], into: Translation) -> None:
    """Move the options that stand before a noun or verb out of the way."""
    while words and (
        words[0].partition("=")[0] in ("--api-url", "--version", "--help", "-h") or _is_verbosity(words[0])
    ):
        word = words.pop(0)
        name, equals, value = word.partition("=")
        if name == "--api-url" and (equals or words):
            found += _api_url(value if equals else words.pop(0), into)
        else:
            found.append(word)


def _options(command: list[str], words: list[str], into: Translation) -> list[str]:
    """The words after the verb, each option by the rule of its verb or of all verbs."""
    done: list[str] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word == "--":
            return [*done, word, *rest]
        name, value, joined = _split(word)
        takes = name in _TAKES_VALUE
        if takes and not joined:
            if not rest:
                raise Refusal(f"the option {name} needs a value", f"see: ccs {' '.join(command)} --help")
            value = rest.pop(0)
        rule = _RULES.get(" ".join([*command, name])) or _RULES.get(name)
        if rule:
            done += rule(value, into)
        else:
            done += [word, value] if takes and not joined else [word]
    return done


def _split(word: str) -> tuple[str, str, bool]:
    """An option's name and the value that is written in one word with it."""
    if word.startswith("--"):
        name, equals, value = word.partition("=")
        return name, value, bool(equals)
    if len(word) > 2 and word[0] == "-" and word[:2] in _TAKES_VALUE:
        return word[:2], word[2:], True
    return word, "", False


def _is_verbosity(word: str) -> bool:
    return word == "--verbose" or (len(word) > 1 and word[0] == "-" and set(word[1:]) == {"v"})


if __name__ == "__main__":
    raise SystemExit(main())
