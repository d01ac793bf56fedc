"""Templates of profiles: what they set can be set, and a mistake names those that there are."""

import pytest

from ccs.blocks.env import check_name
from ccs.cli.client.profile_templates import TEMPLATES, creation, of
from ccs.cli.errors import RequestError


@pytest.mark.parametrize("name", TEMPLATES)
def test_what_a_template_names_are_variables(name: str) -> None:
    template = of(name)
    assert template.description
    for variable in (*(fixed.partition("=")[0] for fixed in template.fixed), *template.secrets, *template.asked):
        assert check_name(variable) == variable
    assert all("=" in fixed for fixed in template.fixed)


def test_an_unknown_one_is_refused_with_those_there_are() -> None:
    with pytest.raises(RequestError, match="'azure' is not a template") as caught:
        of("azure")
    assert caught.value.hint == "one of: anthropic, zai, bedrock, vertex"


@pytest.mark.parametrize(
    ("profile", "command"),
    [("work", "ccs profiles create work"), ("zai", "ccs profiles create zai --template zai")],
)
def test_the_command_that_makes_a_profile_uses_the_template_of_its_name(profile: str, command: str) -> None:
    assert creation(profile) == command
