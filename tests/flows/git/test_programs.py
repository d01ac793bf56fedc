"""The programs that git runs for a repository: which of them run in what we do, and what they know of the node."""

import os
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ccs.flows.git import journal
from ccs.flows.git.aside import aside
from ccs.flows.git.command import GitError
from ccs.flows.git.commit import commit
from ccs.flows.git.losses import losses
from ccs.flows.git.message import Origin
from ccs.flows.git.pruning import remove, trees
from ccs.flows.git.repository import Repository
from ccs.flows.git.snapshot import Snapshot, changes
from ccs.flows.git.status import refusal
from ccs.flows.git.worktree import prepare
from tests.worlds.git import a_repository, furnished, git, hook, write

ORIGIN = Origin(job="nightly", task="tidy up", run="r")
SECRETS = {
    "GITHUB_TOKEN": "planted-1",
    "AWS_SECRET_ACCESS_KEY": "planted-2",
    "ANTHROPIC_API_KEY": "planted-3",
    "CLAUDE_CODE_OAUTH_TOKEN": "planted-4",
    "PREFECT_API_KEY": "planted-5",
    "SSH_ASKPASS": "planted-6",
    "DATABASE_URL": "postgres://me:planted-7@db",
    "GIT_TRACE2_PARENT_NAME": "planted-8",
}
_NAMED = (  # keys whose value is a program
    *(f"core.{key}" for key in ("fsmonitor", "sshCommand", "gitProxy", "askPass", "pager", "editor")),
    *("core.alternateRefsCommand", "sequence.editor", "diff.external", "interactive.diffFilter", "imap.tunnel"),
    *(f"pager.{name}" for name in ("log", "status", "branch", "config", "diff-tree", "for-each-ref", "var")),
    *("diff.planted.command", "diff.planted.textconv", "merge.planted.driver", "tar.planted.command"),
    *(f"{kind}tool.planted.{key}" for kind in ("merge", "diff", "gui") for key in ("cmd", "path")),
    *("trailer.Ccs-Task.command", "trailer.Ccs-Run.cmd", "uploadpack.packObjectsHook", "gc.recentObjectsHook"),
    *("remote.origin.uploadpack", "remote.origin.receivepack", "gpg.ssh.defaultKeyCommand"),
    *("gpg.program", "gpg.openpgp.program", "gpg.x509.program", "gpg.ssh.program"),
    *(f"{kind}.planted.{key}" for kind in ("browser", "man") for key in ("cmd", "path")),
    *("instaweb.httpd", "instaweb.browser"),
    *(f"sendemail.{key}" for key in ("toCmd", "ccCmd", "headerCmd", "smtpServer", "sendmailCmd")),
)
_FOR_SH = (  # keys whose value may be a line for sh
    *(f"alias.{name}" for name in ("status", "commit", "worktree", "read-tree", "ls-files")),
    *("credential.helper", "credential.https://example.com.helper", "submodule.sub.update"),
)
NEVER = {**dict.fromkeys(_NAMED, "{}"), **dict.fromkeys(_FOR_SH, "!{}"), "url.ext::{} .insteadOf": "ssh://"}
"""What is planted in the configuration of the repository; `{}` is the program."""
_YES = ("log.showSignature", "rebase.autoStash", "status.submoduleSummary", "submodule.recurse", "commit.verbose")
SWITCHES = {
    **dict.fromkeys((*_YES, "remote.origin.promisor", "remote.far.promisor"), "true"),
    **dict.fromkeys(("merge.tool", "diff.tool", "web.browser", "help.browser", "man.viewer"), "planted"),
    **dict.fromkeys(("protocol.allow", "protocol.ext.allow"), "always"),
    "remote.far.url": "ssh://nowhere/far",
    "diff.submodule": "diff",
    "format.pretty": "format:%G?",
}
"""What makes git use them."""
FILTERS = ("filter.planted.clean", "filter.planted.smudge", "filter.talks.process")
_DOES_NOTHING = r"printf '0016git-filter-server\n000eversion=2\n00000000'; cat > /dev/null"
"""What a filter that is a process says when it can do nothing."""
HOOKS = (
    *("applypatch-msg", "pre-applypatch", "post-applypatch", "pre-commit", "pre-merge-commit", "prepare-commit-msg"),
    *("commit-msg", "post-commit", "pre-rebase", "post-checkout", "post-merge", "pre-push", "pre-receive", "update"),
    *("proc-receive", "post-receive", "post-update", "reference-transaction", "push-to-checkout", "pre-auto-gc"),
    *("post-rewrite", "sendemail-validate", "fsmonitor-watchman", "post-index-change"),
)
AT_THE_COMMIT = {
    *("pre-commit", "prepare-commit-msg", "commit-msg", "post-commit", "reference-transaction", "post-index-change"),
}
AT_THE_WORKTREE = {"post-checkout", "reference-transaction", "post-index-change"}


