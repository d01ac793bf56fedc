"""What the models of a spec have in common: strict fields, and the types of their texts."""

from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, model_validator

from ccs.flows.spec.names import check_name, check_profile_name


def _check_text(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be empty")
    return text


Name = Annotated[str, AfterValidator(check_name)]
ProfileName = Annotated[str, AfterValidator(check_profile_name)]
Text = Annotated[str, AfterValidator(_check_text)]


class SpecModel(BaseModel):
    """A part of a spec: unknown fields are refused, and texts that a command line or the server cannot take."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="after")
    def _no_nul(self) -> Self:
        for name, value in self:
            if any(isinstance(text, str) and "\0" in text for text in (value if isinstance(value, list) else [value])):
                raise ValueError(f"{name} holds a NUL character, which no command line and no PostgreSQL takes")
        return self
