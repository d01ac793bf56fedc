"""Sessions of tasks: the real claude goes on where a task was, after losses, elsewhere, and never twice at once."""

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from ccs.blocks.redact import Redactor
from ccs.flows.sessions.store import KEPT, Mode, SessionOpening, SessionStore
from tests.fakes.anthropic import FakeApi
from tests.fakes.s3 import running_s3
from tests.worlds.claude import Bench, bundled_claude

pytestmark = pytest.mark.claude

JOB, TASK = "night/../watch 🦉", "0b7f2c1e-0000-4000-8000-000000000001"

SECRET = "sk-ant-api03-Session4Wq8Zt1Yb"


@dataclass
class Node:
    """A node with a home of claude and a store of its own."""

    folder: Path
    api: FakeApi
    shared: str = ""
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.bench = Bench(self.folder, self.api.url)
        self.store = SessionStore(
            self.folder / "state",
            self.shared,
            node=self.folder.name,
            redact=Redactor([SECRET]).line,
            warn=self.said.append,
        )

    def environment(self, **values: str) -> dict[str, str]:
        return self.bench.environment(**values)

    def claude(self, prompt: str, opening: SessionOpening, cwd: Path | None = None, **values: str) -> str:
        """One attempt as the opening says; the id of its session."""
        new = str(uuid4())
        arguments = [f"--resume={opening.resume}"] if opening.resume else []
        arguments += ["--fork-session"] if opening.is_fork else []
        arguments += [f"--session-id={new}"] if opening.is_fork or not opening.resume else []
        done = subprocess.run(
            [bundled_claude(), "-p", "--verbose", "--output-format", "stream-json", "--model", "sonnet", *arguments],
            input=prompt.encode(),
            capture_output=True,
            check=False,
            env=self.environment(**values),
            cwd=cwd or self.bench.cwd,
        )
        assert done.returncode == 0, (arguments, done.stdout[-2000:], done.stderr)
        result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        expected = opening.session_id if opening.resume and not opening.is_fork else new
        assert result["session_id"] == expected
        return expected

    def run(self, prompt: str, mode: Mode, cwd: Path | None = None, **values: str) -> tuple[str, SessionOpening]:
        """A run of the task: its attempt, and the keeping of it."""
        environment = self.environment(**values)
        with self.store.opened(JOB, TASK, mode, environment, cwd or self.bench.cwd) as opening:
            session = self.claude(prompt, opening, cwd, **values)
            assert self.store.keep(JOB, TASK, session, environment)
        return session, opening

    @property
    def heard(self) -> list[str]:
        """What the user said, in the newest request to the model."""
        assert self.api.dump is not None
        body = json.loads(max(self.api.dump.iterdir()).read_text())["body"]
        texts = [m["content"] for m in body["messages"] if m["role"] == "user"]
        blocks = [[{"text": t}] if isinstance(t, str) else t for t in texts]
        return [t["text"] for block in blocks for t in block if t.get("text", "").startswith("say ")]


@pytest.fixture
def api(tmp_path: Path) -> Iterator[FakeApi]:
    with FakeApi(dump=tmp_path / "dump") as api:
        yield api


@pytest.fixture
def node(tmp_path: Path, api: FakeApi) -> Node:
    return Node(tmp_path / "node-a", api)


@pytest.fixture
def shared(tmp_path: Path, server_url: str) -> Iterator[str]:
    """A shared folder, and the server that shared sessions are claimed on."""
    (tmp_path / "share").mkdir()
    with temporary_settings({PREFECT_API_URL: server_url}):
        yield str(tmp_path / "share")


def test_a_new_session_has_nothing_before_it(node: Node) -> None:
    first, _ = node.run("say one", "new")
    second, opening = node.run("say two", "new")
    assert opening == SessionOpening() and first != second and node.heard == ["say two"]
    assert not node.said


def test_reuse_goes_on_in_the_same_session(node: Node) -> None:
    first, opening = node.run("say one", "reuse")
    assert opening == SessionOpening(said="the task has no earlier session: it begins a new one")
    second, opening = node.run("say two", "reuse")
    assert opening == SessionOpening(first, session_id=first) and second == first
    node.run("say three", "reuse")
    assert node.heard == ["say one", "say two", "say three"]
    assert not node.said


