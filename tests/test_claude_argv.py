"""The command line of claude."""

from pathlib import Path
from typing import Any

import pytest

from ccs.flows.claude.argv import build_argv
from ccs.flows.claude.executable import Executable
from ccs.flows.claude.request import Request, command_name, obstacle, prompt_bytes

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
    ],
)
def test_each_setting_adds_its_flag_and_the_value_in_one_argument(fields: dict[str, Any], added: list[str]) -> None:
    assert argv(**fields) == PLAIN + added


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
    ],
)
def test_what_cannot_start_is_said_before_the_start(fields: dict[str, Any], uid: int, said: str | None) -> None:
    found = obstacle(request(**fields), uid)
    assert found is None if said is None else found and said in found
