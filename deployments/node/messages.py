"""What a node and its zygote tell each other: JSON, a line each."""

from typing import TypedDict


class Order(TypedDict):
    """The node wants a run's process."""

    run: str
    """The id of the flow run."""
    env: dict[str, str]
    """Its whole environment."""
    cwd: str
    output: bool
    """Whether it goes to the node's stdout and stderr, or nowhere."""


class ZygoteReport(TypedDict, total=False):
    """The zygote is ready, or says why it is not; later, what became of the process of a run."""

    ready: bool
    refused: str
    run: str
    pid: int
    """It was forked."""
    error: str
    """It could not be."""
    status: int
    """It has ended, with this status of `waitpid`."""
