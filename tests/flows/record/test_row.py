"""The rows of a run's table as they are read back: of any age, and damaged."""

import json

import pytest

from ccs.flows.record.outcome import Figures
from ccs.flows.record.row import EMPTY, read_table

DESCRIPTION = "Tasks of job nightly"
OLDEST = {
    "task": "one", "verdict": "ok", "detail": "", "attempts": 1, "turns": 3, "cost_usd": 0.25, "cost_is_partial": False,
    "input_tokens": 10, "output_tokens": 5, "duration_seconds": 1.5, "session_id": "5e55", "transcript": "/t",
    "node": "n",
}  # fmt: skip


def test_a_row_of_an_older_ccs_has_what_it_had_and_the_job_of_its_table() -> None:
    (row,) = read_table(json.dumps([OLDEST]), DESCRIPTION)
    assert row == {**EMPTY, **OLDEST, "job": "nightly"}
    assert Figures.read(row) == Figures(1, 3, 0.25, False, 10, 5, 1.5)


def test_a_row_names_its_job_whatever_the_table_is_called() -> None:
    (row,) = read_table(json.dumps([{"job": "Tasks of job x"}]), DESCRIPTION)
    assert row["job"] == "Tasks of job x"
    assert read_table([{}], None)[0]["job"] == ""


def test_a_row_of_a_newer_ccs_keeps_what_is_not_known_here() -> None:
    (row,) = read_table(json.dumps([{**OLDEST, "weather": {"rain": 1}, "used": {"retries": 2, "coins": 1}}]), "")
    assert row["weather"] == {"rain": 1}  # type: ignore[typeddict-item]
    assert row["used"] == {"retries": 2, "fixes": 0, "seconds": 0.0, "coins": 1}


@pytest.mark.parametrize("data", [None, "", "no json", "7", '{"a": 1}', "[1, null, []]"])
def test_what_is_no_table_has_no_rows(data: str | None) -> None:
    assert read_table(data, DESCRIPTION) == []


def test_what_is_damaged_in_a_row_is_as_in_an_empty_one() -> None:
    damaged = {
        "task": 1,
        "turns": "many",
        "cost_usd": None,
        "undecided": "no",
        "used": [1],
        "verdict": None,
        "changed": [],
    }
    (row,) = read_table([{**damaged, "node": "n"}], None)
    assert row == {**EMPTY, "node": "n"}
