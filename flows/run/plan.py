"""Which task may start next: the order of the list, what each waits for, how many at a time, what a failure stops."""

from collections.abc import Mapping, Sequence

from ccs.flows.spec.job import Job
from ccs.flows.spec.task import Task


class Plan:
    """The tasks of a run that are yet to start. It only counts; somebody else starts them."""

    def __init__(self, job: Job, due: Sequence[Task], done: Mapping[str, bool]) -> None:
        """`due` are the tasks to run; `done` says of tasks that have ended already, by name, whether they succeeded."""
        self._job = job
        self._due = {task.name: task for task in due}
        self._before = {
            name: {before for before in job.dependencies[name] if before in self._due or before in done}
            for name in self._due
        }
        self._running: set[str] = set()
        self._ended = dict(done)
        self._halted = False

    def next(self) -> Task | None:
        """A task that may start now, which then counts as running; None when there is none."""
        if self._halted or len(self._running) >= self._job.max_parallel:
            return None
        for name, task in self._due.items():
            if all(self._ended.get(before) for before in self._before[name]):
                del self._due[name]
                self._running.add(name)
                return task
        return None

    def ended(self, task: Task, ok: bool) -> None:
        """A task that was started has ended."""
        self._running.remove(task.name)
        self._ended[task.name] = ok
        if not ok and self._job.on_failure == "stop":
            self._halted = True

    def failed(self, name: str) -> None:
        """A task that had ended well has failed after all."""
        self._ended[name] = False
        if self._job.on_failure == "stop":
            self._halted = True

    def halt(self) -> None:
        """Start nothing any more."""
        self._halted = True

    @property
    def running(self) -> int:
        """How many tasks have started and not ended."""
        return len(self._running)

    def obstacle(self, task: Task) -> str:
        """Why a task that is left over was not started, in one phrase."""
        failed = {name for name, ok in self._ended.items() if not ok}
        before = self._before.get(task.name, set())
        for name in sorted(before & failed):
            return f"it depends on {name}, which failed"
        for name in sorted(before & self._behind(failed)):
            return f"it depends on {name}, which could not run"
        return "the run ended before it"

    def _behind(self, failed: set[str]) -> set[str]:
        """The names of the tasks left over that wait for one of these, or for one that does."""
        behind: set[str] = set()
        while more := {name for name in self._due if name not in behind and self._before[name] & (failed | behind)}:
            behind |= more
        return behind
