"""What all configuration models share: frozen, no unknown fields, and errors that name field, value and remedy."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from emseg.errors import PermanentError

NAME_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,62}$"
"""Ids that become keys, file names or DVID instance names: no slash, no dot, nothing a shell or a template reads."""

Name = Annotated[str, Field(pattern=NAME_PATTERN)]
Size = Annotated[int, Field(ge=1, le=4096)]
Vec3 = tuple[Size, Size, Size]
"""Three positive sizes, Z Y X."""

Margin = Annotated[int, Field(ge=0, le=1024)]
Margin3 = tuple[Margin, Margin, Margin]


class Record(BaseModel):
    """A frozen model that refuses unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


M = TypeVar("M", bound=BaseModel)


def validated(kind: type[M], data: Any, doing: str, on: str) -> M:
    """`kind` made from `data`; a PermanentError that names each wrong field, its value and what is accepted."""
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, e['loc'])) or 'document'} = {_shown(e.get('input'))}: {e['msg']}"
            for e in error.errors()
        )
        raise PermanentError(
            doing, on, faults, f"Correct the field; accepted here: {', '.join(kind.model_fields)}"
        ) from None


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
