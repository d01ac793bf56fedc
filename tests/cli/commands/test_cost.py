"""`ccs cost` and what else the command line says about money, on rows as runs leave them."""

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from PIL import Image
from prefect.settings import PREFECT_API_URL, temporary_settings

from ccs.cli.client import api
from ccs.cli.terminal import bars
from ccs.flows.budgets.ledger import Ledger
from ccs.flows.budgets.pause import pause
from ccs.flows.budgets.sums import MICRO, Period, Scope, Sums, UsedUp, micro
from ccs.flows.server.connection import connected
from ccs.flows.spec.names import run_table_key
from tests.worlds.cli import Cli

Leave = Callable[..., str]
NOW = datetime.now(UTC)


@pytest.fixture
def job() -> str:
    return f"Job {uuid4().hex[:12]}"


@pytest.fixture
def leave(ccs: Cli, job: str) -> Leave:
    """Leaves the table of a run."""
    flow = ccs.ask("POST", "/flows/", {"name": "job"}).json()["id"]
    ccs.ok("jobs", "create", "--name", job)

    def leave(*rows: dict[str, object], name: str = job, run: str = "", described: str = "") -> str:
        identity = run or str(ccs.ask("POST", "/flow_runs/", {"flow_id": flow}).json()["id"])
        default = {"task": "one", "attempts": 1, "turns": 3, "cost_usd": 0.25, "cost_is_partial": False}
        default |= {"input_tokens": 1000, "output_tokens": 50, "profile": "zai", "model": "sonnet"}
        data = json.dumps([{**default, "started": NOW.isoformat(), **row} for row in rows])
        body = {"key": run_table_key(name), "type": "table", "data": data, "flow_run_id": identity}
        made = ccs.ask("POST", "/artifacts/", {**body, "description": described or f"Tasks of job {name}"})
        assert made.status_code == 201
        return identity

    return leave


def costs(ccs: Cli, job: str, *options: str) -> dict[str, float]:
    found = ccs.ok("cost", "--job", job, *options).json["costs"]
    return {str(group["name"]): group["cost_usd"] for group in found}


def test_costs_add_up_by_what_is_asked_for(ccs: Cli, job: str, leave: Leave) -> None:
    yesterday = NOW - timedelta(days=1)
    leave({}, {"task": "two", "cost_usd": 1, "profile": "", "model": "opus"})
    leave({"started": yesterday.isoformat(), "cost_usd": 2})
    assert costs(ccs, job) == {job: 3.25}
    assert costs(ccs, job, "--by", "task") == {f"{job}/one": 2.25, f"{job}/two": 1}
    assert costs(ccs, job, "--by", "profile") == {"zai": 2.25, "(login of the node)": 1}
    assert costs(ccs, job, "--by", "model") == {"sonnet": 2.25, "opus": 1}
    days = costs(ccs, job, "--by", "day")
    assert list(days.items()) == [(f"{yesterday:%Y-%m-%d}", 2), (f"{NOW:%Y-%m-%d}", 1.25)]


def test_the_whole_of_it_is_called_an_estimate_with_a_total(ccs: Cli, job: str, leave: Leave) -> None:
    leave({"cost_is_partial": True}, {"task": "two"})
    answer = ccs.ok("cost", "--job", job).json
    assert answer["estimated"] is True
    assert answer["total"] == {
        "name": "total", "runs": 1, "attempts": 2, "turns": 6, "input_tokens": 2000, "output_tokens": 100,
        "cost_usd": 0.5, "cost_is_partial": True,
    }  # fmt: skip
    said = ccs.ok("cost", "--job", job, "--output", "table")
    assert "COST (ESTIMATE)" in said.out
    assert said.out.splitlines()[-1].endswith("at least $0.5000")
    assert "estimates" in said.err


def test_other_forms_of_output(ccs: Cli, job: str, leave: Leave) -> None:
    leave({}, {"task": "two"})
    assert ccs.ok("cost", "--job", job, "--output", "ids").out.strip() == job
    lines = ccs.ok("cost", "--job", job, "--by", "task", "--output", "ndjson").out.splitlines()
    assert [json.loads(line)["cost_usd"] for line in lines] == [0.25, 0.25]
    assert "estimated: true" in ccs.ok("cost", "--job", job, "--output", "yaml").out


def test_without_a_word_it_is_the_cost_of_all_jobs(ccs: Cli, job: str, leave: Leave) -> None:
    leave({})
    assert job in ccs.ok("cost").out


def test_since_ends_the_ledger(ccs: Cli, job: str, leave: Leave) -> None:
    leave({"started": (NOW - timedelta(days=3)).isoformat(), "cost_usd": 7}, {"task": "two"})
    assert costs(ccs, job) == {job: 7.25}
    assert costs(ccs, job, "--since", "2d") == {job: 0.25}


