"""What leaves a run, wherever its texts come from: no secret of any profile or of the login, nothing that steers."""

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prefect.client.schemas.objects import State
from prefect.settings import PREFECT_API_AUTH_STRING, temporary_settings
from prefect.types import SecretDict

from ccs.blocks.profile import Profile
from ccs.blocks.redact import MASK
from ccs.blocks.spellings import spellings
from tests.fakes.anthropic import FakeApi
from tests.worlds.flow import Server, run, run_id
from tests.worlds.git import git, hook

OF_JOB = "glpat-Qw8Zx3Vn6Ty1Lm5Rb"
OF_TASK = "npm_9fKd2LsPq7WvXe4Hj0Ua"
LOGIN = "worker:Vt6-mq2-Ze9-ko4"
SECRETS = (OF_JOB, OF_TASK, LOGIN, LOGIN.partition(":")[2])

STEERING = "\x1b[2J\x1b]0;title\x07\x9b31m\u202e\u200b\rgone"
"""Clears the screen, sets a title, has a colour, turns writing around, hides, and goes back to the line's beginning."""

_STEERS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u202a-\u202e\u2066-\u2069]")


def encoded(secret: str) -> str:
    """The secret in base64, in hexadecimal, and with its characters escaped."""
    raw = secret.encode()
    return f"{base64.b64encode(raw).decode()} {raw.hex()} " + "".join(f"%{byte:02x}" for byte in raw)


ALL = STEERING + " ".join(f"{secret} {encoded(secret)}" for secret in SECRETS)
"""Every secret in several spellings, and what steers a terminal."""


@pytest.fixture
def state_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CCS_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("IS_SANDBOX", "1")
    return tmp_path / "state"


@pytest.fixture
def two_profiles(profile: str) -> tuple[str, str]:
    """The profile of a job and another of one of its tasks, each with a secret of its own."""
    found = Profile.load(profile)
    assert isinstance(found, Profile)
    for name, secret in (("of-the-job", OF_JOB), ("of-a-task", OF_TASK)):
        Profile(variables=found.variables, secrets=SecretDict({"DEPLOY": secret})).save(name, overwrite=True)
    return "of-the-job", "of-a-task"


@pytest.fixture
def place(repository: Path, tmp_path: Path) -> Path:
    """The repository on a branch whose name is a secret, beside a file that holds all of them."""
    git(repository, "switch", "-q", "-c", f"fix/{OF_JOB}-{OF_TASK}\u202e")
    (tmp_path / "planted").write_text(ALL)
    return repository


def logged_in(spec: dict[str, Any], place: Path, *tasks: dict[str, Any], profile: str) -> State[Any]:
    with temporary_settings({PREFECT_API_AUTH_STRING: LOGIN}):
        return run(profile, place, *tasks, **spec)


def left(server: Server, state: State[Any], streams: str) -> dict[str, str]:
    """By where it is everything that left the run, but for the files on its node."""
    run = run_id(state)
    asked = {"id": {"any_": [run]}}
    of_run = {"flow_runs": asked, "limit": 200}
    server.logs(state, until="Finished in state")
    return {
        "streams": streams,
        "result": str(state.message),
        "run": json.dumps(server.http.get(f"/flow_runs/{run}").json()),
        "states": json.dumps(server.http.get("/flow_run_states/", params={"flow_run_id": run}).json()),
        "task runs": json.dumps(server.post("/task_runs/filter", **of_run)),
        "artifacts": json.dumps(server.post("/artifacts/filter", **of_run)),
        "variables": json.dumps(server.post("/variables/filter", limit=200)),
        "log": json.dumps(
            server.post("/logs/filter", logs={"flow_run_id": {"any_": [run]}}, sort="TIMESTAMP_ASC", limit=200)
        ),
    }


def kept(folder: Path) -> dict[str, str]:
    """The files that the run has left on its node."""
    return {str(path): path.read_bytes().decode("utf-8", "replace") for path in folder.rglob("*") if path.is_file()}


def texts(value: object) -> Iterator[str]:
    """Every text in a value of JSON, also in JSON that is such a text."""
    match value:
        case str():
            yield value
            if value.startswith(("[", "{")):
                yield from texts(json.loads(value))
        case dict():
            for name, item in value.items():
                yield from texts(name)
                yield from texts(item)
        case list():
            for item in value:
                yield from texts(item)


