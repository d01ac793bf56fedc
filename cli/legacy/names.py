"""Names that claude-code-scheduler took for granted, and what they are here."""

from ccs.flows.spec.names import MAX_PROFILE_NAME, slug

SHORTCUTS = {"5270805b-3731-41da-8710-fe765f2e58be": "zai", "9e4eaa7d-ba4e-44c0-861a-712aa75382d1": "bedrock"}
"""The ids of the profiles that --zai and --bedrock always stood for."""


DIRECTORY = "~/projects"
"""Where a job, or a task without one, ran unless it said otherwise."""


def profile_name(given: str) -> str:
    """The name of a profile that comes closest to the given one."""
    return slug(given)[:MAX_PROFILE_NAME].strip("-")


def shortcut(profile: str) -> str:
    """A profile's name here for its name or id there."""
    return SHORTCUTS.get(profile.lower(), profile_name(profile))