def test_the_newest_table_of_a_run_counts_and_tasks_that_never_began_do_not(ccs: Cli, job: str, leave: Leave) -> None:
    run = leave({})
    leave({"cost_usd": 0.75}, {"task": "two", "attempts": 0, "cost_usd": 9}, run=run)
    assert costs(ccs, job) == {job: 0.75}


def test_a_job_whose_name_is_written_alike_is_another(ccs: Cli, job: str, leave: Leave) -> None:
    leave({})
    leave({"cost_usd": 9}, name=job.replace(" ", "-"))
    assert costs(ccs, job) == {job: 0.25}


def test_rows_name_their_job_themselves(ccs: Cli, job: str, leave: Leave) -> None:
    leave({"job": job}, described="The nights of November")
    assert costs(ccs, job) == {job: 0.25}


def test_rows_of_older_runs_and_damaged_ones_are_no_obstacle(ccs: Cli, job: str, leave: Leave) -> None:
    leave({"started": "yesterday", "model": None, "profile": None, "turns": "many"})
    assert costs(ccs, job, "--by", "model") == {"(unknown)": 0.25}
    for data in ("[1, null]", "no json", '{"a": 1}'):
        body = {"key": run_table_key(job), "type": "table", "data": data, "description": f"Tasks of job {job}"}
        assert ccs.ask("POST", "/artifacts/", body).status_code == 201
    assert costs(ccs, job) == {job: 0.25}


def test_more_runs_than_a_page(ccs: Cli, job: str, leave: Leave, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "PAGE", 2)
    for _ in range(5):
        leave({"cost_usd": 0.01})
    answer = ccs.ok("cost", "--job", job).json["total"]
    assert (answer["runs"], answer["cost_usd"]) == (5, 0.05)


def test_nothing_spent_is_no_error(ccs: Cli, job: str, leave: Leave) -> None:
    assert ccs.ok("cost", "--job", job).json["total"]["cost_usd"] == 0
    assert "nothing was spent" in ccs.ok("cost", "--job", job, "--plot").out


def test_bars_on_the_terminal_show_days_without_runs_too(ccs: Cli, job: str, leave: Leave) -> None:
    leave({"started": (NOW - timedelta(days=2)).isoformat(), "cost_usd": 2}, {"task": "two", "cost_usd": 1})
    for options in (("--plot", "--by", "day"), ("--by", "day", "--plot")):
        lines = ccs.ok("cost", "--job", job, *options, COLUMNS="80").out.splitlines()
        assert [line.split()[:2] for line in lines] == [
            [f"{NOW - timedelta(days=2):%Y-%m-%d}", "$2.00"],
            [f"{NOW - timedelta(days=1):%Y-%m-%d}", "$0.0000"],
            [f"{NOW:%Y-%m-%d}", "$1.00"],
        ]
        lengths = [line.count("█") or line.count("#") for line in lines]
        assert abs(lengths[0] - 2 * lengths[2]) <= 1
        assert lengths[0] > lengths[1] == 0
        assert all(len(line) <= 80 for line in lines)


def test_a_picture_is_written_and_not_over_another_file(ccs: Cli, job: str, leave: Leave, tmp_path: Path) -> None:
    leave({}, {"task": "two\n\x1b[31m" + "x" * 80, "cost_usd": 1})
    path = tmp_path / "cost.png"
    said = ccs.ok("cost", "--job", job, "--by", "task", "--plot", str(path))
    assert f"wrote {path}" in said.err
    assert said.json["total"]["cost_usd"] == 1.25
    with Image.open(path) as image:
        assert image.format == "PNG"
        assert len(image.getcolors(1_000_000)) > 10  # type: ignore[arg-type]
    before = path.read_bytes()
    refused = ccs("cost", "--job", job, "--plot", str(path))
    assert (refused.code, path.read_bytes()) == (1, before)
    assert "exists" in refused.err
    assert "--force" in refused.err
    ccs.ok("cost", "--job", job, "--plot", str(path), "--force")
    assert path.read_bytes() != before


@pytest.mark.parametrize(
    ("name", "why"),
    [("cost.svg", "does not end in .png"), ("no/such/folder.png", "there is no folder"), ("folder.png", "is a folder")],
)
def test_a_bad_path_is_one_sentence(ccs: Cli, tmp_path: Path, name: str, why: str) -> None:
    (tmp_path / "folder.png").mkdir()
    said = ccs("cost", "--plot", str(tmp_path / name))
    assert said.code == 1
    assert why in said.err
    assert len(said.err.splitlines()) == 2


