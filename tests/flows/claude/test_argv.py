"""The command line of claude."""

from pathlib import Path
from typing import Any

import pytest

from ccs.flows.claude.argv import build_argv
from ccs.flows.claude.executable import Executable
from ccs.flows.claude.request import Request, command_name, obstacle, prompt_bytes

SESSION = "6f0d1f3a-0000-4000-8000-000000000001"
OTHER = "6f0d1f3a-0000-4000-8000-000000000002"
PLAIN = [
    "/opt/claude",
    "--print",
    "--verbose",
    "--output-format=stream-json",
    "--session-id=0-1",
    "--model=sonnet",
    "--permission-mode=bypassPermissions",
    "--setting-sources=user",
    "--strict-mcp-config",
]


def request(**fields: Any) -> Request:
    given = {
        "prompt": "hi",
        "cwd": Path("/"),
        "environment": {},
        "session_id": "0-1",
        "transcript": Path("t"),
        **fields,
    }
    return Request(**given)


def argv(**fields: Any) -> list[str]:
    return build_argv(Executable(Path("/opt/claude")), request(**fields))


def test_the_defaults_give_the_safe_command_line() -> None:
    assert argv() == PLAIN


@pytest.mark.parametrize(
    ("fields", "added"),
    [
        ({"allowed_tools": ("Bash(git *)", "-x")}, ["--allowedTools=Bash(git *)", "--allowedTools=-x"]),
        ({"disallowed_tools": ("Write",)}, ["--disallowedTools=Write"]),
        ({"append_system_prompt": "--model opus"}, ["--append-system-prompt=--model opus"]),
        ({"mcp_config": "m.json"}, ["--mcp-config=m.json"]),
        ({"max_turns": 3}, ["--max-turns=3"]),
        ({"budget_usd": 2.5}, ["--max-budget-usd=2.5"]),
        ({"budget_usd": 10.0}, ["--max-budget-usd=10"]),
        ({"budget_usd": 0.0000004}, ["--max-budget-usd=0.0000004"]),
        ({"output_schema": {"type": "object", "title": "ü"}}, ['--json-schema={"type":"object","title":"\\u00fc"}']),
    ],
)
def test_each_setting_adds_its_flag_and_the_value_in_one_argument(fields: dict[str, Any], added: list[str]) -> None:
    assert argv(**fields) == PLAIN + added


@pytest.mark.parametrize("place", ["", "/kept/"])
def test_a_resumed_session_keeps_its_id_and_a_fork_gets_its_own(place: str) -> None:
    resume = f"{place}{SESSION}.jsonl" if place else SESSION
    before, after = PLAIN[:4], PLAIN[5:]
    assert argv(resume=resume, session_id=SESSION) == [*before, f"--resume={resume}", *after]
    forked = [f"--resume={resume}", "--fork-session", f"--session-id={OTHER}"]
    assert argv(resume=resume, fork=True, session_id=OTHER) == [*before, *forked, *after]


def test_only_a_trusted_project_brings_its_own_settings_and_servers() -> None:
    trusted = argv(trust_project=True)
    assert "--setting-sources=user,project,local" in trusted
    assert "--strict-mcp-config" not in trusted


def test_the_prompt_is_never_an_argument() -> None:
    assert not any("secret plan" in argument for argument in argv(prompt="secret plan"))


@pytest.mark.parametrize(
    ("prompt", "is_command", "sent"),
    [
        ("/tmp/x is a file", False, b" /tmp/x is a file"),
        ("/review src", True, b"/review src"),
        ("-v", False, b"-v"),
        ("grüße", False, "grüße".encode()),
        ("half \ud800 pair", False, b"half ? pair"),
    ],
)
def test_only_a_command_may_begin_with_a_slash(prompt: str, is_command: bool, sent: bytes) -> None:
    assert prompt_bytes(request(prompt=prompt, is_command=is_command)) == sent


@pytest.mark.parametrize(("prompt", "name"), [("/review src", "review"), ("/sub:deep", "sub:deep"), ("/a\nb", "a")])
def test_a_command_has_a_name(prompt: str, name: str) -> None:
    assert command_name(request(prompt=prompt)) == name


@pytest.mark.parametrize(
    ("fields", "uid", "said"),
    [
        ({}, 1000, None),
        ({"prompt": " \n"}, 1000, "the prompt is empty"),
        ({"prompt": "x" * 10_000_001}, 1000, "has 10.0 MB"),
        ({"cwd": Path("/nowhere")}, 1000, "/nowhere does not exist on this node"),
        ({"cwd": Path("/etc/hostname")}, 1000, "is not a directory"),
        ({}, 0, "run the node as a normal user"),
        ({"environment": {"IS_SANDBOX": "yes"}}, 0, "set IS_SANDBOX=1 in the profile"),
        ({"environment": {"IS_SANDBOX": "1"}}, 0, None),
        ({"permission_mode": "acceptEdits"}, 0, None),
        ({"output_schema": {"title": "x" * 130_900}}, 1000, None),
        ({"output_schema": {"title": "x" * 131_072}}, 1000, "output_schema has 128 KB, but must stay below 128 KB"),
        ({"resume": SESSION, "session_id": SESSION}, 1000, None),
        ({"resume": f"/kept/{SESSION}.jsonl", "session_id": SESSION}, 1000, None),
        ({"resume": SESSION, "session_id": OTHER, "fork": True}, 1000, None),
        ({"resume": SESSION, "session_id": OTHER}, 1000, f"{SESSION} keeps its id when it is resumed"),
        ({"resume": "the title of a session"}, 1000, "neither the id of a session nor a file named after one"),
        ({"resume": "/kept/session.jsonl"}, 1000, "neither the id of a session nor a file named after one"),
    ],
)
def test_what_cannot_start_is_said_before_the_start(fields: dict[str, Any], uid: int, said: str | None) -> None:
    found = obstacle(request(**fields), uid)
    assert found is None if said is None else found and said in found
