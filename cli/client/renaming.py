"""Giving a profile another name: a copy that the jobs use from then on, because Prefect renames no block."""

from ccs.blocks.redact import MASK
from ccs.cli.client import editing, lock, lookup, views
from ccs.cli.client.api import Api
from ccs.cli.client.profile_change import secrets_of
from ccs.cli.client.records import BlockDocument, BlockSchema, Deployment, ProfileData, Spec
from ccs.cli.client.validation import validation
from ccs.cli.errors import RequestError
from ccs.flows.spec.names import check_profile_name


def rename(api: Api, profile: BlockDocument, name: str, data: ProfileData) -> BlockDocument:
    """Keep the data of a profile under another name, have every job use it, and delete the old one; the new one.

    `data` may hold masked secrets, which are taken from the old one. Whatever interrupts it, no job is left without its
    profile. Raises RequestError when the name is taken, or a run that is under way needs the old name.
    """
    old = profile["name"]
    with validation():
        check_profile_name(name)
    if api.profile(name):
        raise RequestError(f"there is a profile {name!r} already", "give another name")
    if busy := _busy(api, old):
        raise RequestError(
            f"profile {old!r} is needed by {', '.join(busy)}; nothing was changed", "try again when they have ended"
        )
    stored = secrets_of(api.secrets(profile))
    secrets = {k: stored.get(k, given) if given == MASK else given for k, given in secrets_of(data).items()}
    schema: BlockSchema = {"id": profile["block_schema_id"], "block_type_id": profile["block_type_id"]}
    made = api.create_profile(name, {**data, "secrets": secrets}, schema)
    for job in users(api, old):
        editing.edit(api, job, lambda spec: _replace(spec, old, name))
        api.note(f"job {job['name']!r} uses {name!r} now")
    with lock.held(api, profile["id"], f"profile {old!r}"):
        if left := [job["name"] for job in users(api, old)]:
            raise RequestError(
                f"profile {name!r} was made, but {old!r} stays: {', '.join(left)} began to use it", "change those jobs"
            )
        api.delete_profile(profile["id"])
    return made


def users(api: Api, profile: str) -> list[Deployment]:
    """The jobs of which one task, or all, use a profile."""
    return [job for job in api.jobs(lookup.ALL)[0] if profile in lookup.profiles_of(job)]


def _busy(api: Api, profile: str) -> list[str]:
    kinds = ["RUNNING", "PENDING", "PAUSED", "CANCELLING", "SCHEDULED"]
    runs, _ = api.runs({"state": {"type": {"any_": kinds}}}, lookup.ALL)
    alive = [r for r in runs if not views.is_planned(r, api.server_time)]
    return [f"run {run['name']}" for run in alive if profile in lookup.profiles_of(run)]


def _replace(spec: Spec, old: str, new: str) -> None:
    for thing in (spec, *spec.get("tasks", [])):
        if thing.get("profile") == old:
            thing["profile"] = new
