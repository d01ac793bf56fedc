"""`ccs cost`: the ledger, from what the runs left behind: what jobs, tasks, profiles, models and days cost."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, TypedDict

import typer

from ccs.cli import words
from ccs.cli.app import FRAME, Command, Session
from ccs.cli.client import lookup
from ccs.cli.client.records import Json
from ccs.cli.commands.options import duration
from ccs.cli.terminal.output import Columns, Format, Talk, prints_table, say, show_list, show_one, table, write
from ccs.flows.record.row import TaskRow, read_table
from ccs.flows.spec.names import run_table_key

app = typer.Typer(**FRAME)

BARS = "-"
"""What --plot without a file stands for."""

NOTE = "All costs are estimates by claude, in US dollars; days are those of UTC."


class CostRow(TypedDict):
    """What expenses add up to under a name."""

    name: str
    runs: int
    attempts: int
    turns: int
    input_tokens: int
    output_tokens: int
    cost_usd: float
    cost_is_partial: bool  # whether it cost at least that


@dataclass(frozen=True)
class Expense:
    """What a task cost in a run, with when it began."""

    row: TaskRow
    run: str
    started: datetime


class By(StrEnum):
    """What costs are added up by."""

    JOB = "job"
    TASK = "task"
    PROFILE = "profile"
    MODEL = "model"
    DAY = "day"


class _Cost(Command):
    """Takes --plot with a file and without."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        following = [*args, "-"][1:]
        bare = [word == "--plot" and after.startswith("-") for word, after in zip(args, following, strict=True)]
        return super().parse_args(ctx, [f"--plot={BARS}" if b else a for a, b in zip(args, bare, strict=True)])


@app.command("cost", cls=_Cost, epilog="Example:  ccs cost --by day --since 30d --plot")
def cost(
    by: Annotated[By, typer.Option("--by", metavar="|".join(By), help="What to add up by.")] = By.JOB,
    since: Annotated[str, typer.Option("--since", metavar="TIME", help="Of the last 24h, 7d, 30d ….")] = "30d",
    job: Annotated[str | None, typer.Option("--job", metavar="JOB", help="Only of this job.")] = None,
    plot: Annotated[
        str | None, typer.Option("--plot", metavar="[FILE.png]", help="Draw bars, or write them to a file.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", "-f", help="Write over a picture that exists.")] = False,
) -> None:
    """What runs cost, estimated; the most expensive first, days in their order."""
    from ccs.cli.terminal import bars

    path = bars.target(plot, force) if plot not in (None, BARS) else None
    start = datetime.now(UTC) - timedelta(seconds=duration(since) or 0)
    expenses = list(ledger(start, lookup.job(Session.api(), job)["name"] if job else None))
    groups, total = summed(expenses, by), _sums("total", expenses)
    if plot == BARS:
        write(bars.text(_drawn(groups, by)) if groups else "nothing was spent")
        return
    if path:
        bars.write_png(
            path,
            f"Estimated cost by {by} since {start:%Y-%m-%d}, total {_dollars(total)}",
            _drawn(groups, by),
        )
        say(f"wrote {path}")
    _show(groups, total, by, start)


def ledger(since: datetime, job: str | None = None) -> Iterator[Expense]:
    """What the tasks cost that claude was started for since then; those of one job, if it is named."""
    key: Json = {"any_": [run_table_key(job)]} if job else {"like_": "ccs-%"}
    seen: set[str] = set()
    for artifact in Session.api().tables(key, since):
        run = str(artifact["flow_run_id"])
        if run in seen:
            continue
        seen.add(run)  # the newest table of a run is the one that counts
        for row in read_table(artifact["data"], artifact["description"]):
            started = _time(row["started"]) or _time(artifact["created"])
            if row["attempts"] and job in (None, row["job"]) and started and started >= since:
                yield Expense(row, run, started)


def summed(expenses: Iterable[Expense], by: By) -> list[CostRow]:
    """What expenses add up to by job, task, profile, model or day."""
    groups: dict[str, list[Expense]] = {}
    for expense in expenses:
        groups.setdefault(_group(expense, by), []).append(expense)
    found = [_sums(name, own) for name, own in groups.items()]
    return sorted(found, key=lambda g: (0 if by is By.DAY else -g["cost_usd"], g["name"]))


def _group(expense: Expense, by: By) -> str:
    row = expense.row
    match by:
        case By.DAY:
            return f"{expense.started:%Y-%m-%d}"
        case By.TASK:
            return f"{row['job']}/{row['task']}"
        case By.PROFILE:
            return row["profile"] or "(login of the node)"
        case By.MODEL:
            return row["model"] or "(unknown)"
        case By.JOB:
            return row["job"]


def _sums(name: str, expenses: list[Expense]) -> CostRow:
    rows = [expense.row for expense in expenses]
    return {
        "name": name,
        "runs": len({expense.run for expense in expenses}),
        "attempts": sum(row["attempts"] for row in rows),
        "turns": sum(row["turns"] for row in rows),
        "input_tokens": sum(row["input_tokens"] for row in rows),
        "output_tokens": sum(row["output_tokens"] for row in rows),
        "cost_usd": round(sum(row["cost_usd"] for row in rows), 6),
        "cost_is_partial": any(row["cost_is_partial"] for row in rows),
    }


def _show(groups: list[CostRow], total: CostRow, by: By, since: datetime) -> None:
    if prints_table():
        columns: Columns[CostRow] = {
            by.upper(): "name",
            "RUNS": "runs",
            "ATTEMPTS": "attempts",
            "TURNS": "turns",
            "TOKENS IN": lambda g: f"{g['input_tokens']:,}",
            "TOKENS OUT": lambda g: f"{g['output_tokens']:,}",
            "COST (ESTIMATE)": _dollars,
        }
        if groups:
            write(table([*groups, total], columns))
        say(NOTE if groups else "nothing was spent")
    elif Talk.format in (Format.NDJSON, Format.IDS):
        show_list(groups, {})
    else:
        show_one({"since": since.isoformat(), "by": by, "estimated": True, "costs": groups, "total": total}, str)


def _drawn(groups: list[CostRow], by: By) -> list[tuple[str, float, str]]:
    """Name, dollars and words of each bar; days in which nothing ran have one, too."""
    found = {g["name"]: g for g in groups}
    if by is By.DAY and groups:
        first, last = (datetime.fromisoformat(groups[i]["name"]) for i in (0, -1))
        days = [f"{first + timedelta(days=n):%Y-%m-%d}" for n in range((last - first).days + 1)]
        found = {day: found.get(day) or _sums(day, []) for day in days}
    return [(name, g["cost_usd"], _dollars(g)) for name, g in found.items()]


def _dollars(group: CostRow) -> str:
    return ("at least " if group["cost_is_partial"] else "") + words.dollars(group["cost_usd"])


def _time(text: object) -> datetime | None:
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
