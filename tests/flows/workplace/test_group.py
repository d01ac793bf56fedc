"""Tasks of a run in a real repository, with the ends that a test says; without a server."""

from dataclasses import replace
from logging import getLogger
from pathlib import Path

import pytest

from ccs.flows.git.busy import Hold
from ccs.flows.record.outcome import Outcome
from ccs.flows.record.pause import Pause
from ccs.flows.spec.job import Job
from ccs.flows.spec.verdict import Reason, Verdict
from ccs.flows.workplace.directory import WorkplaceError
from ccs.flows.workplace.workplace import Workplace
from tests.worlds.git import a_repository, git, status, write


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CCS_HOME", str(tmp_path / "ccs"))
    return a_repository(tmp_path / "repo", README="first\n")


def ends(repo: Path, job: Job, *reasons: Reason) -> list[Outcome]:
    """How the tasks of a job end, in their order."""
    return [
        Outcome(task=task, verdict=Verdict(reason, "said"), node="n", directory=repo)
        for task, reason in zip(job.tasks, reasons, strict=True)
    ]


def job(repo: Path, *names: str) -> Job:
    tasks = [{"name": name, "prompt": "p"} for name in names]
    return Job.model_validate({"name": "nightly", "working_directory": {"path": str(repo)}, "tasks": tasks})


def test_what_could_not_be_set_aside_is_in_no_commit_of_the_next_task(repo: Path) -> None:
    git(repo, "config", "filter.room.clean", "test ! -e .git/full && cat")
    git(repo, "config", "filter.room.required", "true")
    write(repo / ".git/info", attributes="*.txt filter=room\n")
    spec = job(repo, "a", "b")
    a, b = ends(repo, spec, Reason.GATE, Reason.OK)
    with Workplace.open(spec, spec.tasks, "run-1", {}, getLogger()) as workplace:
        workplace.enter(a.task)
        write(repo, **{"README": "bad\n", "a.txt": "bad\n"})
        (repo / ".git/full").touch()
        (failed,) = workplace.leave(a)
        assert "clean filter 'room' failed" in str(failed.notes)
        (repo / ".git/full").unlink()
        with (
            Hold.take(repo),  # the share of a run that commits nothing
            pytest.raises(WorkplaceError, match="stays there for now: another run works there"),
        ):
            workplace.enter(b.task)
        workplace.enter(b.task)
        write(repo, **{"b.txt": "good\n"})
        (done,) = workplace.leave(b)
    assert done.ok, done.verdict
    assert git(repo, "show", "--name-only", "--format=", done.commit) == "b.txt"
    assert status(repo) == ""


def test_tasks_side_by_side_share_one_commit(repo: Path) -> None:
    spec = job(repo, "a", "b")
    a, b = ends(repo, spec, Reason.OK, Reason.OK)
    with Workplace.open(spec, spec.tasks, "run-1", {}, getLogger()) as workplace:
        for task in spec.tasks:
            workplace.enter(task)
        write(repo, **{"a.txt": "a\n"})
        (first,) = workplace.leave(a)
        assert (first.undecided, first.commit) == (True, "")
        write(repo, **{"b.txt": "b\n"})
        others_and_own = workplace.leave(b)
    assert [o.task.name for o in others_and_own] == ["a", "b"]
    assert {o.commit for o in others_and_own} == {git(repo, "rev-parse", "HEAD")}
    assert git(repo, "show", "--name-only", "--format=").split() == ["a.txt", "b.txt"]


def test_after_a_usage_limit_the_changes_stay_for_the_run_to_go_on_in(repo: Path) -> None:
    spec = job(repo, "a")
    (a,) = ends(repo, spec, Reason.OK)
    limited = replace(a, pause=Pause(1.0, 1.0))
    with Workplace.open(spec, spec.tasks, "run-1", {}, getLogger()) as workplace:
        workplace.enter(a.task)
        write(repo, **{"a.txt": "a\n"})
        (waiting,) = workplace.leave(limited)
    assert (waiting.commit, status(repo)) == ("", "?? a.txt")
    with Workplace.open(spec, spec.tasks, "run-1", {}, getLogger()) as workplace:
        workplace.enter(a.task)
        (done,) = workplace.leave(a)
    assert (done.commit, status(repo)) == (git(repo, "rev-parse", "HEAD"), "")