@dataclass
class World:
    """A repository in which every program that git knows of leaves its environment in a file."""

    repo: Path
    proofs: Path

    def program(self, name: str, then: str = "true") -> str:
        """A line for sh; it proves that it was run, but not for the git of the tests."""
        proof = shlex.quote(str(self.proofs / name.replace("/", "%")))
        return f'[ -n "$BY_HAND" ] || env >> {proof}; {then}'

    def executable(self, name: str, then: str = "true") -> str:
        """The same as a file."""
        path = self.repo.parent / "bin" / name.replace("/", "%")
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{self.program(name, then)}\n")
        path.chmod(0o755)
        return str(path)

    def proven(self) -> dict[str, str]:
        """What was run since the last time, with its environment."""
        found = {path.name.replace("%", "/"): path.read_text() for path in self.proofs.iterdir()}
        for path in self.proofs.iterdir():
            path.unlink()
        return found


def by_hand(place: Path, *arguments: str, ok: bool = True) -> str:
    return git(place, *arguments, ok=ok, BY_HAND="1")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, dict[str, str]]]:
    """By what we did the programs that were run, with their environments."""
    root = tmp_path_factory.mktemp("planted")
    world = World(furnished(root / "repo"), root / "proofs")
    world.proofs.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CCS_HOME", str(root / "home"))
        for name, value in SECRETS.items():
            patch.setenv(name, value)
        _plant(world)
        yield _cycle(world)


def _plant(world: World) -> None:
    repo = world.repo
    inner = a_repository(repo.parent / "inner")
    by_hand(repo, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(inner), "sub")
    by_hand(repo, "remote", "add", "origin", str(inner))
    write(repo, **{".gitattributes": "a.txt diff=planted merge=planted\nb.txt filter=planted\ndir/* filter=talks\n"})
    by_hand(repo, "add", "-A")
    by_hand(repo, "commit", "-q", "-m", "planted")
    for key, value in NEVER.items():
        program = world.executable(key)
        if key.startswith("url."):
            by_hand(repo, "config", key.format(program), value)
        else:
            by_hand(repo, "config", key, value.format(program))
    for key, value in SWITCHES.items():
        by_hand(repo, "config", key, value)
    for key in FILTERS[:2]:
        by_hand(repo, "config", key, world.executable(key, "cat"))
    by_hand(repo, "config", FILTERS[2], world.executable(FILTERS[2], _DOES_NOTHING))
    for name in HOOKS:
        hook(repo, name, world.program(f"hook {name}"))
    for git_dir in (repo / ".git/modules/sub", inner / ".git"):
        for key in ("core.fsmonitor", "uploadpack.packObjectsHook", "core.alternateRefsCommand"):
            by_hand(git_dir, "config", key, world.executable(f"inner {key}"))
        for name in HOOKS:
            path = git_dir / "hooks" / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(f"#!/bin/sh\n{world.program(f'inner hook {name}')}\n")
            path.chmod(0o755)


