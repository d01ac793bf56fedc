"""Bars on the terminal and as a picture."""

from pathlib import Path

import pytest
from PIL import Image

from ccs.cli.errors import RequestError
from ccs.cli.terminal import bars
from ccs.cli.terminal.bars import target, text, write_png


@pytest.fixture(autouse=True)
def _eighty_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(bars, "has_unicode", lambda: True)


def test_the_longest_bar_fills_the_line_and_the_others_are_in_proportion() -> None:
    lines = text([("one", 4.0, "$4"), ("three", 2.0, "$2"), ("none", 0, "$0")]).splitlines()
    assert lines[0] == "one    $4  " + "█" * 69
    assert lines[1].count("█") in (34, 35)
    assert lines[2] == "none   $0"
    assert all(len(line) <= 80 for line in lines)


def test_a_little_is_seen() -> None:
    assert text([("much", 1000.0, "m"), ("little", 0.001, "l")]).splitlines()[1].count("█") == 1


def test_nothing_at_all_is_no_division_by_zero() -> None:
    assert text([("a", 0, "0")]) == "a  0"


def test_a_terminal_that_has_no_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bars, "has_unicode", lambda: False)
    assert set(text([("a", 1, "b")])) == set("a b#")


def test_long_names_are_cut_at_half_the_terminal() -> None:
    line = text([("x" * 200, 1, "w")])
    assert line.startswith("x" * 39 + "~  w")
    assert len(line) <= 80


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("costs.svg", "does not end in .png"),
        ("nowhere/costs.png", "cannot be written: there is no folder"),
        ("folder.png", "is a folder"),
        ("there.png", "exists"),
    ],
)
def test_a_file_that_will_not_do_is_refused_before_anything_else(tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "there.png").touch()
    with pytest.raises(RequestError, match=said):
        target(str(tmp_path / name), force=False)


def test_a_file_may_be_written_over_when_that_is_said(tmp_path: Path) -> None:
    (tmp_path / "there.png").touch()
    assert target(str(tmp_path / "there.png"), force=True) == tmp_path / "there.png"
    assert target(str(tmp_path / "NEW.PNG"), force=False) == tmp_path / "NEW.PNG"


@pytest.mark.parametrize("count", [0, 1, 12])
def test_a_picture_has_a_row_for_each_bar(tmp_path: Path, count: int) -> None:
    write_png(tmp_path / "a.png", "Costs", [(f"job {n}", float(n), f"${n}") for n in range(count)])
    with Image.open(tmp_path / "a.png") as image:
        assert (image.format, image.size) == ("PNG", (1000, 100 + 34 * max(1, count)))


def test_a_picture_of_odd_names_and_of_too_many_bars(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bars, "MOST", 40)
    odd = [("ümlaut 日本", 1.0, "w"), ("line\nbreak", 1.0, "w"), ("x" * 200, 1.0, "w"), ("", 1.0, "")]
    write_png(tmp_path / "a.png", "Costs", odd + [("a", 1.0, "w")] * 40)
    with Image.open(tmp_path / "a.png") as image:
        assert image.height == 100 + 34 * 40


def test_a_file_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="cannot be written"):
        write_png(tmp_path / "nowhere" / "a.png", "Costs", [])
