"""The submodules of a new worktree: checked out from what is on this machine, without any network."""

from pathlib import Path

from ccs.flows.git.command import LONG, naming, run
from ccs.flows.git.repository import GITLINK, Repository


def check_out(tree: Repository, main: Repository) -> list[str]:
    """Check out the submodules that the main checkout has; remarks about those that stay empty."""
    assert tree.top
    if not (tree.top / ".gitmodules").is_file():
        return []
    missing = []
    for name, path in named(tree):
        if (tree.top / path / ".git").exists():
            continue
        local = main.common_dir / "modules" / name
        if not (local / "HEAD").is_file() or not _cloned(tree, name, path, local):
            missing.append(path)
    if not missing:
        return []
    return [f"submodules {naming(missing)} are not checked out in the worktree: `git submodule update --init` does it"]


def named(tree: Repository) -> list[tuple[str, str]]:
    """Name and path of the submodules that are in the index and in .gitmodules."""
    said = tree.ask("config", "-z", "--file", ".gitmodules", "--get-regexp", r"^submodule\..*\.path$")
    pairs = [record.partition("\n")[::2] for record in said.fields]
    names = [(key.removeprefix("submodule.").removesuffix(".path"), path) for key, path in pairs]
    links = {line.partition("\t")[2] for line in tree.git("ls-files", "-s", "-z").fields if line.startswith(GITLINK)}
    return [(name, path) for name, path in names if path in links and _is_sound(name)]


def _is_sound(name: str) -> bool:
    """Whether a name, which anybody may have committed, leads to no other folder and sets no other key."""
    return "=" not in name and not name.startswith("/") and ".." not in name.split("/")


def _cloned(tree: Repository, name: str, path: str, local: Path) -> bool:
    """Whether the submodule could be cloned from the main checkout's copy; its remote stays the real one."""
    remote = run(local, "config", "--get", "remote.origin.url", git_dir=local).line
    said = tree.ask(
        *("-c", f"submodule.{name}.url={local}", "-c", f"submodule.{name}.active=true"),
        *("submodule", "--quiet", "update", "--init", "--checkout", "--", path),  # whatever its `update` says
        env={"GIT_ALLOW_PROTOCOL": "file"},
        timeout=LONG,
    )
    if not said.ok:
        return False
    if remote and tree.top:
        run(tree.top / path, "config", "remote.origin.url", remote)
    return True
