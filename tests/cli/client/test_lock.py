"""Changes at the same time: none is lost, and a holder that died is not waited for for ever."""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ccs.cli.client import lock
from ccs.cli.client.api import Api
from ccs.cli.client.settings import Settings
from ccs.cli.errors import RequestError
from ccs.cli.terminal.output import say
from tests.worlds.cli import CCS, Cli


@pytest.fixture
def api(server_url: str) -> Iterator[Api]:
    api = Api(Settings({"PREFECT_API_URL": server_url}), notify=say)
    yield api
    api.close()


def test_changes_of_different_kinds_at_once_all_arrive(ccs: Cli) -> None:
    ccs.ok("jobs", "create", "--name", "mixed")
    for name in ("a", "b"):
        ccs.ok("tasks", "create", "--job", "mixed", "--name", name, "--prompt", name)
    children = [
        ccs.start("tasks", "disable", "mixed/a"),
        ccs.start("tasks", "update", "mixed/b", "--model", "opus"),
        ccs.start("tasks", "create", "--job", "mixed", "--name", "c", "--prompt", "c"),
        ccs.start("jobs", "update", "mixed", "--description", "changed"),
    ]
    for child in children:
        assert child.wait(timeout=120) == 0
        child.communicate()
    job = ccs.ok("jobs", "get", "mixed").json
    assert job["description"] == "changed"
    assert [(t["name"], t["enabled"], t["model"]) for t in job["tasks"]] == [
        ("a", False, "sonnet"),
        ("b", True, "opus"),
        ("c", True, "sonnet"),
    ]


def test_twenty_new_tasks_and_four_processes_that_change_others_lose_nothing(ccs: Cli) -> None:
    ccs.ok("jobs", "create", "--name", "busy")
    for name in ("a", "b"):
        ccs.ok("tasks", "create", "--job", "busy", "--name", name, "--prompt", name)
    names = [f"task {number}" for number in range(20)]
    children = [ccs.start("tasks", "create", "--job", "busy", "--name", n, "--prompt", n) for n in names]
    loops = (
        "ccs tasks enable busy/a && ccs tasks disable busy/a && ccs tasks enable busy/a && ccs tasks disable busy/a",
        "ccs tasks disable busy/b && ccs tasks enable busy/b && ccs tasks disable busy/b && ccs tasks enable busy/b",
        "ccs tasks update busy/a --model opus && ccs tasks update busy/b --model haiku",
        "ccs jobs set-order busy b a || true; ccs jobs set-order busy a b || true",  # it may lack one that is new
    )
    path = f"{Path(CCS).parent}:{os.environ['PATH']}"
    for loop in loops:
        script, env = f"({loop}) > /dev/null", {**os.environ, **ccs.env, "PATH": path}
        children.append(subprocess.Popen(["bash", "-c", script], env=env, stderr=subprocess.PIPE, text=True))
    ends = [(child.communicate(timeout=300)[1], child.returncode) for child in children]
    assert [code for _, code in ends] == [0] * 24, ends
    tasks = {t["name"]: t for t in ccs.ok("jobs", "tasks", "busy").json}
    assert {n: t["prompt"] for n, t in tasks.items()} == {n: n for n in ("a", "b", *names)}
    assert [(tasks[n]["enabled"], tasks[n]["model"]) for n in ("a", "b")] == [(False, "opus"), (True, "haiku")]


def test_of_two_jobs_created_at_once_with_one_name_one_is_refused(ccs: Cli) -> None:
    children = [ccs.start("jobs", "create", "--name", "race", "--description", str(n)) for n in range(4)]
    codes = [(child.communicate(timeout=120), child.returncode)[1] for child in children]
    assert sorted(codes) == [0, 1, 1, 1]


def test_nothing_is_left_of_a_lock(api: Api) -> None:
    with lock.held(api, "left-over", "a thing"):
        assert api.get("/variables/name/ccs_lock_left_over")
    with pytest.raises(RequestError):
        api.get("/variables/name/ccs_lock_left_over")


def test_a_lock_that_a_dead_holder_left_is_broken(
    api: Api, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(lock, "LIFETIME", 2.0)
    dead = {"name": "ccs_lock_dead", "value": {"host": "elsewhere", "pid": 1, "user": "nobody"}}
    api.post("/variables/", dead)
    with lock.held(api, "dead", "job 'x'"):
        pass
    assert "broke the lock on job 'x' that nobody on elsewhere (process 1) left behind" in capsys.readouterr().err


def test_a_lock_of_a_process_of_this_machine_that_is_gone_is_broken_at_once(api: Api) -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    place = {"host": socket.gethostname(), "space": lock._space()}
    api.post("/variables/", {"name": "ccs_lock_ended", "value": {**place, "pid": child.pid, "born": "1", "user": "me"}})
    began = time.monotonic()
    with lock.held(api, "ended", "job 'x'"):
        pass
    assert time.monotonic() - began < lock.LIFETIME / 2


def test_who_must_wait_is_told_for_whom(server_url: str) -> None:
    other = Api(Settings({"PREFECT_API_URL": server_url}))
    entered, told = threading.Event(), threading.Event()
    said: list[str] = []

    def hold() -> None:
        with lock.held(other, "busy", "job 'x'"):
            entered.set()
            told.wait(120)

    def hear(text: str, level: int) -> None:
        if level == 0:
            said.append(text)
            told.set()

    holder = threading.Thread(target=hold)
    holder.start()
    assert entered.wait(120)
    with closing(Api(Settings({"PREFECT_API_URL": server_url}), notify=hear)) as api, lock.held(api, "busy", "job 'x'"):
        pass
    holder.join()
    other.close()
    assert len(said) == 1 and said[0].endswith("to finish changing job 'x' …")


def test_a_holder_whose_lock_was_taken_writes_nothing(api: Api) -> None:
    with lock.held(api, "taken", "job 'x'") as held:
        variable = api.get("/variables/name/ccs_lock_taken")
        api.delete(f"/variables/{variable['id']}")
        api.post("/variables/", {"name": "ccs_lock_taken", "value": {}})
        with pytest.raises(RequestError, match="nothing was changed"):
            held.check()
    api.delete(f"/variables/{api.get('/variables/name/ccs_lock_taken')['id']}")


def test_a_holder_that_is_too_slow_writes_nothing(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "SAFE", -10.0)
    with lock.held(api, "slow", "job 'x'") as held, pytest.raises(RequestError, match="too slow"):
        held.check()
