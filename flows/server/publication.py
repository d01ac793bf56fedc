"""What a run publishes on the server, but for its log: states, pages, tables. They take clean texts and no others.

Whoever has a text of another kind has it cleaned by the run's Redaction first; nothing else in the flows makes any of
these.
"""

from datetime import datetime
from uuid import UUID

from prefect.artifacts import create_markdown_artifact
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import ArtifactCreate, ArtifactUpdate
from prefect.client.schemas.objects import State
from prefect.states import AwaitingRetry, Cancelled, Completed, Failed

from ccs.blocks.redact import Clean


def completed(message: Clean, name: str = "Completed") -> State[None]:
    """The state of what did its work, or had none."""
    return Completed(name=name, message=message)


def failed(message: Clean) -> State[None]:
    """The state of what did not do its work."""
    return Failed(message=message)


def cancelled(message: Clean, name: str = "Cancelled") -> State[None]:
    """The state of what was ended, or does not end in this execution."""
    return Cancelled(name=name, message=message)


def awaiting(until: datetime, message: Clean) -> State[None]:
    """The state of a run that is to be taken up again."""
    return AwaitingRetry(scheduled_time=until, message=message)


def publish_page(key: str, markdown: Clean, description: Clean) -> None:
    """Leave a page with the task or flow run that this is called in."""
    create_markdown_artifact(key=key, markdown=markdown, description=description)


def create_table(client: SyncPrefectClient, run_id: str, key: str, description: Clean, data: Clean) -> UUID:
    """Leave a table with a flow run; its id."""
    table = ArtifactCreate(type="table", key=key, description=description, flow_run_id=UUID(run_id), data=data)
    return client.create_artifact(table).id


def update_table(client: SyncPrefectClient, table: UUID, data: Clean) -> None:
    """Replace what is in a table."""
    client.update_artifact(table, ArtifactUpdate(data=data))
