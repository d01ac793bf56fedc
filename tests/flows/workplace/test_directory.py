"""What a job needs of its node: a directory that is there, and a prompt that can be read."""

import os
from pathlib import Path

import pytest

from ccs.flows.claude.request import MAX_PROMPT_BYTES
from ccs.flows.spec.job import WorkingDirectory
from ccs.flows.spec.task import Task
from ccs.flows.workplace.directory import WorkplaceError, checked_directory, prompt_of


@pytest.mark.parametrize(
    ("path", "words"),
    [
        (
            "~no-such-user/app",
            "on node .*: '~no-such-user/app' begins with the name of a user that is not on this",
        ),
        ("/" + "a" * 300, "cannot be used: File name too long; change the job's working directory"),
        ("/dev/null/app", "cannot be used: Not a directory"),
        ("/dev/null", "is not a directory"),
    ],
)
def test_a_directory_that_cannot_be_used_is_one_sentence(path: str, words: str) -> None:
    with pytest.raises(WorkplaceError, match=words):
        checked_directory(WorkingDirectory(path=path))


def test_the_home_is_that_of_the_nodes_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "app").mkdir()
    (tmp_path / "prompt.md").write_text("Work.")
    assert checked_directory(WorkingDirectory(path="~/app")) == tmp_path / "app"
    assert prompt_of(Task(name="a", prompt_file="~/prompt.md"), tmp_path / "app") == "Work."
    assert prompt_of(Task(name="a", prompt_file="../prompt.md"), tmp_path / "app") == "Work."


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("absent", "cannot be read: No such file"),
        ("empty", "is empty"),
        ("huge", "has 10.0 MB; claude takes 10 MB"),
        ("pipe", "is not a file"),
        ("/dev/zero", "is not a file"),
        ("~no-such-user/x", "on node .*: '~no-such-user/x' begins with the name of a user that is not on this machine"),
        ("a" * 300, "cannot be read: File name too long"),
    ],
)
def test_a_prompt_file_that_cannot_be_used_is_one_sentence(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "empty").write_text(" \n")
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(MAX_PROMPT_BYTES + 1)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(WorkplaceError, match=words):
        prompt_of(Task(name="a", prompt_file=name), tmp_path)
