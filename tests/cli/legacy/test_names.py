"""Names that claude-code-scheduler took for granted."""

import pytest

from ccs.cli.legacy.names import SHORTCUTS, profile_name, shortcut
from ccs.flows.spec.names import MAX_PROFILE_NAME, check_profile_name


@pytest.mark.parametrize(
    ("given", "name"), [("work", "work"), ("My Work", "my-work"), ("Z.AI (new)", "z-ai-new"), ("-_-a-_-", "a")]
)
def test_a_profile_gets_the_name_that_comes_closest(given: str, name: str) -> None:
    assert profile_name(given) == name


def test_a_long_name_is_cut_to_one_that_is_taken() -> None:
    name = profile_name("ab " * 200)
    assert len(name) <= MAX_PROFILE_NAME
    assert check_profile_name(name) == name


@pytest.mark.parametrize("identity", SHORTCUTS)
def test_the_ids_of_its_own_profiles_stand_for_names(identity: str) -> None:
    assert shortcut(identity) == shortcut(identity.upper()) == SHORTCUTS[identity]
    assert shortcut("Any Other") == "any-other"