def _cycle(world: World) -> dict[str, dict[str, str]]:
    found = {}
    made, hold = prepare(world.repo, "night", "main")
    hold.release()
    tree = made.path
    found["worktree"] = world.proven()
    assert (tree / "sub/a.txt").exists()

    snapshot = Snapshot.take(tree)
    write(tree, **{"a.txt": "two\n", "b.txt": "two\n", "dir/c.txt": "two\n", "new.txt": "n"})
    assert changes(snapshot) == ["a.txt", "b.txt", "dir/c.txt", "new.txt"]
    found["snapshot"] = world.proven()
    done = commit(snapshot, ORIGIN)
    assert (done.files, done.rest, done.problem) == (("a.txt", "b.txt", "dir/c.txt", "new.txt"), (), "")
    found["commit"] = world.proven()

    snapshot = Snapshot.take(tree)
    write(tree, **{"a.txt": "three\n", "b.txt": "three\n", "sub/a.txt": "inner\n", "nested/x.txt": "x"})
    by_hand(tree / "nested", "init", "-q")
    by_hand(tree / "nested", "commit", "-q", "--allow-empty", "-m", "x")
    put = aside(snapshot, "r", "t")
    assert put
    assert (tree / "a.txt").read_text() == "two\n" and not (tree / "nested").exists()
    found["aside"] = world.proven()

    by_hand(tree, "branch", "other", "HEAD~1")
    write(tree, **{"a.txt": "mine\n"})
    by_hand(tree, "stash", "push", "-q")
    file = world.repo.parent / "open.json"
    journal.begin(file, Snapshot.take(tree), "r", "t").leave()
    write(tree, **{"a.txt": "left\n", "b.txt": "left\n"})
    by_hand(tree, "stash", "drop", "-q")
    by_hand(tree, "commit", "-q", "-am", "to be orphaned")
    by_hand(tree, "-c", "core.editor=true", "rebase", "-q", "--onto", "other", "HEAD~1", ok=False)
    write(tree, **{"a.txt": "again\n"})
    world.proven()
    done_of_it = journal.recover(file)
    assert done_of_it and done_of_it.sentence
    before = Snapshot.take(tree)
    by_hand(tree, "reset", "-q", "--hard", "HEAD~1")
    losses(before, "r", "t")
    assert not Repository.at(tree).ask("cat-file", "-e", "1" * 40).ok  # git would fetch it
    assert not Repository.at(world.repo).ask("rev-parse", "--verify", "1" * 40 + "^{commit}").ok
    refusal(tree)
    found["recover"] = world.proven()

    assert [t.name for t in trees(world.repo)] == ["night"]
    assert remove(world.repo, "night", force=True) == ""
    found["prune"] = world.proven()
    return found


def test_what_is_planted_is_run_by_git_itself(tmp_path: Path) -> None:
    """Or the others would prove nothing."""
    world = World(furnished(tmp_path / "repo"), tmp_path / "proofs")
    world.proofs.mkdir()
    git(world.repo, "config", "core.fsmonitor", world.executable("core.fsmonitor"))
    hook(world.repo, "post-index-change", world.program("hook post-index-change"))
    git(world.repo, "status")
    assert world.proven().keys() == {"core.fsmonitor", "hook post-index-change"}


@pytest.mark.parametrize("key", [*NEVER, *(f"inner {key}" for key in ("core.fsmonitor", "uploadpack.packObjectsHook"))])
def test_a_program_of_the_configuration_is_not_run(runs: dict[str, dict[str, str]], key: str) -> None:
    assert [act for act, found in runs.items() if key in found] == []


@pytest.mark.parametrize("name", HOOKS)
def test_hooks_run_at_our_commit_and_in_a_new_worktree_only(runs: dict[str, dict[str, str]], name: str) -> None:
    meant = [*["worktree"] * (name in AT_THE_WORKTREE), *["commit"] * (name in AT_THE_COMMIT)]
    assert [act for act, found in runs.items() if f"hook {name}" in found] == meant
    assert [act for act, found in runs.items() if f"inner hook {name}" in found] == []


@pytest.mark.parametrize("key", FILTERS)
def test_filters_run_wherever_files_are_compared(runs: dict[str, dict[str, str]], key: str) -> None:
    assert key in {**runs["worktree"], **runs["snapshot"], **runs["commit"]}


