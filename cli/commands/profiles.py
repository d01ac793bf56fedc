"""`ccs profiles`: the environments that claude runs with, kept on the server, secrets encrypted."""

from typing import Annotated

import typer

from ccs.cli import words
from ccs.cli.app import Noun, Session
from ccs.cli.client import lookup, views
from ccs.cli.client.profile_change import undeclared_secrets
from ccs.cli.client.rows import ProfileRow
from ccs.cli.commands.options import Force, ProfileRef, confirm
from ccs.cli.errors import RequestError
from ccs.cli.terminal.output import Columns, fields, say, show_list, show_one

app = Noun("Profiles: the environment claude runs with.")

Env = Annotated[
    list[str] | None,
    typer.Option("--env", metavar="NAME=VALUE", help="A variable; NAME=env:OTHER takes the node's OTHER. Repeatable."),
]
Unset = Annotated[
    list[str] | None, typer.Option("--unset", metavar="NAME", help="A variable that claude must not see; repeatable.")
]
Secret = Annotated[
    list[str] | None,
    typer.Option(
        "--secret",
        metavar="NAME[=SOURCE]",
        help="A secret: asked for (or a line of stdin), or from env:VAR or file:PATH of this machine. Repeatable.",
    ),
]
Description = Annotated[str | None, typer.Option("--description", metavar="TEXT", help="What the profile is for.")]
PerDay = Annotated[
    float | None,
    typer.Option(
        "--budget-per-day", min=0, metavar="USD", help="Estimated cost of all its jobs a day; then they are paused."
    ),
]
PerMonth = Annotated[
    float | None,
    typer.Option("--budget-per-month", min=0, metavar="USD", help="The same for a month; 0 takes a budget away."),
]
Template = Annotated[
    str | None,
    typer.Option(
        "--template", metavar="anthropic|zai|bedrock|vertex", help="Ask for what claude needs for this provider."
    ),
]

_PROFILES: Columns[ProfileRow] = {
    "NAME": "name",
    "VARIABLES": lambda p: sorted(p["variables"]),
    "SECRETS": "secrets",
    "DESCRIPTION": "description",
    "ID": lambda p: words.short(p["id"]),
}


@app.verb("list", "ccs profiles list")
def list_() -> None:
    """All profiles, by name; never a secret."""
    rows = [views.profile(p) for p in Session.api().profiles()]
    show_list(rows, _PROFILES, "profiles", "no profiles yet; make one with: ccs profiles create NAME --secret VARIABLE")


@app.verb("get", "ccs profiles get anthropic")
def get(profile: ProfileRef) -> None:
    """A profile: its variables and where they come from, and the names of its secrets."""
    show_one(views.profile(lookup.profile(Session.api(), profile)), _text)


@app.verb("create", "ccs profiles create anthropic --secret ANTHROPIC_API_KEY")
def create(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Lower case letters, digits, dashes; else the template's.")
    ] = None,
    env: Env = None,
    unset: Unset = None,
    secret: Secret = None,
    description: Description = None,
    budget_per_day: PerDay = None,
    budget_per_month: PerMonth = None,
    template: Template = None,
    called: Annotated[str | None, typer.Option("--name", metavar="NAME", hidden=True)] = None,
) -> None:
    """Create a profile; a template asks for what it needs."""
    from ccs.cli.client import profile_templates, provision
    from ccs.cli.client.validation import validation
    from ccs.cli.commands import profile_options
    from ccs.flows.spec.names import check_profile_name

    name = name or called or template
    if name is None:
        raise RequestError("a profile needs a name", "say: ccs profiles create NAME, or --template zai")
    api, model = Session.api(), profile_templates.of(template) if template else None
    with validation():
        check_profile_name(name)
    if api.profile(name):
        raise RequestError(f"there is a profile {name!r} already", f"change it with: ccs profiles update {name}")
    if model:
        description = model.description if description is None else description
        env, secret = profile_options.filled(model, env or [], unset or [], secret or [])
    budgets = profile_options.budgets(budget_per_day, budget_per_month)
    if None in budgets.values():  # who means that nothing may be spent would have no budget at all
        raise RequestError("a budget must be greater than 0", "leave it out where there is to be none")
    change = profile_options.read(env, unset, secret, description=description, budgets=budgets)
    data = profile_options.applied(change, {})
    made = api.create_profile(name, data, provision.profile_type(api))
    say(f"created profile {name!r}; use it with: ccs jobs create --profile {name}")
    show_one(views.profile(made), _text)


