"""A job that is about to be written: checked with all it needs, then stored in one request."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from ccs.cli.client import editing, lock
from ccs.cli.client.api import Api
from ccs.cli.client.profile_templates import creation
from ccs.cli.client.records import Deployment, NewDeployment, NewSchedule, Spec
from ccs.cli.errors import RequestError


@dataclass
class Draft:
    """A job from a file: its spec, its schedules as Prefect takes them, and whether they are paused."""

    spec: Spec
    schedules: list[NewSchedule] = field(default_factory=list)
    paused: bool = False

    @property
    def name(self) -> str:
        """The name of the job."""
        return str(self.spec.get("name"))

    def profiles(self) -> set[str]:
        """The names of the profiles that the job and its tasks use."""
        of_tasks = (t.get("profile") for t in self.spec.get("tasks") or [])
        return {str(p) for p in (self.spec.get("profile"), *of_tasks) if p}

    def checked(self, name: str | None = None) -> "Draft":
        """The same with every default, under another name if one is given; RequestError when it is no valid job."""
        spec = {**self.spec, "name": name} if name else self.spec
        return Draft(editing.dump(editing.checked(spec)), self.schedules, self.paused)


def require(api: Api, source: str, pool: str, profiles: Iterable[str]) -> None:
    """Raise RequestError, naming everything that the server lacks, before anything is written."""
    known = {p["name"] for p in api.profiles()}
    missing = sorted(set(profiles) - known)
    said = [f"profile {name!r}" for name in missing]
    hints = [creation(name) for name in missing]
    if api.pool(pool) is None:
        said.append(f"work pool {pool!r}")
        hints.append("ccs up -d")
    if said:
        other = f", or name another: --profile {missing[0]}=NAME" if missing else ""
        raise RequestError(
            f"{source} needs what is not here: {', '.join(said)}; nothing was written",
            f"make it with: {'; '.join(hints)}{other}",
        )


def store(api: Api, draft: Draft, pool: str, replace: bool = False, move: bool = False) -> Deployment:
    """Write a job with its schedules in one request; its deployment.

    A job of the same name is replaced, and keeps its id, its runs and (unless it is to `move`) its work pool; or else
    RequestError says that it is there.
    """
    job = editing.checked(draft.spec)
    body: NewDeployment = {**editing.deployment_of(job, pool, draft.schedules), "paused": draft.paused}
    with editing.name_held(api, job.name):
        there, _ = api.jobs(1, name=job.name)
        if not there:
            return api.create_job(body)
        if not replace:
            raise RequestError(
                f"there is a job {job.name!r} already; nothing was written",
                "replace it with --force, or give the new one another name with --name",
            )
        with lock.held(api, there[0]["id"], f"job {job.name!r}") as held:
            held.check()
            if not move:
                body["work_pool_name"] = there[0]["work_pool_name"] or pool
            return api.create_job(body)
