"""Jobs as files on a real server: out and in again, also from the predecessor; all of it or nothing."""

import json
import os
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.fakes import legacy_data
from tests.worlds.cli import Cli, Said


@pytest.fixture
def name() -> str:
    return f"job-{uuid4().hex[:8]}"


def written(path: Path, data: object) -> str:
    path.write_text(json.dumps(data))
    return str(path)


def reasons(said: Said, outcome: str) -> dict[str, str]:
    return {f["field"]: f["reason"] for f in said.json["report"] if f["outcome"] == outcome}


def whole(ccs: Cli, name: str) -> Any:
    ccs.ok(
        "jobs", "create", "--name", name, "-C", "/srv/app", "--cron", "0 9 * * 1-5", "--timezone", "Europe/Amsterdam"
    )
    for task in ("one", "two"):
        ccs.ok("tasks", "create", "--job", name, "--name", task, "--prompt", "do", "--model", "opus")
    return ccs.ok("jobs", "get", name).json


def test_a_job_goes_out_and_comes_in_again_as_it_was_with_new_ids(ccs: Cli, name: str, tmp_path: Path) -> None:
    before, target = whole(ccs, name), str(tmp_path / "deep" / "job.json")
    assert ccs.ok("jobs", "export", name, "-o", target).json["file"] == target
    after = ccs.ok("jobs", "import", target, "--name", f"{name}-2").json
    assert [t["name"] for t in after["tasks"]] == ["one", "two"]
    assert not {t["id"] for t in before["tasks"]} & {t["id"] for t in after["tasks"]}
    for field in ("description", "working_directory", "profile", "on_failure", "paused", "tags"):
        assert after[field] == before[field]
    assert [s["in_words"] for s in after["schedules"]] == ["Monday to Friday at 09:00 (Europe/Amsterdam)"]
    assert after["report"] == []


def test_an_export_goes_through_a_pipe(ccs: Cli, name: str) -> None:
    whole(ccs, name)
    out = ccs.ok("jobs", "export", name).out
    assert json.loads(out)["format"] == "ccs.job"
    assert ccs.ok("jobs", "export", name, "--output", "table").json["job"]["name"] == name
    assert ccs.ok("jobs", "import", "-", "--name", f"{name}-2", stdin=out).json["name"] == f"{name}-2"


def test_a_schedule_of_some_tasks_names_them_also_after_the_import(ccs: Cli, name: str, tmp_path: Path) -> None:
    made = whole(ccs, name)
    path = f"/deployments/{made['id']}"
    planned = ccs.ask("GET", path).json()["schedules"][0]
    body = {"parameters": {"only": [made["tasks"][1]["id"]]}, "active": False}
    ccs.ask("PATCH", f"{path}/schedules/{planned['id']}", body)
    ccs.ok("jobs", "export", name, "-o", str(tmp_path / "x"))
    after = ccs.ok("jobs", "import", str(tmp_path / "x"), "--name", f"{name}-2").json
    assert [(s["only"], s["active"]) for s in after["schedules"]] == [(["two"], False)]


def test_a_job_of_the_same_name_is_kept_unless_it_is_to_be_replaced(ccs: Cli, name: str, tmp_path: Path) -> None:
    before = whole(ccs, name)
    ccs.ok("jobs", "export", name, "-o", str(tmp_path / "x"))
    ccs.ok("tasks", "delete", f"{name}/two", "--force")
    ccs.ok("jobs", "update", name, "--no-schedule", "--description", "other")
    said = ccs("jobs", "import", str(tmp_path / "x"))
    assert (said.code, said.out) == (1, "")
    assert "--force" in said.err
    assert len(ccs.ok("jobs", "tasks", name).json) == 1
    after = ccs.ok("jobs", "import", str(tmp_path / "x"), "--force").json
    assert (after["id"], after["description"], len(after["tasks"])) == (before["id"], "", 2)
    assert len(after["schedules"]) == 1


def test_everything_that_is_missing_is_named_before_anything_is_written(ccs: Cli, name: str, tmp_path: Path) -> None:
    data = {
        "format": "ccs.job",
        "version": 1,
        "job": {
            "name": name,
            "working_directory": {"path": "/srv"},
            "profile": "gone-a",
            "tasks": [{"name": "t", "prompt": "p", "profile": "gone-b"}],
        },
    }
    file = written(tmp_path / "x", data)
    said = ccs("jobs", "import", file, "--pool", "gone-pool")
    assert said.code == 1
    assert all(f"'{missing}'" in said.err for missing in ("gone-a", "gone-b", "gone-pool"))
    assert ccs("jobs", "get", name).code == 1
    ccs.ok("profiles", "create", f"here-{name}", "--env", "A=b")
    renamed = ("--profile", f"gone-a=here-{name}", "--profile", f"gone-b=here-{name}")
    made = ccs.ok("jobs", "import", file, *renamed).json
    assert {made["profile"], made["tasks"][0]["profile"]} == {f"here-{name}"}


