"""Files are written whole or not at all, for their owner, and paths mean what a user means."""

import os
from pathlib import Path

import pytest

from ccs.flows.node.files import UnknownUserError, expanded, make_durable, private_folder, whole, write_whole


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_a_path_begins_in_the_home_of_whom_it_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert (expanded("~/a"), expanded("a/~b"), expanded("/~/a")) == (tmp_path / "a", Path("a/~b"), Path("/~/a"))
    with pytest.raises(UnknownUserError, match="'~no-such-user' begins with the name of a user that is not on this"):
        expanded("~no-such-user")


def test_a_new_file_and_its_folders_are_for_their_owner(tmp_path: Path) -> None:
    write_whole(tmp_path / "a" / "b" / "file", "text\n")
    assert (tmp_path / "a" / "b" / "file").read_text() == "text\n"
    assert [mode(tmp_path / path) for path in ("a", "a/b", "a/b/file")] == [0o700, 0o700, 0o600]
    write_whole(tmp_path / "for all", "text", mode=0o644)
    assert mode(tmp_path / "for all") == 0o644


def test_the_mode_of_a_file_and_a_link_to_it_stay(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("old")
    (tmp_path / "file").chmod(0o640)
    (tmp_path / "link").symlink_to("file")
    write_whole(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert ((tmp_path / "file").read_text(), mode(tmp_path / "file")) == ("new", 0o640)


def test_what_is_not_complete_does_not_appear(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("old")
    with pytest.raises(KeyboardInterrupt), whole(tmp_path / "file") as target:
        target.write(b"half")
        raise KeyboardInterrupt
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("file", "old")]


def test_a_folder_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    private_folder(tmp_path)
    assert mode(tmp_path) == 0o755


def test_a_pipe_has_nothing_to_make_durable() -> None:
    reader, writer = os.pipe()
    make_durable(writer)
    os.close(reader)
    os.close(writer)
    with pytest.raises(OSError, match="Bad file descriptor"):
        make_durable(writer)
