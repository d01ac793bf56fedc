"""The pause of a task, in its row and out of it again."""

from typing import Any

import pytest

from ccs.flows.record.pause import Pause, Used
from ccs.flows.record.row import EMPTY, TaskRow, read_table

PAUSE = Pause(2000.0, 1000.0, Used(1, 2, 30.5), 45.0)


def row(verdict: str, **found: Any) -> TaskRow:
    (row,) = read_table([{"verdict": verdict, **found}], None)
    return row


def test_a_pause_is_read_as_it_was_written() -> None:
    assert Pause.read({**EMPTY, **PAUSE.as_row(), "verdict": "waiting"}) == PAUSE


def test_of_a_task_that_was_killed_after_its_pause_nothing_counts_as_used() -> None:
    assert Pause.read({**EMPTY, **PAUSE.as_row(), "verdict": "running"}) == Pause(2000.0, 1000.0)


@pytest.mark.parametrize("verdict", ["ok", "not_run", "auth", "skipped"])
def test_a_task_that_has_ended_or_is_to_begin_has_none(verdict: str) -> None:
    assert Pause.read({**EMPTY, **PAUSE.as_row(), "verdict": verdict}) is None
    assert Pause.read(row("waiting")) is None


def test_rows_of_an_older_ccs_know_only_until_when() -> None:
    assert Pause.read(row("waiting", waits_until=2000.0)) == Pause(2000.0, 2000.0)
