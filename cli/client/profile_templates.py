"""Templates of profiles: what claude needs for each way to reach a model, with the traps that are known."""

import sys
from dataclasses import dataclass

from ccs.cli.errors import RequestError
from ccs.cli.terminal.output import say


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


def filled(template: Template, env: list[str], unset: list[str], secret: list[str]) -> tuple[list[str], list[str]]:
    """The --env and --secret options that a template stands for beside those that were given.

    What was given goes before what the template says; the rest is asked for, or read line by line from stdin.
    """
    given = {option.partition("=")[0] for option in (*env, *unset, *secret)}
    variables = [option for option in template.fixed if option.partition("=")[0] not in given]
    variables += filter(None, (_asked(name) for name in template.asked if name not in given))
    return [*env, *variables], [*secret, *(name for name in template.secrets if name not in given)]


def creation(profile: str) -> str:
    """The command that makes a profile of this name."""
    return f"ccs profiles create {profile}" + (f" --template {profile}" if profile in TEMPLATES else "")


def _asked(name: str) -> str:
    """The --env option for a variable; empty, with a warning, when nobody gives it a value."""
    if sys.stdin.isatty():
        say(f"{name} (a value, or env:{name} to take the node's own; empty to leave it out): ")
    value = sys.stdin.readline().strip()
    if not value:
        say(f"warning: {name} has no value, so it is left out; later: ccs profiles update PROFILE --env {name}=VALUE")
        return ""
    return f"{name}={value}"