@app.verb("update", "ccs profiles update anthropic --env ANTHROPIC_MODEL=sonnet")
def update(
    profile: ProfileRef,
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="A new name; the jobs that use it follow.")
    ] = None,
    env: Env = None,
    unset: Unset = None,
    secret: Secret = None,
    remove: Annotated[list[str] | None, typer.Option("--remove", metavar="NAME", help="Forget a variable.")] = None,
    description: Description = None,
    budget_per_day: PerDay = None,
    budget_per_month: PerMonth = None,
) -> None:
    """Change a profile; what is not named stays, secrets too.

    A variable that looks like a secret becomes one, also when nothing else is changed.
    """
    from ccs.cli.client import lock, renaming
    from ccs.cli.commands import profile_options

    api = Session.api()
    budgets = profile_options.budgets(budget_per_day, budget_per_month)
    found = lookup.profile(api, profile)
    named = env or unset or secret or remove or budgets or name or description is not None
    if not named and not undeclared_secrets(found["data"].get("variables") or {}):
        raise RequestError("nothing to change was named", "see: ccs profiles update --help")
    change = profile_options.read(env, unset, secret, remove, description, budgets)
    if name and name != found["name"]:
        renamed = renaming.rename(api, found, name, profile_options.applied(change, found["data"]))
        show_one(views.profile(lookup.profile(api, renamed["name"])), _text)
        return
    with lock.held(api, found["id"], f"profile {found['name']!r}") as held:
        fresh = lookup.profile(api, found["id"])
        data = profile_options.applied(change, fresh["data"])
        held.check()
        api.update_profile(fresh, data)
    show_one(views.profile(lookup.profile(api, found["id"])), _text)


@app.verb("delete", "ccs profiles delete anthropic")
def delete(profile: ProfileRef, force: Force = False) -> None:
    """Delete a profile."""
    from ccs.cli.client import renaming

    api = Session.api()
    found = lookup.profile(api, profile)
    users = [job["name"] for job in renaming.users(api, found["name"])]
    used = f", used by {', '.join(users)}" if users else ""
    confirm(f"delete profile {found['name']!r}{used}?", force)
    api.delete_profile(found["id"])
    say(f"deleted profile {found['name']!r}" + (f"; these jobs cannot run now: {', '.join(users)}" if users else ""))


@app.verb("lift-limit", "ccs profiles lift-limit anthropic")
def lift_limit(profile: ProfileRef) -> None:
    """Forget that a usage limit holds, such as after an upgrade: what waits for its reset goes on now.

    One task tries first. When it meets the limit again, all wait again.
    """
    from ccs.cli.diagnosis import limits
    from ccs.cli.terminal.limits import show_lifted
    from ccs.flows.server.names import limit_variable

    api = Session.api()
    found = lookup.profile(api, profile)
    name = found["name"]
    done = limits.lift(api, limit_variable(name, ""))
    show_lifted(done, {"id": found["id"], "name": name}, f"profile {name!r}")


def _text(profile: ProfileRow) -> str:
    sources = {"static": "{}", "env": "the node's {}", "unset": "(removed)"}
    variables = {n: sources.get(v["source"], "{}").format(v.get("value")) for n, v in profile["variables"].items()}
    budgets = {"day": profile["budget_usd_per_day"], "month": profile["budget_usd_per_month"]}
    head: dict[str, object] = {
        "Profile": f"{profile['name']}  ({profile['id']})",
        "Description": profile["description"],
        "Budgets": [f"${usd:g} per {span}" for span, usd in budgets.items() if usd],
        "Changed": words.ago(profile["updated"]),
    }
    return "\n".join(
        [fields(head), "", fields({**variables, **dict.fromkeys(profile["secrets"], "(secret)")})]
    ).rstrip()