JOB = {"name": "never", "working_directory": {"path": "/srv"}, "tasks": [{"name": "t", "prompt": "p"}]}
OWN: dict[str, Any] = {"format": "ccs.job", "version": 1, "job": JOB}
LEGACY_JOB = legacy_data.job("never")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", "is not JSON"),
        ("[1, 2]", "neither an export of ccs nor of claude-code-scheduler"),
        (OWN | {"version": 2}, "this ccs reads 1"),
        (OWN | {"more": 1}, "unknown field 'more'"),
        (OWN | {"job": {**JOB, "retries": 3}}, "retries"),
        (OWN | {"job": {**JOB, "tasks": ["x"]}}, "task"),
        (OWN | {"job": []}, "no whole job"),
        (OWN | {"schedules": [{"schedule": {"cron": "nonsense"}}]}, "has 1 fields"),
        (OWN | {"schedules": [{"schedule": {"interval": 5}}]}, "shorter than 60"),
        (OWN | {"schedules": [{"schedule": {"cron": "* * * * *", "timezone": "Mars/Base"}}]}, "not a time zone"),
        (OWN | {"schedules": [{"schedule": {"cron": "* * * * *"}, "parameters": {"only": ["x"]}}]}, "names 'x'"),
        (OWN | {"schedules": [7]}, "not a schedule"),
        (OWN | {"schedules": [{"schedule": {}}]}, "not a schedule"),
        (legacy_data.export(LEGACY_JOB, version="2.0"), "not '1.0'"),
        (legacy_data.export(LEGACY_JOB) | {"tasks": ["x"]}, "not an object"),
        (
            legacy_data.export(LEGACY_JOB, legacy_data.task(LEGACY_JOB, "t", enabled="yes")),
            "enabled must be true or false",
        ),
        (
            legacy_data.export(LEGACY_JOB, legacy_data.task(LEGACY_JOB, "t", allowed_tools=[1])),
            "allowed_tools must be a text",
        ),
        (legacy_data.export(legacy_data.job("never", working_directory=[])), "working_directory must be an object"),
    ],
)
def test_a_file_that_is_no_job_is_one_sentence_and_nothing_is_written(
    ccs: Cli, tmp_path: Path, content: object, says: str
) -> None:
    path = tmp_path / "x.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    said = ccs("jobs", "import", str(path))
    assert (said.code, said.out) == (1, ""), said
    assert says in said.err
    assert len(said.err.strip().splitlines()) <= 2
    assert ccs("jobs", "get", "never").code == 1


def test_a_file_that_cannot_be_read_or_written_is_one_sentence(ccs: Cli, name: str, tmp_path: Path) -> None:
    assert "cannot be read" in ccs("jobs", "import", str(tmp_path / "gone")).err
    whole(ccs, name)
    for target in (str(tmp_path), "/"):
        said = ccs("jobs", "export", name, "-o", target)
        assert (said.code, "cannot be written" in said.err) == (1, True), said
    assert list(tmp_path.iterdir()) == []


def test_an_export_takes_the_place_of_a_file_and_of_nothing_else(ccs: Cli, name: str, tmp_path: Path) -> None:
    whole(ccs, name)
    pipe, link, file = tmp_path / "pipe", tmp_path / "link", tmp_path / "file"
    file.write_text("old")
    file.chmod(0o600)
    link.symlink_to(file)
    ccs.ok("jobs", "export", name, "-o", str(link))
    assert (link.is_symlink(), json.loads(file.read_text())["job"]["name"]) == (True, name)
    assert file.stat().st_mode & 0o777 == 0o600
    os.mkfifo(pipe)
    with open(os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)) as reader:  # noqa: PTH123
        ccs.ok("jobs", "export", name, "-o", str(pipe))
        assert json.load(reader)["job"]["name"] == name
    assert pipe.is_fifo()
    assert {path.name for path in tmp_path.iterdir()} == {"pipe", "link", "file"}


