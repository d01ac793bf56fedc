"""A profile's variables: their sources, and that resolution fails closed."""

import pytest
from pydantic import ValidationError

from ccs.blocks.env import Source, UnresolvedError, Variable, check_name, check_secret, resolve

NODE = {"HOME": "/home/me", "KEY_ON_NODE": "sk-from-the-node", "EMPTY": ""}


def test_each_source_gives_its_value() -> None:
    env = resolve(
        "p",
        {
            "REGION": Variable(source=Source.STATIC, value="eu-west-1"),
            "ANTHROPIC_API_KEY": Variable(source=Source.ENV, value="KEY_ON_NODE"),
            "HTTP_PROXY": Variable(source=Source.UNSET),
        },
        {"TOKEN": "very secret"},
        NODE,
    )
    assert env.values == {"REGION": "eu-west-1", "ANTHROPIC_API_KEY": "sk-from-the-node", "TOKEN": "very secret"}
    assert env.removed == {"HTTP_PROXY"}
    assert env.secrets == {"sk-from-the-node", "very secret"}


@pytest.mark.parametrize("source", ["MISSING", "EMPTY"])
def test_a_variable_the_node_lacks_is_an_error_that_names_it(source: str) -> None:
    with pytest.raises(UnresolvedError, match=f"profile 'p': KEY comes from the node's variable {source}, which"):
        resolve("p", {"KEY": Variable(source=Source.ENV, value=source)}, {}, NODE)


def test_an_empty_value_is_left_out_and_said() -> None:
    env = resolve("p", {"ANTHROPIC_API_KEY": Variable(source=Source.STATIC)}, {}, NODE)
    assert (env.values, env.skipped) == ({}, ("ANTHROPIC_API_KEY",))


def test_a_static_value_that_looks_like_a_secret_is_hidden_too() -> None:
    variables = {
        "MY_TOKEN": Variable(source=Source.STATIC, value="abcdefgh"),
        "DATABASE": Variable(source=Source.STATIC, value="postgres://me:pw1234@db/x"),
        "COLOUR": Variable(source=Source.STATIC, value="vermilion"),
    }
    assert resolve("p", variables, {}, NODE).secrets == {"abcdefgh", "postgres://me:pw1234@db/x"}


def test_an_environment_does_not_show_its_values() -> None:
    env = resolve("p", {}, {"TOKEN": "very secret"}, NODE)
    assert "very secret" not in repr(env)


def test_a_secret_of_a_few_letters_is_refused_without_showing_it() -> None:
    with pytest.raises(ValueError, match="the secret PIN is shorter than 6") as caught:
        check_secret("PIN", "0042")
    assert "0042" not in str(caught.value)


@pytest.mark.parametrize("name", ["", "1A", "A-B", "A=B", "Ä"])
def test_a_bad_variable_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="not the name of an environment variable"):
        check_name(name)


def test_a_variable_takes_only_what_its_source_needs() -> None:
    with pytest.raises(ValidationError, match="has no value"):
        Variable(source=Source.UNSET, value="x")
    with pytest.raises(ValidationError, match="not the name of an environment variable"):
        Variable(source=Source.ENV, value="a b")