def assert_nothing_is_told(found: dict[str, str]) -> None:
    for where, text in found.items():
        for secret in SECRETS:
            spelled = spellings(secret)
            for form in (*spelled.wrapped, *spelled.others):
                assert form.decode() not in text, (where, secret, form, text)


def assert_nothing_steers(found: dict[str, str]) -> None:
    for where, text in found.items():
        for part in [text] if where in ("streams", "result") else texts(json.loads(text)):
            assert not _STEERS.search(part), (where, part)


def test_nothing_that_leaves_a_run_has_a_secret_or_steers_a_terminal(
    server: Server,
    fake_api: FakeApi,
    two_profiles: tuple[str, str],
    state_home: Path,
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    planted = place.parent / "planted"
    named = "printf 'x' > \"$DEPLOY.txt\"; printf x > \"$(printf '\\033[31mred')\"; echo more >> README"
    also = f"printf x > {OF_TASK}.txt; printf x > {base64.b64encode(OF_JOB.encode()).decode()}.txt"
    work = {"tool": "Bash", "input": {"command": f"{named}; {also}; git stash list; cat {planted}"}}
    schema = {"type": "object", "properties": {"said": {"type": "string"}}, "required": ["said"]}
    rules = [
        ["name the files", [work, {"text": f"done {ALL} {{{{last}}}}"}]],
        ["call a tool", [{"tool": f"tool-{OF_JOB}", "input": {"command": ALL}}, {"structured": {"said": ALL}}]],
        ["be refused", [{"tool": "Bash", "input": {"command": "echo more > refused.txt"}}, {"text": "done"}]],
        ["ask in vain", [{"status": 403, "times": -1, "message": ALL}]],
    ]
    monkeypatch.setattr(fake_api, "rules", rules)
    hook(place, "pre-commit", f"if [ -e refused.txt ]; then cat {planted}; exit 1; fi\n")
    job, other = two_profiles

    def asks(prompt: str, **more: Any) -> dict[str, Any]:
        return {"name": prompt.replace(" ", "-"), "prompt": prompt, "permissions": "bypass", **more}

    shows = f"cat {planted}; ls"
    tasks = [
        asks("name the files", only_if=shows, gates=[{"command": shows}]),
        asks("call a tool", profile=other, output_schema=schema, gates=[{"command": f"{shows}; false"}]),
        asks("be refused"),
        asks("ask in vain"),
    ]
    spec = {"on_failure": "continue", "only_if": shows}
    state = logged_in(spec, place, *tasks, profile=job)
    said = capfd.readouterr()
    rows = {row["task"]: row["verdict"] for row in server.rows(state)}
    assert list(rows.values()) == ["ok", "gate", "commit", "auth"], state.message
    server.task_runs(state)  # they are in the database when this returns
    found = left(server, state, said.out + said.err)
    assert_nothing_is_told({**found, **kept(state_home)})
    assert_nothing_steers(found)
    log = found["log"]
    assert f"committed {MASK}.txt" in log or f"{MASK}.txt" in log
    assert "fix/" + MASK in log
    assert "\\\\x1b[2J" in log and "\\\\u202e" in log
    assert any("\\u001b" in text for path, text in kept(state_home).items() if path.endswith(".jsonl"))


def test_what_is_said_before_any_task_and_by_an_unforeseen_error_is_clean_too(
    server: Server,
    two_profiles: tuple[str, str],
    state_home: Path,
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError(ALL)

    task = {"name": "a", "prompt": "x", "profile": two_profiles[1]}
    file = place / f"{OF_TASK}{OF_JOB}{STEERING}"
    file.touch()
    git(place, "add", "-A")
    git(place, "commit", "-qm", "named")
    file.write_text("changed")
    refused = logged_in({}, place, task, profile=two_profiles[0])
    git(place, "checkout", "-q", ".")
    monkeypatch.setattr("ccs.flows.run.task._request", broken)
    in_task = logged_in({}, place, task, profile=two_profiles[0])
    monkeypatch.setattr("ccs.flows.job._run_tasks", broken)
    in_flow = logged_in({}, place, task, profile=two_profiles[0])
    said = capfd.readouterr()
    for state, words in ((refused, MASK), (in_task, "task a did not run"), (in_flow, "encountered an exception")):
        assert state.is_failed()
        assert words in (state.message or "")
        found = left(server, state, said.out + said.err)
        assert_nothing_is_told({**found, **kept(state_home)})
        assert_nothing_steers(found)
