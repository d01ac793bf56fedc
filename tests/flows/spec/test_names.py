"""Names: what the server takes as the name of a profile, and what is named after jobs, tasks and profiles."""

import subprocess
import sys
from uuid import uuid4

import httpx
import pytest

from ccs.flows.budgets.sums import Scope
from ccs.flows.server.names import limit_variable, spent_variable
from ccs.flows.spec.names import MAX_PROFILE_NAME, check_profile_name, slug
from tests.worlds.cli import Cli

LONGEST = f"p{uuid4().hex}".ljust(MAX_PROFILE_NAME, "x")


@pytest.mark.parametrize(("name", "key"), [("Task #1: Fix it!", "task-1-fix-it"), ("日本", "unnamed"), ("a", "a")])
def test_a_slug_is_a_valid_artifact_key(name: str, key: str) -> None:
    assert slug(name) == key


@pytest.mark.parametrize("name", ["", "My-Key", "my_key", "-key", "key-", "my--key", "a" * (MAX_PROFILE_NAME + 1)])
def test_what_is_no_name_for_a_profile_is_told_the_rule(name: str) -> None:
    with pytest.raises(ValueError, match="is not a name for a profile: 1 to 225 lower case letters, digits"):
        check_profile_name(name)


def test_the_longest_name_of_a_profile_is_one_to_the_command_line_and_to_the_server(server_url: str) -> None:
    ccs = Cli({"PREFECT_API_URL": server_url}).provisioned()
    assert ccs.ok("profiles", "create", LONGEST, "--env", "A=b").json["name"] == LONGEST
    refused = ccs("profiles", "create", f"{LONGEST}x", "--env", "A=b")
    assert (refused.code, "is not a name for a profile" in refused.err) == (1, True), refused


def test_the_variables_named_after_a_profile_are_what_limits_its_name(server_url: str) -> None:
    def create(variable: str) -> int:
        return httpx.post(f"{server_url}/variables/", json={"name": variable, "value": 0}).status_code

    spent = spent_variable(Scope.of_profile(LONGEST).tag, 1)
    assert (create(spent), create(f"{spent}x")) == (201, 422)
    assert create(limit_variable(LONGEST, "node")) == 201


def test_names_are_known_without_the_models_of_a_spec() -> None:
    code = "import ccs.flows.spec.names, sys; print('pydantic' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