def test_reuse_survives_the_loss_of_all_that_claude_kept(node: Node) -> None:
    first, _ = node.run("say one", "new")
    shutil.rmtree(node.bench.home / ".claude")
    second, opening = node.run("say two", "reuse")
    assert second == first and not opening.said and node.heard == ["say one", "say two"]
    [file] = (node.bench.home / ".claude/projects").glob("*/*.jsonl")
    assert file.parent.name == "".join(c if c.isalnum() else "-" for c in os.path.realpath(node.bench.cwd))


def test_reuse_in_another_home_another_directory_and_a_configured_folder(node: Node, tmp_path: Path) -> None:
    first, _ = node.run("say one", "new")
    (tmp_path / "elsewhere").mkdir()
    config = str(tmp_path / "config")
    second, _ = node.run("say two", "reuse", cwd=tmp_path / "elsewhere", HOME=str(tmp_path), CLAUDE_CONFIG_DIR=config)
    assert second == first and node.heard == ["say one", "say two"]
    node.run("say three", "reuse")  # in the first home, where claude's own file is behind
    assert node.heard == ["say one", "say two", "say three"]


def test_a_fork_leaves_its_origin_as_it_is(node: Node) -> None:
    first, _ = node.run("say one", "new")
    [file] = (node.bench.home / ".claude/projects").glob("*/*.jsonl")
    before = file.read_bytes()
    second, opening = node.run("say two", "fork")
    assert opening.is_fork and opening.session_id == first != second and node.heard == ["say one", "say two"]
    assert file.read_bytes() == before
    assert not Path(opening.resume).exists()
    _, opening = node.run("say three", "fork")
    assert opening.session_id == second and node.heard == ["say one", "say two", "say three"]


def test_what_somebody_said_by_hand_stays(node: Node) -> None:
    first, _ = node.run("say one", "new")
    node.claude("say by hand", SessionOpening(first, session_id=first))
    node.run("say two", "reuse")
    assert node.heard == ["say one", "say by hand", "say two"]


def test_a_session_that_went_another_way_is_put_aside(node: Node) -> None:
    first, _ = node.run("say one", "new")
    [file] = (node.bench.home / ".claude/projects").glob("*/*.jsonl")
    file.write_text('{"type":"something else"}\n')
    assert node.run("say two", "reuse")[0] == first
    assert node.heard == ["say one", "say two"]
    assert file.with_suffix(".jsonl.aside").read_text() == '{"type":"something else"}\n'


def test_a_session_that_is_gone_is_replaced_and_that_is_said(node: Node) -> None:
    first, _ = node.run("say one", "new")
    shutil.rmtree(node.bench.home / ".claude")
    for file in (node.folder / "state").rglob("*.jsonl"):
        file.unlink()
    modes: tuple[Mode, ...] = ("reuse", "fork")
    for mode in modes:
        with node.store.opened(JOB, TASK, mode, node.environment(), node.bench.cwd) as opening:
            assert opening == SessionOpening(said=f"nothing is left of session {first}: the task begins a new one")


def test_a_session_in_use_is_forked_and_that_is_said(node: Node) -> None:
    first, _ = node.run("say one", "new")
    with node.store.opened(JOB, TASK, "reuse", node.environment(), node.bench.cwd) as opening:
        assert not opening.is_fork
        second, other = node.run("say two", "reuse")
        assert other.is_fork and second != first and node.heard == ["say one", "say two"]
        assert other.said == f"session {first} is used by another run: this one works on a fork of it"
        node.claude("say three", opening)
        assert node.heard == ["say one", "say three"]
        node.store.keep(JOB, TASK, first, node.environment())
    assert node.run("say four", "reuse")[1] == SessionOpening(first, session_id=first)


