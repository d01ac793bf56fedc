"""Files that lines are appended to: private, in order, and a disk that is full ends no attempt."""

import os
import stat
from pathlib import Path

import pytest

from ccs.flows.claude.transcript import LineFile


def test_lines_are_appended_and_the_file_is_its_owners(tmp_path: Path) -> None:
    file = LineFile(tmp_path / "run" / "one.ndjson")
    assert not file.exists
    file.append([])
    assert not file.path.exists()
    file.append([b"one", b"two"])
    assert file.path.read_bytes() == b"one\ntwo\n"  # before it is closed
    file.append([b"three"])
    file.close()
    assert file.path.read_bytes() == b"one\ntwo\nthree\n"
    assert (file.exists, file.problem) == (True, None)
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.path.parent.stat().st_mode) == 0o700


def test_what_was_there_stays(tmp_path: Path) -> None:
    for line in (b"first", b"second"):
        file = LineFile(tmp_path / "one.ndjson")
        file.append([line])
        file.close()
    assert (tmp_path / "one.ndjson").read_bytes() == b"first\nsecond\n"


def test_a_limit_lets_the_line_pass_that_goes_over_it_and_no_more(tmp_path: Path) -> None:
    file = LineFile(tmp_path / "stderr", limit=10)
    for _ in range(5):
        file.append([b"12345"])
    file.close()
    assert file.path.read_bytes() == b"12345\n" * 2
    assert file.problem is None


def test_a_folder_that_cannot_be_made_is_remembered_and_not_raised(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("a file")
    file = LineFile(tmp_path / "run" / "one.ndjson")
    file.append([b"one"])
    assert file.problem is not None and "could not be written after line 0: " in file.problem
    file.append([b"two"])
    file.close()
    assert not file.exists


def test_a_full_disk_is_told_with_the_line_it_came_after(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = LineFile(tmp_path / "one.ndjson")
    file.append([b"one", b"two"])

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    file.append([b"three"])
    monkeypatch.undo()
    file.append([b"four"])  # a gap would look like the whole
    file.close()
    assert file.problem == f"{file.path} could not be written after line 2: No space left on device"
    assert file.path.read_bytes() == b"one\ntwo\n"


def test_a_write_that_takes_only_a_part_is_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, bytes(data[:3])))
    file = LineFile(tmp_path / "one.ndjson")
    file.append([b"a longer line", b"another"])
    file.close()
    assert file.path.read_bytes() == b"a longer line\nanother\n"


def test_closing_twice_is_closing_once(tmp_path: Path) -> None:
    file = LineFile(tmp_path / "one.ndjson")
    file.close()
    file.append([b"one"])
    file.close()
    file.close()
    assert file.problem is None
