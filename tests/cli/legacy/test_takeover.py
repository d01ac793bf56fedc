"""Files that somebody damaged, by the thousand: each is a job or one clear error, never anything else."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from ccs.cli import claude_code_scheduler
from ccs.cli.commands import import_legacy
from ccs.cli.errors import RequestError
from ccs.cli.legacy import exports
from ccs.cli.legacy.takeover import TakeoverReport
from tests.fakes import legacy_data
from tests.fakes.damage import damaged


def whole() -> tuple[Any, Any, Any]:
    job = legacy_data.job("job")
    job["working_directory"] |= {"use_git_worktree": True, "worktree_name": "w"}
    kinds: list[Any] = [
        legacy_data.schedule(
            "calendar", calendar_frequency="weekly", calendar_time="09:30", calendar_days_of_week=[1, 2]
        ),
        legacy_data.schedule("interval", interval_type="simple", interval_preset="1hour"),
        legacy_data.schedule("interval", interval_type="cron", interval_cron="0 9 * * 1"),
        legacy_data.schedule("file_watch", watch_directory="~"),
    ]
    tasks = [legacy_data.task(job, f"task {i}", schedule=kind, allowed_tools=["Edit"]) for i, kind in enumerate(kinds)]
    variables = [legacy_data.variable(s.upper(), s, "value") for s in ("static", "env", "unset", "keychain", "command")]
    return job, tasks, [legacy_data.profile("work", *variables)]


@pytest.mark.parametrize("seed", range(20))
def test_a_damaged_export_is_a_job_or_one_clear_error(seed: int, tmp_path: Path) -> None:
    dice = random.Random(seed)
    job, tasks, _ = whole()
    own = {
        "format": "ccs.job",
        "version": 1,
        "job": {"name": "j", "working_directory": {"path": "/"}, "tasks": [{"name": "t", "prompt": "p"}]},
        "schedules": [
            {"schedule": {"cron": "0 9 * * *", "timezone": "UTC"}, "active": True, "parameters": {"only": ["t"]}}
        ],
        "paused": False,
    }
    for source in (own, legacy_data.export(job, *tasks)):
        for _ in range(50):
            data = damaged(source, dice)
            try:
                draft = exports.read(data, TakeoverReport("x"), {}).checked()
            except RequestError as error:
                assert str(error), data
            else:
                assert json.dumps(draft.schedules, allow_nan=False)


@pytest.mark.parametrize("seed", range(20))
def test_a_damaged_folder_is_read_or_one_clear_error(seed: int, tmp_path: Path) -> None:
    dice = random.Random(seed)
    job, tasks, profiles = whole()
    files = {"jobs": [job], "tasks": tasks, "profiles": profiles, "settings": {"theme": "dark", "default_model": "x"}}
    for _ in range(30):
        name = dice.choice(list(files))
        for other, data in files.items():
            content = damaged(data, dice) if other == name else data
            (tmp_path / f"{other}.json").write_text(json.dumps(content))
        try:
            import_legacy.read(tmp_path)
        except RequestError as error:
            assert str(error)


def test_any_words_are_translated_or_refused() -> None:
    dice = random.Random(1)
    words = "cli jobs tasks runs list create delete debug -v --api-url --api-url= http://[ --output -n -n9 --profile"
    known = [*words.split(), *["--name", "-", "--", "--help", "x", "--table", "-t", "é", "--=", "="], ""]
    for _ in range(5000):
        line = dice.choices(known, k=dice.randint(0, 6))
        try:
            assert all(isinstance(word, str) for word in claude_code_scheduler.translate(line).argv)
        except claude_code_scheduler.Refusal as refusal:
            assert refusal.hint