def test_the_lock_of_a_dead_run_is_free_and_its_claude_is_waited_out(node: Node) -> None:
    first, _ = node.run("say one", "new")
    code = (
        "import sys; from pathlib import Path; from ccs.flows.sessions.store import SessionStore\n"
        f"store = SessionStore(Path({str(node.folder / 'state')!r}), '', node='x', redact=bytes, warn=print)\n"
        f"with store.opened({JOB!r}, {TASK!r}, 'reuse', {{'HOME': {str(node.bench.home)!r}}}, Path('/')) as opening:\n"
        "    print(opening.is_fork, flush=True); sys.stdin.read()\n"
    )

    def opens_as_fork() -> bool:
        with node.store.opened(JOB, TASK, "reuse", node.environment(), node.bench.cwd) as opening:
            return opening.is_fork

    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as run:
        assert run.stdout is not None and run.stdout.readline() == b"False\n"
        assert opens_as_fork()
        run.send_signal(signal.SIGKILL)
        run.wait()
    assert not opens_as_fork()
    with subprocess.Popen(["sleep", "600"], env={"PATH": os.environ["PATH"], "CCS_ATTEMPT": first}) as left:
        assert opens_as_fork()
        left.kill()
    assert not opens_as_fork() and not list((node.folder / "state/sessions/locks").iterdir())


def test_a_run_goes_on_with_the_session_it_began(node: Node) -> None:
    first, _ = node.run("say one", "new")
    node.run("say two", "new")
    with node.store.opened(JOB, TASK, "new", node.environment(), node.bench.cwd, continues=first) as opening:
        assert opening == SessionOpening(first, session_id=first)
        node.claude("say three", opening)
    assert node.heard == ["say one", "say three"]


def test_an_attempt_without_a_session_keeps_nothing(node: Node) -> None:
    assert not node.store.keep(JOB, TASK, str(uuid4()), node.environment())
    assert node.store.last(JOB, TASK) is None


def test_jobs_and_tasks_do_not_meet_and_names_lead_nowhere(node: Node) -> None:
    session, _ = node.run("say one", "new")
    last = node.store.last(JOB, TASK)
    assert last is not None and (last.id, last.node) == (session, "node-a")
    for job, task in ((JOB.replace("/", " "), TASK), (JOB, str(uuid4())), ("night-watch", TASK)):
        assert node.store.last(job, task) is None
    [kept] = (node.folder / "state" / "sessions").glob("*/*/*.jsonl")
    assert kept.parent.name == TASK and kept.parent.parent.name.startswith("night-watch-")


