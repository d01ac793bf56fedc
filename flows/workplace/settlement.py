"""What becomes of what a group of tasks changed: decided from how they ended, without a look at the files.

`decide` says what to do; `settled` makes the outcomes of what came of it. Between the two, group.py does it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ccs.flows.git.command import naming
from ccs.flows.git.commit import Committed
from ccs.flows.record.outcome import Outcome
from ccs.flows.spec.verdict import Reason


@dataclass(frozen=True)
class Postpone:
    """Others of the group still work: it is decided when the last of them has ended."""


@dataclass(frozen=True)
class Interrupt:
    """The run goes on in these files after a usage limit: it is decided then."""

    ended: tuple[str, ...]
    """Ids of the tasks that have ended by now, and do not go on."""


@dataclass(frozen=True)
class Leave:
    """Nobody asked for a commit: the changes stay in the files."""


@dataclass(frozen=True)
class Commit:
    """All changes are committed."""

    whose: tuple[Outcome, ...]
    """The tasks that the commit names."""


@dataclass(frozen=True)
class SetAside:
    """All changes are set aside: those of the tasks that failed cannot be told from the others'."""

    failed: tuple[Outcome, ...]


Decision = Postpone | Interrupt | Leave | Commit | SetAside


@dataclass(frozen=True)
class Effect:
    """What came of a decision."""

    committed: Committed | None = None
    refused: str = ""
    """Why there is no commit."""
    aside: str = ""
    """What was set aside, in a sentence; empty for nothing."""
    stuck: str = ""
    """Why it could not be set aside."""
    is_saved: bool = False
    """Whether what is stuck in the files is saved under a ref, too."""

    @property
    def is_left(self) -> bool:
        """Whether the changes are in the files only: whoever works there next tries again to set them aside."""
        return bool(self.stuck) and not self.is_saved


def decide(ended: Sequence[Outcome], *, others_work: bool, is_journaled: bool) -> Decision:
    """What to do with the changes when a task, the last of `ended`, has ended.

    Without a journal, nobody has noted what was there before the tasks, because none of the run is to be committed.
    """
    if others_work:
        return Postpone()
    if any(o.pause for o in ended):
        return Interrupt(tuple(o.task.id for o in ended if not o.pause))
    if not (is_journaled and any(o.task.commit_on_success for o in ended)):
        return Leave()
    good = tuple(o for o in ended if o.ok)
    if failed := tuple(o for o in ended if not o.ok and (o.has_changed or not good)):
        return SetAside(failed)
    return Commit(tuple(o for o in good if o.has_changed) or good)


def undecided(outcome: Outcome, decision: Postpone | Interrupt) -> Outcome:
    """The outcome of the last task to end, for as long as it is not decided what becomes of its changes."""
    goes_on = isinstance(decision, Interrupt) and outcome.pause
    return outcome if goes_on else replace(outcome, undecided=outcome.has_changed)


def settled(ended: Sequence[Outcome], decision: Leave | Commit | SetAside, effect: Effect) -> list[Outcome]:
    """The outcomes of all tasks of the group, with what became of their changes."""
    if effect.stuck:
        why = "; ".join(dict.fromkeys(text for text in (effect.refused, effect.stuck) if text))
        return [o.failed(Reason.COMMIT, why) if o.ok else o.noted(why) for o in ended]
    if isinstance(decision, Commit):
        if effect.committed:
            return [_committed(o, decision.whose, effect.committed, effect.aside) for o in ended]
        return [_undone(o, effect.refused, effect.aside) for o in ended]
    if isinstance(decision, SetAside) and effect.aside:
        beside = ", ".join(o.task.name for o in decision.failed)
        why = f"what it changed cannot be told from what {beside} changed at the same time, which failed"
        return [_undone(o, why, effect.aside) for o in ended]
    return list(ended)


def _committed(outcome: Outcome, whose: Sequence[Outcome], done: Committed, aside: str) -> Outcome:
    if not outcome.has_changed:
        return outcome
    commits = ", ".join([*done.own, *([done.id] if done.id else [])])
    beside = ", ".join(o.task.name for o in whose if o is not outcome)
    left = [path for path in done.left if path not in done.rest]
    remarks = (
        f"committed together with {beside}" if commits and outcome.ok and beside else "",
        f"not committed: {naming(left, 5)}" if left else "",
        done.problem,
        done.left_out,
    )
    return replace(outcome.remarked(*remarks), aside=aside, commit=commits if outcome.ok else outcome.commit)


def _undone(outcome: Outcome, why: str, aside: str) -> Outcome:
    """The outcome of a task whose changes, if there are any, were set aside and not committed."""
    if not outcome.has_changed:
        return outcome
    if outcome.ok and outcome.task.commit_on_success:
        outcome = outcome.failed(Reason.COMMIT, why)
    return replace(outcome, aside=aside)
