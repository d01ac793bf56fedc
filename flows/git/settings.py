"""What git is told whatever a repository's configuration says: above all, not to run the programs that it names.

The configuration of a real repository is its user's, but that of a folder below one may have been cloned, and a task
may have written either. Filters are left alone: without those of git-lfs, `git status` takes every large file for
changed, and a commit has the files themselves. Like the hooks of a commit they get the environment that
`command.environment` makes, which holds no secret; those that a task has just set up do not run (`programs`).
There is no setting against drivers of merges and trailers: nothing here writes trailers, and nothing merges, but that
`git rebase --abort` brings back what a task's rebase had stashed.
`uploadpack.packObjectsHook` is read from the user's own configuration only, and a value here would be run.
"""

from collections.abc import Sequence

_PLAIN = (
    *("color.ui=false", "core.safecrlf=false", "advice.addEmbeddedRepo=false", "i18n.commitEncoding=UTF-8"),
    *("submodule.recurse=false", "diff.ignoreSubmodules=none", "status.submoduleSummary=false"),
    *("gc.auto=0", "maintenance.auto=false"),  # no housekeeping in the background that outlives the run
)

_ALWAYS = (
    "safe.bareRepository=explicit",  # git 2.38; before, Repository.at alone keeps it out of committed repositories
    "core.fsmonitor=false",
    "log.showSignature=false",
)

_WITHOUT_HOOKS = (
    "core.hooksPath=/dev/null",
    *("core.sshCommand=false", "core.askPass=true", "credential.helper=", "core.gitProxy="),
    *("core.pager=cat", "core.editor=:", "sequence.editor=:"),
    *("diff.external=false", "core.alternateRefsCommand=:"),
    *("protocol.allow=never", "protocol.ext.allow=never"),
)
"""Not for commands that run the hooks of the user, which would inherit them: a hook may push. A partial clone fetches
what it lacks for a new worktree, too."""

OFFLINE = {"GIT_ALLOW_PROTOCOL": "none"}
"""The same in the environment: git connects to nothing, so no remote helper and no program of a remote is run."""


def as_environment(settings: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Settings as variables, which take keys that `-c` cannot tell from their values (git 2.31)."""
    found = {"GIT_CONFIG_COUNT": str(len(settings))}
    for number, (key, value) in enumerate(settings):
        found |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return found


def options(*, hooks: bool) -> list[str]:
    """The options of git before its command; with `hooks`, those of the repository run."""
    chosen = (*_PLAIN, *_ALWAYS, *(() if hooks else _WITHOUT_HOOKS))
    return ["--no-pager", *(word for setting in chosen for word in ("-c", setting))]