def test_what_is_kept_is_for_its_owner_alone(node: Node, shared: str) -> None:
    before = os.umask(0)
    try:
        other = Node(node.folder.parent / "node-b", node.api, shared)
        other.run("say one", "new")
        other.run("say two", "reuse")
    finally:
        os.umask(before)
    for path in [*(other.folder / "state" / "sessions").rglob("*"), *Path(shared).rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_what_is_kept_is_without_secrets_and_goes_on_all_the_same(node: Node, shared: str, tmp_path: Path) -> None:
    node = Node(node.folder, node.api, shared)
    first, _ = node.run(f"say one {SECRET}", "new")
    second, opening = node.run("say two", "reuse")
    [own] = (node.bench.home / ".claude/projects").glob("*/*.jsonl*")  # claude's, which went on, is the newest
    assert second == first and not opening.said and SECRET in own.read_text()
    own.unlink()
    assert node.run("say three", "reuse")[0] == first
    assert [text.replace(SECRET, "") for text in node.heard] == ["say one ********", "say two", "say three"]
    kept = [*tmp_path.glob(f"*/state/sessions/*/*/{first}.jsonl"), *Path(shared).glob(f"sessions/*/*/{first}.jsonl")]
    assert len(kept) == 2
    assert not [file for file in kept if SECRET in file.read_text()]


def test_only_the_newest_are_kept(node: Node, shared: str) -> None:
    node = Node(node.folder, node.api, shared)
    sessions = []
    projects = node.bench.home / ".claude" / "projects" / "-x"
    projects.mkdir(parents=True)
    for _ in range(KEPT + 3):
        sessions.append(str(uuid4()))
        (projects / f"{sessions[-1]}.jsonl").write_text("{}\n")
        assert node.store.keep(JOB, TASK, sessions[-1], node.environment())
    for root in (node.folder / "state", Path(shared)):
        assert {f.stem for f in root.rglob("*-*.jsonl")} == set(sessions[-KEPT:])


@pytest.mark.parametrize("damage", [b"", b"[]", b"\xff\0", b'{"sessions": [{"id": "../../x", "kept_at": "9"}, 3]}'])
def test_a_damaged_index_is_none(node: Node, damage: bytes) -> None:
    node.run("say one", "new")
    [index] = (node.folder / "state").rglob("sessions.json")
    index.write_bytes(damage)
    assert node.store.last(JOB, TASK) is None
    session, _ = node.run("say two", "reuse")
    last = node.store.last(JOB, TASK)
    assert last is not None and last.id == session


def test_another_node_goes_on_and_the_first_one_after_it(tmp_path: Path, api: FakeApi, shared: str) -> None:
    here, there = Node(tmp_path / "node-a", api, shared), Node(tmp_path / "node-b", api, shared)
    first, _ = here.run("say one", "reuse")
    assert there.run("say two", "reuse")[0] == first
    assert there.heard == ["say one", "say two"]
    assert here.run("say three", "reuse")[0] == first
    assert here.heard == ["say one", "say two", "say three"]
    fork, _ = there.run("say four", "fork")
    assert there.heard == ["say one", "say two", "say three", "say four"]
    last = here.store.last(JOB, TASK)
    assert last is not None and (last.id, last.node) == (fork, "node-b")
    assert here.said == there.said == []


def test_a_session_in_use_on_another_node_is_forked(tmp_path: Path, api: FakeApi, shared: str, server_url: str) -> None:
    here, there = Node(tmp_path / "node-a", api, shared), Node(tmp_path / "node-b", api, shared)
    first, _ = here.run("say one", "new")
    claim = f"{server_url}/variables/name/ccs_session_{first.replace('-', '_')}"
    with here.store.opened(JOB, TASK, "reuse", here.environment(), here.bench.cwd):
        assert httpx.get(claim).json()["value"]["holder"] == "node-a"
        _, opening = there.run("say two", "reuse")
        assert opening.is_fork and opening.session_id == first and "is used by another run" in opening.said
    assert httpx.get(claim).status_code == 404
    assert there.heard == ["say one", "say two"]


def test_a_shared_place_that_fails_is_a_warning(tmp_path: Path, api: FakeApi, shared: str) -> None:
    node = Node(tmp_path / "node-a", api, shared)
    first, _ = node.run("say one", "new")
    Path(shared).rename(tmp_path / "unmounted")
    assert node.run("say two", "reuse")[0] == first
    assert node.said and all("does not exist on this node" in text for text in node.said)
    (tmp_path / "unmounted").rename(shared)
    node.said.clear()
    node.run("say three", "reuse")  # the node's own copy is newer than the shared one
    assert node.heard == ["say one", "say two", "say three"] and not node.said


def test_without_a_server_a_shared_session_is_forked(tmp_path: Path, api: FakeApi, shared: str) -> None:
    node = Node(tmp_path / "node-a", api, shared)
    node.run("say one", "new")
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}):
        _, opening = node.run("say two", "reuse")
    assert opening.is_fork and node.heard == ["say one", "say two"]
    assert [t for t in node.said if "the server does not say" in t]


def test_a_bucket_is_a_shared_place(tmp_path: Path, api: FakeApi, shared: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with running_s3() as s3:
        for name, value in s3.variables.items():
            monkeypatch.setenv(name, value)
        here, there = (Node(tmp_path / name, api, "s3://bucket/ccs") for name in ("node-a", "node-b"))
        first, _ = here.run("say one", "new")
        assert there.run("say two", "reuse")[0] == first and there.heard == ["say one", "say two"]
        (tmp_path / "transcript.jsonl").write_text("line\n")
        here.store.keep_transcripts("run-1", [tmp_path / "transcript.jsonl", None])
        assert s3.objects["/bucket/ccs/runs/run-1/transcript.jsonl"] == b"line\n"
        assert here.said == there.said == []
        s3.refuses = True
        here.store.keep_transcripts("run-1", [tmp_path / "transcript.jsonl"])
        assert "AccessDenied" in here.said[0]


def test_transcripts_go_to_the_shared_place_if_there_is_one(node: Node, shared: str, tmp_path: Path) -> None:
    transcript = tmp_path / "task-1.jsonl"
    transcript.write_text("line\n")
    node.store.keep_transcripts("run-1", [transcript])
    Node(tmp_path / "node-b", node.api, shared).store.keep_transcripts("run-1", [transcript, None])
    assert (Path(shared) / "runs" / "run-1" / "task-1.jsonl").read_text() == "line\n"