def test_no_program_learns_a_secret_of_the_node(runs: dict[str, dict[str, str]]) -> None:
    for found in runs.values():
        for name, environment in found.items():
            assert "PATH=" in environment, name
            assert "planted-" not in environment, name


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository, on a node whose environment is full of secrets."""
    made = furnished(tmp_path / "repo")
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    return made


def test_a_script_that_a_hook_calls_gets_no_token_of_the_node(repo: Path) -> None:
    write(repo, **{"lint.sh": "true\n"})
    git(repo, "add", "lint.sh")
    git(repo, "commit", "-qm", "lint")
    hook(repo, "pre-commit", "sh lint.sh")
    snapshot = Snapshot.take(repo)
    write(repo, **{"lint.sh": "{ printenv GITHUB_TOKEN; env; } > stolen.txt; git add stolen.txt\n"})
    commit(snapshot, ORIGIN)
    stolen = git(repo, "show", "HEAD:stolen.txt")
    assert "PATH=" in stolen
    assert "planted" not in stolen


def test_a_signing_program_gets_no_token_of_the_node(repo: Path, tmp_path: Path) -> None:
    signer, seen = tmp_path / "signer", tmp_path / "seen"
    signer.write_text(f"#!/bin/sh\nenv > '{seen}'\ncat > /dev/null; echo '[GNUPG:] SIG_CREATED x' >&2; echo SIGNED\n")
    signer.chmod(0o755)
    git(repo, "config", "commit.gpgSign", "true")
    git(repo, "config", "gpg.program", str(signer))
    snapshot = Snapshot.take(repo)
    write(repo, **{"a.txt": "two\n"})
    commit(snapshot, ORIGIN)
    assert "gpgsig SIGNED" in git(repo, "cat-file", "commit", "HEAD")
    assert "planted" not in seen.read_text()


def _bare(place: Path, proof: Path, *more: str) -> None:
    """The files of a bare repository whose configuration runs a program."""
    git(place.parent, "init", "-q", "--bare", str(place))
    git(place, "config", "core.fsmonitor", f"touch '{proof}'; true")
    for key, value in zip(more[::2], more[1::2], strict=True):
        git(place, "config", key, value)
    for folder in ("objects/info", "objects/pack", "refs/heads", "refs/tags"):  # as a clone has them
        (place / folder).mkdir(exist_ok=True, parents=True)
        (place / folder / ".keep").touch()


@pytest.mark.parametrize("more", [(), ("core.bare", "false", "core.worktree", "..")], ids=["bare", "with a work tree"])
def test_a_bare_repository_among_the_files_of_a_clone_is_not_used(
    repo: Path, tmp_path: Path, more: tuple[str, ...]
) -> None:
    proof = tmp_path / "proof"
    _bare(repo / "sub", proof, *more)
    git(repo, "add", "-A", "-f", "sub")
    git(repo, "commit", "-qm", "sub")
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", str(repo), str(clone))
    assert git(clone / "sub", "rev-parse", "--git-dir") in (".", str(clone / "sub"))  # git would take it
    for tries in (Repository.at, Snapshot.take, refusal, trees, lambda place: prepare(place, "night", "main")):
        for place in (clone / "sub", clone / "sub/refs"):
            with pytest.raises(GitError) as caught:
                tries(place)
            assert "\n" not in str(caught.value)
    assert not proof.exists()
    done = subprocess.run(["git", "-C", str(clone / "sub"), "status"], capture_output=True, check=False)
    assert more == () or (done.returncode == 0 and proof.exists())  # the plant works


def test_a_bare_repository_that_is_meant_is_used(tmp_path: Path) -> None:
    repo = a_repository(tmp_path / "repo")
    proof = tmp_path / "proof"
    git(tmp_path, "clone", "-q", "--bare", str(repo), "main.git")
    git(tmp_path / "main.git", "config", "core.fsmonitor", f"touch '{proof}'; true")
    made, hold = prepare(tmp_path / "main.git", "night", "main")
    hold.release()
    assert made.path == tmp_path / "main.git/trees/night"
    assert [tree.name for tree in trees(tmp_path / "main.git")] == ["night"]
    assert remove(tmp_path / "main.git", "night", force=True) == ""
    assert not proof.exists()
    assert os.environ["HOME"]
