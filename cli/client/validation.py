"""What pydantic finds wrong with a spec or a profile, as sentences for its author."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ccs.cli.errors import RequestError

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic_core import ErrorDetails


@contextmanager
def validation() -> Iterator[None]:
    """Turn a pydantic error inside into a RequestError."""
    from pydantic import ValidationError

    try:
        yield
    except ValidationError as error:
        raise RequestError("; ".join(mistakes(error))) from error
    except ValueError as error:
        raise RequestError(str(error)) from error


def mistakes(error: "ValidationError", spec: Mapping[str, Any] | None = None) -> list[str]:
    """A sentence for each mistake that pydantic found: the field, and what is allowed."""
    return [f"{_place(e['loc'], spec)}{_said(e)}" for e in error.errors(include_url=False, include_input=False)]


def _place(location: tuple[int | str, ...], spec: Mapping[str, Any] | None) -> str:
    words, here = [], spec
    for part in location:
        if isinstance(part, int):
            here = here[part] if isinstance(here, list) and part < len(here) else None
            if isinstance(here, dict) and words:
                words[-1] = f"{words[-1].removesuffix('s')} {here.get('name') or part + 1!r}"
        else:
            here = here.get(part) if isinstance(here, dict) else None
            words.append(part)
    return ", ".join(words) + ": " if words else ""


def _said(mistake: "ErrorDetails") -> str:
    """What is wrong, as the validator of the field says it, or else pydantic."""
    own = (mistake.get("ctx") or {}).get("error")
    text = str(own) if isinstance(own, ValueError) else mistake["msg"].replace("Input should be", "must be")
    return text[:1].lower() + text[1:] if text[:1].isupper() and not text[:2].isupper() else text
