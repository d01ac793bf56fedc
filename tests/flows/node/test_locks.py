"""Locks on files are had by one holder, or by many who share, and end with them."""

import subprocess
import sys
from pathlib import Path
from threading import Timer

import pytest

from ccs.flows.node.locks import FileLock


def test_one_has_it_or_many_share_it(tmp_path: Path) -> None:
    one, other = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
    assert one.take()
    assert not other.take() and not other.take(shared=True)
    one.release()
    one.release()
    assert one.take(shared=True) and one.upgrade()
    one.downgrade()
    assert other.take(shared=True) and not one.upgrade()
    assert (tmp_path / "lock").exists()


def test_it_is_waited_for(tmp_path: Path) -> None:
    one, other = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
    assert one.take()
    Timer(0.2, one.release).start()
    assert other.take(patience=60)


def test_it_ends_with_its_process_however_that_ends(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from ccs.flows.node.locks import FileLock; "
        "lock = FileLock(Path(sys.argv[1])); print(lock.take(), flush=True); time.sleep(600)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "lock")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == b"True\n"
        lock = FileLock(tmp_path / "lock")
        assert not lock.take()
        holder.kill()
        assert lock.take(patience=60)


def test_the_file_of_a_passing_one_goes_and_who_waited_for_it_has_the_next(tmp_path: Path) -> None:
    one, other = (FileLock(tmp_path / "lock", is_passing=True) for _ in range(2))
    assert one.take()
    Timer(0.2, one.release).start()
    assert other.take(patience=60)
    assert (tmp_path / "lock").exists() and not FileLock(tmp_path / "lock").take()
    other.release()
    assert not (tmp_path / "lock").exists()


def test_a_place_without_a_lock_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        FileLock(tmp_path / "absent" / "lock").take()
    (tmp_path / "link").symlink_to("elsewhere")
    with pytest.raises(OSError, match="symbolic"):
        FileLock(tmp_path / "link").take()