def test_an_export_of_the_predecessor_becomes_a_job(ccs: Cli, name: str, tmp_path: Path) -> None:
    job = legacy_data.job(name)
    calendar = legacy_data.schedule(
        "calendar", calendar_frequency="weekly", calendar_time="09:30:00", calendar_days_of_week=[0, 6]
    )
    tasks = (
        legacy_data.task(job, "first", model="opus", allowed_tools=["Bash(git *)"], permissions="plan"),
        legacy_data.task(job, "second", enabled=False, prompt="/review src", prompt_type="slash_command"),
        legacy_data.task(job, "timed", schedule=calendar),
        legacy_data.task(job, "timed too", schedule=calendar),
    )
    said = ccs.ok("jobs", "import", written(tmp_path / "x", legacy_data.export(job, *tasks)))
    made = said.json
    assert (made["description"], made["working_directory"]["path"]) == ("words", "~/projects/app")
    assert [t["name"] for t in made["tasks"]] == ["first", "second", "timed", "timed too"]
    assert not {t["id"] for t in tasks} & {t["id"] for t in made["tasks"]}
    first, second = made["tasks"][:2]
    assert (first["model"], first["permissions"], first["allowed_tools"]) == ("opus", "plan", ["Bash(git *)"])
    assert (second["command"], second["enabled"]) == ("/review src", False)
    assert [(s["cron"], s["timezone"], s["only"]) for s in made["schedules"]] == [
        ("30 9 * * 1,0", "Europe/Amsterdam", ["timed", "timed too"])
    ]
    ccs.ask("POST", f"/deployments/{made['id']}/schedule", {"min_runs": 1})
    planned = ccs.ask("POST", "/flow_runs/filter", {"deployments": {"id": {"any_": [made["id"]]}}}).json()
    assert {tuple(run["parameters"]["only"]) for run in planned} == {("timed", "timed too")}
    assert reasons(said, "not mapped") == {}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"interval_type": "simple", "interval_preset": "15min"}, 900),
        ({"interval_type": "simple", "interval_preset": "1hour"}, 3600),
        ({"interval_type": "simple", "interval_preset": "30 minutes"}, 1800),
        ({"interval_type": "custom", "interval_value": 2, "interval_unit": "days"}, 172800),
        ({"interval_type": "cron", "interval_cron": "0 */2 * * *"}, "0 */2 * * *"),
    ],
)
def test_every_interval_of_the_predecessor_becomes_a_schedule(
    ccs: Cli, name: str, tmp_path: Path, fields: Any, expected: Any
) -> None:
    job = legacy_data.job(name)
    data = legacy_data.export(job, legacy_data.task(job, "t", schedule=legacy_data.schedule("interval", **fields)))
    made = ccs.ok("jobs", "import", written(tmp_path / "x", data)).json["schedules"]
    assert [s.get("cron") or s["interval"] for s in made] == [expected]


def test_what_has_no_place_here_is_reported_field_by_field_with_its_reason(ccs: Cli, name: str, tmp_path: Path) -> None:
    job = legacy_data.job(name)
    watch = legacy_data.schedule("file_watch", watch_directory="~/in")
    tasks = (
        legacy_data.task(job, "watching", schedule=watch),
        legacy_data.task(job, "loud", notifications={"on_end": True}, schedule=legacy_data.schedule(seq_max_retries=2)),
        legacy_data.task(job, "odd", permissions="restricted", prompt="", surprise=1),
        legacy_data.task(
            job, "daily", schedule=legacy_data.schedule("calendar", calendar_frequency="daily", calendar_time="07:00")
        ),
        legacy_data.task(job, "startup", schedule=legacy_data.schedule("startup")),
    )
    said = ccs.ok("jobs", "import", written(tmp_path / "x", legacy_data.export(job, *tasks)))
    lost = reasons(said, "not mapped")
    assert set(lost) == {
        *("schedule.schedule_type", "schedule.watch_directory", "schedule.watch_recursive"),
        *("schedule.watch_debounce_seconds", "notifications.on_end", "surprise"),
    }
    assert all(lost.values())
    assert all(f"not mapped: {field}: " in said.err for field in lost)
    changed = reasons(said, "changed")
    assert "read only" in changed["permissions"]
    made = {t["name"]: t for t in said.json["tasks"]}
    assert (made["odd"]["permissions"], made["odd"]["prompt"]) == ("default", "odd")


@pytest.mark.parametrize(
    ("given", "worktree"),
    [
        ({"worktree_name": "w", "worktree_branch": "dev"}, {"name": "w", "base_branch": "dev"}),
        ({"worktree_name": "a b/c"}, {"name": "a-b-c", "base_branch": "main"}),
        ({}, {"name": "job-0a1b2c3d", "base_branch": "main"}),  # what it was called there when nobody named it
    ],
)
def test_a_worktree_of_the_predecessor_is_gone_on_with(
    ccs: Cli, name: str, tmp_path: Path, given: Any, worktree: Any
) -> None:
    job = legacy_data.job(name, id="0a1b2c3d-0000-4000-8000-000000000000")
    job["working_directory"] |= {"use_git_worktree": True, **given}
    daily = legacy_data.schedule("calendar", calendar_frequency="daily", calendar_time="07:00")
    made = ccs.ok(
        "jobs", "import", written(tmp_path / "x", legacy_data.export(job, legacy_data.task(job, "t", schedule=daily)))
    ).json
    directory = made["working_directory"]
    assert directory["worktree"] == {"enabled": True, **worktree}
    assert (directory["allow_dirty"], directory["require_git"], made["paused"]) == (True, False, False)


