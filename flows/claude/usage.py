"""What a process spent: cost and tokens."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from ccs.flows.claude.stream import Record

SINCE = "model_usage_since_last_result"
"""The field of a result that counts from the result before it, or from the start of the process."""


@dataclass(frozen=True)
class Usage:
    """Cost, as claude estimates it, and tokens: "at least" these when partial, as claude ended before it summed up."""

    cost_usd: float = 0.0
    is_partial: bool = False
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_creation_tokens: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.cost_usd + other.cost_usd,
            self.is_partial or other.is_partial,
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cache_read_tokens + other.cache_read_tokens,
            self.cache_creation_tokens + other.cache_creation_tokens,
        )

    def __sub__(self, other: "Usage") -> "Usage":
        """What came after the other; never less than nothing."""
        return Usage(
            max(0.0, self.cost_usd - other.cost_usd),
            self.is_partial,
            max(0, self.input_tokens - other.input_tokens),
            max(0, self.output_tokens - other.output_tokens),
            max(0, self.cache_read_tokens - other.cache_read_tokens),
            max(0, self.cache_creation_tokens - other.cache_creation_tokens),
        )

    def at_least(self, other: "Usage") -> "Usage":
        """The larger of each two figures."""
        return self + (other - self)


def by_model(result: Record) -> Record:
    """What each model took since the result before; over the whole session, if claude tells nothing else."""
    return result.record(SINCE if SINCE in result.fields else "modelUsage")


def spent_until(result: Record, before: Usage) -> Usage:
    """What the process spent up to a result, given what it spent up to the result before.

    The totals of a result count from the beginning of the session: on resume, and in a fork, they hold what other
    processes spent. They are used only when claude tells nothing else.
    """
    usage = sum_of(by_model(result))
    if SINCE in result.fields:
        return before + usage
    return replace(usage, cost_usd=result.number("total_cost_usd") or 0.0)


def announced(replies: Iterable[Record]) -> Usage:
    """At least what the replies took: the API announces the tokens at their beginning, and claude tells no cost."""
    replies = list(replies)
    return Usage(
        0.0,
        False,
        sum(reply.integer("input_tokens") for reply in replies),
        sum(reply.integer("output_tokens") for reply in replies),
        sum(reply.integer("cache_read_input_tokens") for reply in replies),
        sum(reply.integer("cache_creation_input_tokens") for reply in replies),
    )


def sum_of(of_models: Record) -> Usage:
    """The sums over all models, given what each took."""
    models = [of_models.record(name) for name in of_models.fields]
    return Usage(
        sum(model.number("costUSD") or 0.0 for model in models),
        False,
        sum(model.integer("inputTokens") for model in models),
        sum(model.integer("outputTokens") for model in models),
        sum(model.integer("cacheReadInputTokens") for model in models),
        sum(model.integer("cacheCreationInputTokens") for model in models),
    )
