"""The options of `ccs jobs create` and `ccs jobs update` that set fields of a job."""

from ccs.cli.commands.options import duration, names
from ccs.cli.terminal.fields import Field
from ccs.flows.node.files import expanded

_WHERE = "Where it works"
_LIMITS = "Limits and conditions"

FIELDS = (
    Field("description", "--description", "What the job is for.", "TEXT"),
    Field("tags", "--tag", "Tag of the job; repeatable.", "TAG", list[str]),
    Field(
        "profile", "--profile", "Profile with claude's environment, for all tasks.", "NAME", values=names("profiles"),
    ),
    Field("profile", "--zai", "The same as --profile zai.", kind=bool, read=lambda _: "zai"),
    Field("profile", "--bedrock", "The same as --profile bedrock.", kind=bool, read=lambda _: "bedrock"),
    Field(
        "working_directory.path", "--working-directory,-C", "Where the tasks run, on the node (this folder).", "PATH",
        read=lambda path: absolute(path), panel=_WHERE,
    ),
    Field(
        "working_directory.worktree.enabled", "--use-worktree/--no-worktree",
        "Work in a git worktree in trees/ of the repository.", kind=bool, panel=_WHERE,
    ),
    Field(
        "working_directory.worktree.name", "--worktree-name", "Name of it and of its branch (the job's).",
        "NAME", panel=_WHERE,
    ),
    Field(
        "working_directory.worktree.base_branch", "--worktree-branch", "Branch that a new worktree begins at (main).",
        "BRANCH", panel=_WHERE,
    ),
    Field(
        "working_directory.allow_dirty", "--allow-dirty/--no-allow-dirty",
        "Start although there are uncommitted changes; they stay as they are.", kind=bool, panel=_WHERE,
    ),
    Field(
        "working_directory.run_changed_hooks", "--run-changed-hooks/--no-run-changed-hooks",
        "Run git hooks although a task changed them.", kind=bool, panel=_WHERE,
    ),
    Field(
        "working_directory.require_git", "--require-git/--no-require-git",
        "Refuse a directory outside git (the default).", kind=bool, panel=_WHERE,
    ),
    Field(
        "working_directory.trust_project", "--trust-project/--no-trust-project",
        "Load the repository's own CLAUDE.md, settings and hooks.", kind=bool, panel=_WHERE,
    ),
    Field("commit_author", "--commit-author", "Author of the commits (git's own).", "'NAME <MAIL>'", panel=_WHERE),
    Field(
        "transcripts", "--transcripts", "Keep transcripts and sessions there, too, for all nodes.",
        "PATH|s3://BUCKET/PREFIX",
        panel=_WHERE,
    ),
    Field("only_if", "--only-if", "A line for sh; a run is skipped unless it exits with 0.", "COMMAND", panel=_LIMITS),
    Field(
        "on_failure", "--on-failure", "Whether the tasks after a failed one run (stop).",
        "stop|continue", values=("stop", "continue"),
        panel=_LIMITS,
    ),
    Field("max_parallel", "--max-parallel", "How many tasks may run at the same time (1).", "N", int, panel=_LIMITS),
    Field("timeout", "--timeout", "How long a run may take, such as 90m.", "TIME", read=duration, panel=_LIMITS),
    Field("budget_usd", "--budget", "What a run may cost, estimated.", "USD", float, panel=_LIMITS),
    Field(
        "budget_usd_per_day", "--budget-per-day", "What a day may cost; then the job is paused.",
        "USD", float, panel=_LIMITS,
    ),
    Field(
        "budget_usd_per_month", "--budget-per-month", "What a month may cost; then the job is paused.", "USD", float,
        panel=_LIMITS,
    ),
)  # fmt: skip


def absolute(path: str) -> str:
    """The path as the node is told it: ~ and relative paths by this machine and its current directory."""
    return str(expanded(path).absolute())