def test_sessions_commits_and_retries_of_the_predecessor_are_taken_over(ccs: Cli, name: str, tmp_path: Path) -> None:
    job = legacy_data.job(name)
    retry = {"enabled": True, "max_attempts": 3, "delay_seconds": 90, "backoff_multiplier": 1.5}
    tasks = (
        legacy_data.task(job, "a", session_mode="fork", commit_on_success=True, retry=retry),
        legacy_data.task(job, "b", session_mode="continue", schedule=legacy_data.schedule(seq_max_retries=2)),
        legacy_data.task(
            job, "c", session_mode="reuse", retry={"enabled": True, "max_attempts": 500, "delay_seconds": -1}
        ),
    )
    del tasks[2]["commit_on_success"]
    said = ccs.ok("jobs", "import", written(tmp_path / "x", legacy_data.export(job, *tasks)))
    a, b, c = said.json["tasks"]
    assert [t["session_mode"] for t in (a, b, c)] == ["fork", "new", "reuse"]
    assert [t["commit_on_success"] for t in (a, b, c)] == [True, False, True]
    assert a["retry"] == {"max_attempts": 4, "delay_seconds": 90, "backoff": 1.5, "jitter": 0.1}
    assert b["retry"]["max_attempts"] == 1
    assert (c["retry"]["max_attempts"], c["retry"]["delay_seconds"]) == (100, 0)
    assert reasons(said, "not mapped") == {}
    assert "was 500 retries" in said.err
    assert "had no effect" in said.err


def test_the_profiles_of_the_predecessor_are_found_by_their_known_ids_or_told(
    ccs: Cli, name: str, tmp_path: Path
) -> None:
    unknown = str(uuid4())
    job = legacy_data.job(name)
    file = written(
        tmp_path / "x",
        legacy_data.export(
            job, legacy_data.task(job, "a", profile=legacy_data.ZAI), legacy_data.task(job, "b", profile=unknown)
        ),
    )
    said = ccs("jobs", "import", file)
    assert said.code == 1
    assert unknown in said.err
    ccs("profiles", "create", "zai", "--template", "zai", stdin="a-token-of-zai\n")
    made = ccs.ok("jobs", "import", file, "--profile", f"{unknown}=zai").json
    assert [t["profile"] for t in made["tasks"]] == ["zai", "zai"]


def test_fields_that_are_empty_or_of_an_older_form_are_read_as_they_were(ccs: Cli, name: str, tmp_path: Path) -> None:
    job = legacy_data.job(name, working_directory="$HOME/app")
    zone = legacy_data.schedule("calendar", timezone="Mars/Base")
    before = {"command_type": "slash_command", "command": "review", "working_directory": "/gone"}
    older = {
        k: v
        for k, v in legacy_data.task(job, "older", **before).items()
        if k not in ("prompt", "prompt_type", "schedule")
    }
    tasks = (
        older,
        legacy_data.task(
            job, "bare", model="", permissions=None, allowed_tools=["", "Edit"], schedule=zone, retry=None
        ),
        legacy_data.task(job, "listed", permissions=["bypass"]),
    )
    said = ccs.ok("jobs", "import", written(tmp_path / "x", legacy_data.export(job, *tasks)))
    assert said.json["working_directory"]["path"] == "~/app"
    first, bare, listed = said.json["tasks"]
    assert first["command"] == "/review"
    assert (bare["model"], bare["permissions"], bare["allowed_tools"]) == ("sonnet", "default", ["Edit"])
    assert listed["permissions"] == "bypass"
    assert said.json["schedules"] == []
    assert "not a time zone" in reasons(said, "not mapped")["schedule.timezone"]


def test_a_name_that_ccs_does_not_take_is_mended_and_told(ccs: Cli, name: str, tmp_path: Path) -> None:
    job = legacy_data.job(f"R&D/{name}")
    tasks = (legacy_data.task(job, "same"), legacy_data.task(job, "same"))
    said = ccs.ok("jobs", "import", written(tmp_path / "x", legacy_data.export(job, *tasks)))
    assert said.json["name"] == f"R-D-{name}"
    assert [t["name"] for t in said.json["tasks"]] == ["same", "same (2)"]
    assert f"R-D-{name}" in reasons(said, "changed")["name"] or "same (2)" in reasons(said, "changed")["name"]
