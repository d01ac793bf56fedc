"""What every part of a spec refuses."""

from typing import Any

import pytest
from pydantic import Field, ValidationError

from ccs.flows.spec.model import Name, ProfileName, SpecModel, Text


class Part(SpecModel):
    """A part of a spec with each kind of text."""

    name: Name = "fix"
    profile: ProfileName = "work"
    prompt: Text = "go"
    note: str = ""
    words: list[str] = Field(default_factory=list)
    count: int = 0


def refusal(**fields: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        Part.model_validate(fields)
    return str(caught.value)


def test_what_is_right_is_kept_as_it_is() -> None:
    part = Part(name="Fix the tests", profile="work-2", prompt=" go\n", words=["a", ""], count=3)
    assert part.model_dump() == {
        "name": "Fix the tests",
        "profile": "work-2",
        "prompt": " go\n",
        "note": "",
        "words": ["a", ""],
        "count": 3,
    }


def test_a_field_that_nobody_knows_is_refused() -> None:
    assert "promt" in refusal(promt="go")


@pytest.mark.parametrize("prompt", ["", " ", "\n\t "], ids=repr)
def test_a_text_is_not_empty(prompt: str) -> None:
    assert "must not be empty" in refusal(prompt=prompt)


@pytest.mark.parametrize("field", ["note", "prompt"])
def test_no_text_holds_a_nul(field: str) -> None:
    assert f"{field} holds a NUL character" in refusal(**{field: "a\0b"})


def test_no_list_of_texts_holds_a_nul() -> None:
    assert "words holds a NUL character" in refusal(words=["fine", "a\0b"])
