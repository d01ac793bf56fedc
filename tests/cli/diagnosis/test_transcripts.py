"""The files that runs and `ccs up` left on this machine."""

import os
from pathlib import Path

import pytest

from ccs.cli.diagnosis import transcripts
from ccs.cli.errors import NotFoundError, RequestError


@pytest.fixture
def home(tmp_path: Path) -> Path:
    for number, name in enumerate(
        ["runs/0a1b2c3d/one.jsonl", "runs/0a1b2c3d/two.jsonl", "runs/0a1bffff/one.jsonl", "node.log", "other.txt"]
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{name}\n")
        os.utime(path, (1000 + number, 1000 + number))
    (tmp_path / "runs/0a1b2c3d/folder").mkdir()
    return tmp_path


def test_all_files_are_listed_with_the_latest_first(home: Path) -> None:
    rows = transcripts.files(home)
    assert [(row["kind"], row["id"]) for row in rows] == [
        ("log", "node"),
        ("transcript", "0a1bffff"),
        ("transcript", "0a1b2c3d"),
        ("transcript", "0a1b2c3d"),
    ]
    assert rows[0]["bytes"] == len("node.log\n")
    assert rows[0]["modified"] == "1970-01-01T00:16:43+00:00"


def test_where_nothing_ran_there_is_nothing(tmp_path: Path) -> None:
    assert transcripts.files(tmp_path) == transcripts.files(tmp_path / "nowhere") == []


@pytest.mark.parametrize("word", ["0a1b2c3d", "0a1b2"])
def test_the_transcripts_of_a_run_are_in_order(home: Path, word: str) -> None:
    assert [path.name for path in transcripts.of_run(home, word)] == ["one.jsonl", "two.jsonl"]


def test_the_beginning_of_two_ids_is_asked_for(home: Path) -> None:
    with pytest.raises(RequestError, match="'0a1b' stands for 2 runs"):
        transcripts.of_run(home, "0a1b")


@pytest.mark.parametrize("word", ["0a1", "", "ffffffff", "../runs"])
def test_what_names_no_run(home: Path, word: str) -> None:
    with pytest.raises(NotFoundError) as caught:
        transcripts.of_run(home, word)
    assert caught.value.hint.startswith("transcripts stay on the node of the run")


def test_lines_of_all_files_whatever_they_hold(home: Path) -> None:
    (home / "broken").write_bytes(b"a\xffb\nlast")
    assert list(transcripts.lines([home / "node.log", home / "broken"])) == ["node.log", "a\ufffdb", "last"]
