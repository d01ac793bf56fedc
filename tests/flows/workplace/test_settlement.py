"""What becomes of the changes of tasks, for all that may be known of their ends; without git and without a server."""

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest

from ccs.flows.git.commit import Committed
from ccs.flows.record.outcome import Outcome
from ccs.flows.record.pause import Pause
from ccs.flows.spec.task import Task
from ccs.flows.spec.verdict import Reason, Verdict
from ccs.flows.workplace.settlement import (
    Commit,
    Decision,
    Effect,
    Interrupt,
    Leave,
    Postpone,
    SetAside,
    decide,
    settled,
    undecided,
)

ASIDE = "set aside some files"
BESIDE = "what it changed cannot be told from what bad changed at the same time, which failed"
COMMITTED = Committed("c1", files=("f",), own=(), left=(), branch="main", rest=(), problem="")


def ended(
    name: str, reason: Reason = Reason.OK, *, changed: int = 0, commits: bool = True, waits: bool = False
) -> Outcome:
    """The end of a task that has changed so many files."""
    return Outcome(
        task=Task(name=name, prompt="p", commit_on_success=commits),
        verdict=Verdict(reason, "said"),
        node="n",
        directory=Path("/r"),
        changed=tuple(f"{name}{number}.txt" for number in range(changed)),
        pause=Pause(1.0, 1.0) if waits else None,
    )


ok = ended("ok")
ok_changed = ended("ok", changed=1)
other_changed = ended("other", changed=1)
keeps_changed = ended("keeps", changed=1, commits=False)
bad = ended("bad", Reason.GATE)
bad_changed = ended("bad", Reason.GATE, changed=1)
waits = ended("waits", Reason.USAGE_LIMIT, changed=1, waits=True)


@pytest.mark.parametrize(
    ("tasks", "decision"),
    [
        ([ok], Commit((ok,))),
        ([ok_changed], Commit((ok_changed,))),
        ([bad], SetAside((bad,))),  # for nothing, but for what its commits and the index hold
        ([bad_changed], SetAside((bad_changed,))),
        ([ok_changed, other_changed], Commit((ok_changed, other_changed))),
        ([ok, other_changed], Commit((other_changed,))),
        ([ok_changed, bad], Commit((ok_changed,))),
        ([ok_changed, bad_changed], SetAside((bad_changed,))),
        ([ok, bad_changed], SetAside((bad_changed,))),
        ([keeps_changed], Leave()),
        ([replace(bad_changed, task=keeps_changed.task)], Leave()),
        ([keeps_changed, ok_changed], Commit((keeps_changed, ok_changed))),
        ([keeps_changed, bad_changed], SetAside((bad_changed,))),
        ([waits], Interrupt(())),
        ([ok_changed, waits], Interrupt((ok_changed.task.id,))),
        ([waits, bad_changed], Interrupt((bad_changed.task.id,))),
    ],
)
def test_decisions(tasks: list[Outcome], decision: Decision) -> None:
    assert decide(tasks, others_work=False, is_journaled=True) == decision
    assert decide(tasks, others_work=True, is_journaled=True) == Postpone()
    without = decide(tasks, others_work=False, is_journaled=False)
    assert without == (decision if isinstance(decision, Interrupt) else Leave())


@pytest.mark.parametrize(
    ("outcome", "decision", "expected"),
    [
        (ok, Postpone(), False),
        (ok_changed, Postpone(), True),
        (bad_changed, Postpone(), True),
        (ok_changed, Interrupt(()), True),
        (ok, Interrupt(()), False),
        (waits, Interrupt(()), False),  # it goes on itself
    ],
)
def test_what_is_not_decided_yet_is_marked(outcome: Outcome, decision: Postpone | Interrupt, expected: bool) -> None:
    assert undecided(outcome, decision) == replace(outcome, undecided=expected)


class End(NamedTuple):
    """What a task's outcome says in the end."""

    verdict: str = "ok"
    detail: str = "said"
    commit: str = ""
    aside: str = ""
    notes: tuple[str, ...] = ()


