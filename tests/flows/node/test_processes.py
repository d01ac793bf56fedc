"""What the system shows of processes: their birth, their title, their marks."""

import os
import subprocess
import sys
import uuid

from ccs.flows.node.processes import all_marked, birth, identity, is_alive, marked, marks_of, take_title, title


def test_an_identity_is_not_that_of_a_zombie_or_of_nobody() -> None:
    child = subprocess.Popen(["true"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert identity(child.pid) is None
    child.wait()
    assert identity(child.pid) is None
    assert (identity(os.getpid()) or "").startswith(f"{os.getpid()}:")


def test_a_process_is_alive_by_its_birth_and_not_by_its_number() -> None:
    me = os.getpid()
    assert is_alive(f"{me}:{birth(me)}")
    assert not is_alive(f"{me}:1") and not is_alive(f"{me}:") and not is_alive("") and not is_alive("x:1")


def test_a_process_is_found_by_the_marks_it_carries() -> None:
    run = str(uuid.uuid4())
    env = {**os.environ, "CCS_RUN_ID": run, "CCS_NODE": "a=b", "CCS_ATTEMPT": "x"}
    with subprocess.Popen([sys.executable, "-c", "input()"], env=env, stdin=subprocess.PIPE) as child:
        while not marked("CCS_RUN_ID", run):  # until it has become another program
            assert child.poll() is None
        assert marked("CCS_RUN_ID", run) == {child.pid}
        assert marked("CCS_RUN_ID", run[:-1]) == set()
        assert marks_of(child.pid) == {"CCS_RUN_ID": run, "CCS_NODE": "a=b"}
        assert child.pid in dict(all_marked())
    assert marked("CCS_RUN_ID", run) == set()
    assert marks_of(child.pid) == {}


def test_a_process_takes_a_title() -> None:
    before = title(os.getpid())
    take_title("ccs:test")
    assert title(os.getpid()) == "ccs:test"
    take_title(before)
    child = subprocess.Popen(["true"])
    child.wait()
    assert title(child.pid) == ""
