"""Profiles and settings of claude-code-scheduler: where each variable comes from, which setting has a place."""

from dataclasses import dataclass
from typing import Any

from ccs.blocks.sensitivity import is_undeclared_secret
from ccs.cli.client.profile_change import Change
from ccs.cli.client.records import ProfileData
from ccs.cli.legacy.names import SHORTCUTS, profile_name
from ccs.cli.legacy.takeover import FieldFinding, FieldOutcome, Fields, TakeoverReport
from ccs.flows.spec.names import MAX_PROFILE_NAME

_STORES = {
    "keychain": "the macOS keychain",
    "aws_sm": "AWS Secrets Manager",
    "aws_ssm": "the AWS parameter store",
    "command": "a command",
}
_WINDOW = (
    *("launch_at_login", "theme", "compact_mode", "show_token_usage", "auto_scroll_logs", "show_jobs_panel"),
    *("window_x", "window_y", "window_width", "window_height", "window_maximized", "main_splitter_sizes"),
    *("right_splitter_sizes", "default_terminal", "close_to_menu_bar", "run_in_background"),
)
_SETTINGS = {
    "notifications_enabled": "ccs sends no notifications yet; Prefect's automations can",
    "notify_task_start": "ccs sends no notifications yet; Prefect's automations can",
    "notify_task_end": "ccs sends no notifications yet; Prefect's automations can",
    "notify_errors": "ccs sends no notifications yet; Prefect's automations can",
    "default_working_directory": "say it for each job: ccs jobs create --working-directory",
    "run_retention_count": "ccs deletes no runs by itself; see: ccs runs delete",
    "log_retention_days": "ccs deletes no logs by itself",
    "max_concurrent_tasks": "set it for the work pool: prefect work-pool set-concurrency-limit ccs N",
    "mock_mode": "ccs always runs claude",
    "unmask_env_vars": "ccs never shows a secret",
}


@dataclass(repr=False)
class ProfileDraft:
    """A profile that is about to be created; never shown, for it holds secrets."""

    name: str
    data: ProfileData


def profile_of(data: Any, taken: set[str], report: TakeoverReport) -> tuple[str, ProfileDraft]:
    """The id of a profile there, and what it is here."""
    fields = Fields(
        data, f"profile {str(data.get('name', 'Untitled Profile'))!r}" if isinstance(data, dict) else "", report
    )
    given, identity = fields.text("name", default="Untitled Profile"), fields.text("id")
    name = base = SHORTCUTS.get(identity.lower(), profile_name(given))
    count = 1
    while name in taken:
        count += 1
        name = f"{base[: MAX_PROFILE_NAME - 4]}-{count}"
    if name == given:
        fields.mapped("name")
    else:
        fields.changed("name", f"is {name!r} now: names here have lower case letters, digits and single dashes")
    found = Change(description=fields.text("description"))
    fields.mapped("description")
    for item in fields.items("env_vars"):
        _add(Fields(item, fields.thing, report), found, name)
    fields.seen("env_vars")
    fields.left("a record of its past", "id", "created_at", "updated_at")
    fields.rest()
    return identity, ProfileDraft(name, found.apply({}))


def settings_of(data: Any, report: TakeoverReport) -> None:
    """Account for the settings; none of them belongs to the server."""
    fields = Fields(data, "settings", report)
    fields.left("belongs to the window", *_WINDOW)
    model = fields.text("default_model", default="sonnet")
    fields.as_here("default_model", model == "sonnet", "the default is sonnet; say it for each task: --model")
    path = fields.text("claude_cli_path")
    fields.as_here("claude_cli_path", not path, f"say it where a node is started: export CCS_CLAUDE={path}")
    for name, reason in _SETTINGS.items():
        fields.lost(name, reason)
    fields.rest()


def _add(variable: Fields, found: Change, profile: str) -> None:
    """Add one variable to the profile."""
    from ccs.blocks.env import check_name

    name, source = variable.text("name"), variable.text("source")
    value = variable.text("value")
    try:
        check_name(name)
    except ValueError as error:
        _tell(variable, name or "env_vars", "not mapped", f"{error}; left out")
        return
    if source == "unset":
        found.variables[name] = {"source": "unset", "value": ""}
        _tell(variable, name, "mapped", "unset")
    elif source == "env":
        _from_node(variable, found, name, value)
    elif source == "static":
        _static(variable, found, name, value)
    else:
        kind = _STORES.get(source, f"a source {source!r} that ccs does not know")
        why = f"{kind}, which ccs does not read yet: the node must export {name} (its tasks fail until then)"
        found.variables[name] = {"source": "env", "value": name}
        _tell(
            variable, name, "not mapped", f"comes from {why}; or give it: ccs profiles update {profile} --secret {name}"
        )


def _from_node(variable: Fields, found: Change, name: str, value: str) -> None:
    from ccs.blocks.env import check_name

    try:
        found.variables[name] = {"source": "env", "value": check_name(value)}
    except ValueError as error:
        _tell(variable, name, "not mapped", f"{error}; left out")
    else:
        _tell(variable, name, "mapped", f"the node's {value}")


def _static(variable: Fields, found: Change, name: str, value: str) -> None:
    from ccs.blocks.env import check_secret

    if not value:
        _tell(variable, name, "not mapped", "warning: its value is empty, so it is left out, as it was at every run")
    elif "\0" in value:
        _tell(variable, name, "not mapped", "its value holds a NUL character; left out")
    elif not is_undeclared_secret(name, value):
        found.variables[name] = {"source": "static", "value": value}
        _tell(variable, name, "mapped", "a variable")
    else:
        try:
            found.secrets[name] = check_secret(name, value)
        except ValueError as error:
            found.variables[name] = {"source": "env", "value": name}
            _tell(variable, name, "not mapped", f"{error}: the node must export {name}")
        else:
            _tell(variable, name, "changed", "looks like a secret and is stored as one")


def _tell(variable: Fields, name: str, outcome: str, reason: str) -> None:
    variable.report.findings.append(FieldFinding(variable.thing, f"env_vars.{name}", FieldOutcome(outcome), reason))