def test_without_pillow_a_picture_is_refused_and_bars_are_drawn(
    ccs: Cli, job: str, leave: Leave, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave({})
    monkeypatch.setitem(sys.modules, "PIL", None)
    said = ccs("cost", "--job", job, "--plot", str(tmp_path / "cost.png"))
    assert (said.code, "pip install pillow" in said.err) == (1, True)
    assert "wrote" not in ccs.ok("cost", "--job", job, "--plot").err


def test_a_file_that_cannot_be_written_is_a_sentence_too(ccs: Cli, job: str, leave: Leave) -> None:
    leave({})
    said = ccs("cost", "--job", job, "--plot", "/proc/self/cost.png")
    assert said.code == 1
    assert "cannot be written" in said.err


def test_bars_fit_whatever_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert bars.text([("a" * 200, 0.0, "$0")]).startswith("aaa")
    with capsys.disabled():
        lines = bars.text([("a", 1.0, "$1"), ("b", 0.0001, "$0")]).splitlines()
    assert lines[1].rstrip()[-1] in "█#"  # something was spent


# what is said about the budgets of day and month


def test_a_profile_has_budgets(ccs: Cli) -> None:
    name = f"p-{uuid4().hex[:8]}"
    made = ccs.ok("profiles", "create", name, "--budget-per-day", "5", "--env", "A=b").json
    assert (made["budget_usd_per_day"], made["budget_usd_per_month"]) == (5, None)
    ccs.ok("profiles", "update", name, "--budget-per-month", "80.5")
    assert "$5 per day\n" in (text := ccs.ok("profiles", "get", name, "--output", "table").out)
    assert "$80.5 per month" in text
    ccs.ok("profiles", "update", name, "--description", "x")
    assert ccs.ok("profiles", "get", name).json["budget_usd_per_day"] == 5
    ccs.ok("profiles", "update", name, "--budget-per-day", "0")
    assert ccs.ok("profiles", "get", name).json["budget_usd_per_day"] is None
    assert ccs("profiles", "update", name, "--budget-per-day", "-1").code == 1
    for odd in ("nan", "inf"):
        refused = ccs("profiles", "update", name, "--budget-per-month", odd)
        assert (refused.code, "a budget must be a finite number" in refused.err) == (1, True)
    refused = ccs("profiles", "create", f"{name}-2", "--env", "A=b", "--budget-per-day", "0")
    assert (refused.code, "a budget must be greater than 0" in refused.err) == (1, True)


def found(ccs: Cli, job: str) -> dict[str, dict[str, str]]:
    findings: list[dict[str, str]] = ccs.ok("explain", job).json["findings"]
    return {f["id"]: f for f in findings}


def spend(ccs: Cli, scope: Scope, usd: float) -> None:
    def step(sums: Sums) -> Sums:
        return sums if sums.spent[Period.DAY] else sums.hold("r", "a", 1).settle("r", "a", micro(usd))

    with temporary_settings({PREFECT_API_URL: ccs.env["PREFECT_API_URL"]}), connected() as server:
        Ledger(server, scope).change(step)


def test_explain_says_what_is_left_of_a_profile(ccs: Cli) -> None:
    name, job = f"p-{uuid4().hex[:8]}", f"job-{uuid4().hex[:12]}"
    ccs.ok("profiles", "create", name, "--budget-per-day", "5")
    ccs.ok("jobs", "create", "--name", job, "--profile", name)
    spend(ccs, Scope.of_profile(name), 1.5)
    assert found(ccs, job)["budget"]["what"] == f"profile '{name}' has spent $1.50 of $5.00 this day (estimated)"
    ccs.ok("profiles", "update", name, "--budget-per-day", "1.5")
    refused = found(ccs, job)["budget"]
    assert "is used up ($1.50 of $1.50, estimated)" in refused["what"]
    assert refused["do"] == f"raise it: ccs profiles update '{name}' --budget-per-day USD"


def test_explain_says_which_budget_paused_a_job_and_a_pause_by_hand_is_the_users(ccs: Cli) -> None:
    job = f"job-{uuid4().hex[:12]}"
    identity = ccs.ok("jobs", "create", "--name", job, "--every", "1d").json["id"]
    why = UsedUp("job", job, Period.DAY, 5 * MICRO, micro(5.02), datetime(2026, 11, 22, tzinfo=UTC))
    with temporary_settings({PREFECT_API_URL: ccs.env["PREFECT_API_URL"]}), connected() as server:
        assert pause(server, identity, why)
        assert not pause(server, identity, why)
    paused = found(ccs, job)["paused"]
    assert paused["what"] == (
        f"the job is paused because the budget of $5 per day of job '{job}' is used up ($5.02 of $5.00, estimated), "
        "until 2026-11-22 00:00 UTC"
    )
    assert f"ccs jobs update '{job}' --budget-per-day USD" in paused["do"]
    ccs.ok("jobs", "update", job, "--pause")
    assert "budget" not in found(ccs, job)["paused"]["what"]
    assert ccs.ask("GET", f"/variables/name/ccs_paused_{identity.replace('-', '')}").status_code == 404