@pytest.mark.parametrize(
    ("tasks", "effect", "ends"),
    [
        # committed
        ([ok], Effect(COMMITTED), [End()]),
        ([ok_changed], Effect(COMMITTED), [End(commit="c1")]),
        (
            [ok_changed, other_changed],
            Effect(COMMITTED),
            [
                End(detail="said; committed together with other", commit="c1"),
                End(detail="said; committed together with ok", commit="c1"),
            ],
        ),
        ([ok, other_changed, bad], Effect(COMMITTED), [End(), End(commit="c1"), End("gate")]),
        (
            [keeps_changed, ok_changed],
            Effect(COMMITTED),
            [
                End(detail="said; committed together with ok", commit="c1"),
                End(detail="said; committed together with keeps", commit="c1"),
            ],
        ),
        ([ok_changed], Effect(replace(COMMITTED, own=("c0",))), [End(commit="c0, c1")]),
        ([ok_changed], Effect(replace(COMMITTED, id=None, own=("c0",))), [End(commit="c0")]),
        (
            [ok_changed, other_changed],
            Effect(replace(COMMITTED, id=None, left=("f",))),
            [End(detail="said; not committed: f"), End(detail="said; not committed: f")],
        ),
        (
            [ok_changed],
            Effect(replace(COMMITTED, left=("f", "g"), rest=("g",), problem="the index is behind"), aside=ASIDE),
            [End(detail="said; not committed: f; the index is behind", commit="c1", aside=ASIDE)],
        ),
        (
            [ok_changed, other_changed],
            Effect(replace(COMMITTED, rest=("g",)), stuck="no room"),
            [End("commit", "no room"), End("commit", "no room")],
        ),
        # the commit was refused
        ([ok_changed], Effect(refused="a hook", aside=ASIDE), [End("commit", "a hook", aside=ASIDE)]),
        ([ok_changed, bad], Effect(refused="a hook", aside=ASIDE), [End("commit", "a hook", aside=ASIDE), End("gate")]),
        ([ok, other_changed], Effect(refused="a hook", aside=ASIDE), [End(), End("commit", "a hook", aside=ASIDE)]),
        ([keeps_changed, ok], Effect(refused="a hook", aside=ASIDE), [End(aside=ASIDE), End()]),
        ([ok_changed], Effect(refused="a hook"), [End("commit", "a hook")]),
        ([ok_changed, ok], Effect(refused="a hook", stuck="no room"), [End("commit", "a hook; no room")] * 2),
        ([ok_changed], Effect(refused="moved", stuck="moved"), [End("commit", "moved")]),
        # set aside
        ([bad], Effect(), [End("gate")]),
        ([bad_changed], Effect(aside=ASIDE), [End("gate", aside=ASIDE)]),
        (
            [ok_changed, bad_changed],
            Effect(aside=ASIDE),
            [End("commit", BESIDE, aside=ASIDE), End("gate", aside=ASIDE)],
        ),
        ([ok, bad_changed], Effect(aside=ASIDE), [End(), End("gate", aside=ASIDE)]),
        ([keeps_changed, bad_changed], Effect(aside=ASIDE), [End(aside=ASIDE), End("gate", aside=ASIDE)]),
        ([ok_changed, bad_changed], Effect(), [End(), End("gate")]),  # nothing was left in the files
        (
            [ok_changed, bad_changed],
            Effect(stuck="no room"),
            [End("commit", "no room"), End("gate", notes=("no room",))],
        ),
        ([bad_changed], Effect(stuck="saved", is_saved=True), [End("gate", notes=("saved",))]),
        # left
        ([keeps_changed], Effect(), [End()]),
    ],
)
def test_outcomes(tasks: list[Outcome], effect: Effect, ends: list[End]) -> None:
    decision = decide(tasks, others_work=False, is_journaled=True)
    assert isinstance(decision, Leave | Commit | SetAside)
    found = settled(tasks, decision, effect)
    assert [o.task for o in found] == [o.task for o in tasks]
    assert [End(o.verdict.reason, o.verdict.detail, o.commit, o.aside, o.notes) for o in found] == ends
    assert not any(o.undecided for o in found)


@pytest.mark.parametrize(
    ("effect", "expected"),
    [
        (Effect(), False),
        (Effect(refused="a hook", aside=ASIDE), False),
        (Effect(stuck="no room"), True),
        (Effect(stuck="saved, but still in the files", is_saved=True), False),
    ],
)
def test_what_is_in_the_files_only_is_left_to_the_next_task(effect: Effect, expected: bool) -> None:
    assert effect.is_left == expected
