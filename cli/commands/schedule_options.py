"""The options that say when a job runs, and the schedules that they ask for."""

from typing import Annotated

import typer

from ccs.cli.client.records import NewSchedule
from ccs.cli.errors import RequestError
from ccs.flows.schedules import schedule

WHEN = "When it runs"

Cron = Annotated[
    str | None,
    typer.Option("--cron", metavar='"M H D M W"', help="Run by cron, such as '0 9 * * 1-5'.", rich_help_panel=WHEN),
]
Every = Annotated[
    str | None,
    typer.Option("--every", metavar="TIME", help="Run at an interval, such as 90m or 1d.", rich_help_panel=WHEN),
]
Zone = Annotated[
    str | None,
    typer.Option(
        "--timezone", metavar="ZONE", help="Zone of --cron or --every, such as Europe/Amsterdam.", rich_help_panel=WHEN
    ),
]


def build(cron: str | None, every: str | None, timezone: str | None) -> list[NewSchedule]:
    """The schedules that options ask for, as Prefect takes them; RequestError when they make no sense."""
    if cron and every:
        raise RequestError("--cron and --every cannot both be given", "choose one; a job can get more in the UI")
    if timezone and not (cron or every):
        raise RequestError("--timezone needs --cron or --every", "say when the job runs, too")
    zone = timezone or "UTC"
    try:
        if cron:
            return [{"schedule": schedule.by_cron(cron, zone), "active": True}]
        if every:
            return [{"schedule": schedule.by_interval(schedule.seconds(every), zone), "active": True}]
    except schedule.ZoneError as error:
        raise RequestError(str(error), error.hint) from error
    except ValueError as error:
        raise RequestError(str(error)) from error
    return []
