"""Templates of profiles: what claude needs for each way to reach a model, with the traps that are known."""

from dataclasses import dataclass

from ccs.cli.errors import RequestError


@dataclass(frozen=True)
class Template:
    """Variables that are set, and those whose source is asked for."""

    description: str
    fixed: tuple[str, ...] = ()  # NAME=VALUE
    secrets: tuple[str, ...] = ()
    asked: tuple[str, ...] = ()


TEMPLATES = {
    "anthropic": Template("Anthropic's own API", secrets=("ANTHROPIC_API_KEY",)),
    "zai": Template(
        "Z.AI",
        # A node that is set up for Bedrock would go there in spite of the address.
        fixed=("ANTHROPIC_BASE_URL=https://api.z.ai/api/anthropic", "CLAUDE_CODE_USE_BEDROCK=0"),
        secrets=("ANTHROPIC_AUTH_TOKEN",),
    ),
    "bedrock": Template("Amazon Bedrock", fixed=("CLAUDE_CODE_USE_BEDROCK=1",), asked=("AWS_REGION", "AWS_PROFILE")),
    "vertex": Template(
        "Google Vertex AI",
        fixed=("CLAUDE_CODE_USE_VERTEX=1",),
        asked=("CLOUD_ML_REGION", "ANTHROPIC_VERTEX_PROJECT_ID"),
    ),
}


def of(name: str) -> Template:
    """The template of this name; RequestError when there is none."""
    if name not in TEMPLATES:
        raise RequestError(f"{name!r} is not a template", f"one of: {', '.join(TEMPLATES)}")
    return TEMPLATES[name]


def creation(profile: str) -> str:
    """The command that makes a profile of this name."""
    return f"ccs profiles create {profile}" + (f" --template {profile}" if profile in TEMPLATES else "")
