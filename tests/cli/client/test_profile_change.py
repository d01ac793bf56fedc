"""What becomes of the data of a profile."""

import pytest

from ccs.cli.client.profile_change import Change, secrets_of
from ccs.cli.client.records import ProfileData, ProfileVariable
from ccs.cli.errors import RequestError

A: ProfileVariable = {"source": "static", "value": "a"}
B: ProfileVariable = {"source": "env", "value": "B_HERE"}
DATA: ProfileData = {
    "description": "for work",
    "variables": {"A": A, "B": B},
    "secrets": {"KEY": "********"},
    "budget_usd_per_day": 5.0,
}


def test_no_change_changes_nothing() -> None:
    assert Change().apply(DATA) == DATA


def test_what_is_given_is_put_and_the_rest_stays() -> None:
    after = Change(variables={"C": A}, secrets={"MORE": "s3cret-text"}, description="").apply(DATA)
    assert after["variables"] == {"A": A, "B": B, "C": A}
    assert after["secrets"] == {"KEY": "********", "MORE": "s3cret-text"}  # what is masked, the server keeps
    assert (after["description"], after["budget_usd_per_day"]) == ("", 5.0)


def test_a_name_is_a_variable_or_a_secret_and_not_both() -> None:
    assert Change(secrets={"A": "s3cret-text"}).apply(DATA)["variables"] == {"B": B}
    after = Change(variables={"KEY": A}).apply(DATA)
    assert (after["secrets"], after["variables"]["KEY"]) == ({}, A)


@pytest.mark.parametrize("name", ["A", "KEY"])
def test_what_is_removed_is_gone(name: str) -> None:
    after = Change(removed=[name]).apply(DATA)
    assert name not in (*after["variables"], *after["secrets"])


def test_what_is_not_there_cannot_be_removed_and_nothing_of_the_value_is_said() -> None:
    with pytest.raises(RequestError, match="the profile has no variable 'X'") as caught:
        Change(removed=["X"]).apply(DATA)
    assert caught.value.hint == "it has A, B, KEY"
    with pytest.raises(RequestError) as caught:
        Change(removed=["X"]).apply({})
    assert caught.value.hint == "it has none"


def test_budgets_are_set_and_lifted() -> None:
    after = Change(budgets={"budget_usd_per_day": None, "budget_usd_per_month": 50.0}).apply(DATA)
    assert (after["budget_usd_per_day"], after["budget_usd_per_month"]) == (None, 50.0)
    assert "budget_usd_per_month" not in Change().apply(DATA)


@pytest.mark.parametrize(
    ("data", "found"), [({"secrets": {"A": "*"}}, {"A": "*"}), ({"secrets": "********"}, {}), ({}, {})], ids=str
)
def test_prefect_masks_even_that_there_are_no_secrets(data: ProfileData, found: dict[str, str]) -> None:
    assert secrets_of(data) == found


def test_a_secret_is_in_no_representation() -> None:
    assert "s3cret-text" not in repr(Change(secrets={"KEY": "s3cret-text"}))
