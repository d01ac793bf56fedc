"""Moving a task from one job to another, under the locks of both."""

from collections.abc import Callable
from contextlib import ExitStack

from ccs.cli.client import editing, lock
from ccs.cli.client.api import Api
from ccs.cli.client.records import Deployment, Spec


def move(api: Api, source: Deployment, target: Deployment, take: Callable[[Spec], Spec]) -> None:
    """Put the task that `take` takes out of the spec of one job at the end of another.

    Both specs are checked before anything is written, and the task is in its new job before it leaves the old one.
    Raises RequestError when one of the two would be no valid job, such as when other tasks depend on the task.
    """
    with ExitStack() as locks:  # always in the same order, so that two moves never wait for each other
        held = [
            locks.enter_context(lock.held(api, job["id"], f"job {job['name']!r}"))
            for job in sorted((source, target), key=lambda job: job["id"])
        ]
        old, new = api.job(source["id"]), api.job(target["id"])
        taken: list[Spec] = []
        without = editing.changed(old, lambda spec: taken.append(take(spec)))
        with_it = editing.changed(new, lambda spec: spec.setdefault("tasks", []).append(taken[0]))
        for each in held:
            each.check()
        editing.store(api, new, with_it)
        editing.store(api, old, without)
    api.note(f"moved task {taken[0]['name']!r} from job {source['name']!r} to job {target['name']!r}, as its last")
