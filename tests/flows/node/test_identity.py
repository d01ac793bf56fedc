"""What a node is to all that run on it: one name, one folder of state, one set of marks."""

import os
import pwd
from pathlib import Path

import pytest

from ccs.cli.client.settings import Settings
from ccs.flows.node.files import UnknownUserError
from ccs.flows.node.identity import marks, node_name, state_folder

NOBODY = "CCS_HOME '~no-such-user/x' begins with the name of a user that is not on this machine"


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("", "{home}/.ccs"),
        ("~/x", "{home}/x"),
        ("~", "{home}"),
        ("/srv/ccs", "/srv/ccs"),
        (f"~{pwd.getpwuid(0).pw_name}/x", f"{pwd.getpwuid(0).pw_dir}/x"),
    ],
)
def test_the_folder_of_state_is_the_same_for_node_run_and_command_line(
    given: str, found: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CCS_HOME", given)
    assert str(state_folder()) == found.format(home=tmp_path)
    assert Settings(os.environ).home == state_folder()


def test_the_folder_of_state_is_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CCS_HOME", "state")
    assert state_folder() == Settings(os.environ).home == tmp_path / "state"


def test_a_folder_of_state_in_the_home_of_nobody_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CCS_HOME", "~no-such-user/x")
    with pytest.raises(UnknownUserError, match=NOBODY):
        state_folder()


def test_a_process_carries_its_run_its_node_and_the_nodes_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CCS_NODE", raising=False)
    monkeypatch.delenv("CCS_NODE_PID", raising=False)
    assert marks("r") == {"CCS_RUN_ID": "r", "CCS_NODE": os.uname().nodename}
    monkeypatch.setenv("CCS_NODE", "alpha")
    monkeypatch.setenv("CCS_NODE_PID", "7:8")
    assert node_name() == "alpha"
    assert marks("r") == {"CCS_RUN_ID": "r", "CCS_NODE": "alpha", "CCS_NODE_PID": "7:8"}
