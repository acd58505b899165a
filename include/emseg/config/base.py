"""What all configuration models share: frozen, no unknown fields, and errors that name field, value and remedy."""

from __future__ import annotations

import reprlib
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, TypeVar, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from emseg.config.documents import Place
from emseg.errors import PermanentError
from emseg.geometry.positions import LIMIT_VOX
from emseg.geometry.supervoxel_ids import MAX_LABEL
from emseg.geometry.voxel_size import LARGEST_NM, SMALLEST_NM

NAME_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,62}$"
"""Ids that become keys, file names or DVID instance names: no slash, no dot, nothing a shell or a template reads."""

_NAME_RULE = "use 1 to 63 of a-z, 0-9, _ and -, no capitals, with a letter or digit first"

_OF_NUMBERS = {"greater_than", "greater_than_equal", "less_than", "less_than_equal", "multiple_of"}
"""What pydantic calls the limits of numbers; it takes `yes` for 1 when it compares."""

_NO_NUMBER = "it is taken for a switch, not for a number"

Name = Annotated[str, Field(pattern=NAME_PATTERN)]

MODELS, MODEL_REPORTS, PROBES, ALERTS, REQUESTS = "models", "model-reports", "probe", "alerts", "requests"
INGESTIONS, EVALUATIONS = "ingestions", "evaluations"
BESIDE_DATASETS = (MODELS, MODEL_REPORTS, PROBES, INGESTIONS, EVALUATIONS, ALERTS, REQUESTS)
"""Folders at the top of the object store that are no datasets, so no dataset may have such a name."""
Size = Annotated[int, Field(ge=1, le=4096)]
Vec3 = tuple[Size, Size, Size]
"""Three positive sizes, Z Y X."""

CoreSize = Annotated[int, Field(ge=64, le=4096, multiple_of=64)]
Core3 = tuple[CoreSize, CoreSize, CoreSize]
"""Sides of a core, Z Y X: whole DVID blocks, of which no two subvolumes may share one."""

Margin = Annotated[int, Field(ge=0, le=1024)]
Margin3 = tuple[Margin, Margin, Margin]

Edge = Annotated[float, Field(ge=SMALLEST_NM, le=LARGEST_NM)]
VoxelSizeNm = tuple[Edge, Edge, Edge]
"""A voxel size in nanometres, Z Y X, with the limits of `checked_voxel_size`."""

Position = Annotated[int, Field(ge=0, le=LIMIT_VOX)]
Position3 = tuple[Position, Position, Position]
"""A corner of a box of voxels, Z Y X, with the limits of `checked_box`."""

NodeReference = Annotated[str, Field(pattern=r"^[0-9a-f]{4,32}(:[A-Za-z0-9_-]{1,63})?$")]
"""A DVID version: a UUID or unique prefix, or `UUID:branch` for the newest committed node of a branch."""

InstanceName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$")]

BodyId = Annotated[int, Field(ge=1, lt=MAX_LABEL)]
BodyIds = Annotated[tuple[BodyId, ...], AfterValidator(lambda ids: tuple(sorted(set(ids))))]
"""Ids of bodies, ascending."""


class Record(BaseModel):
    """A frozen model that refuses unknown fields, and numbers that are not finite."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True, allow_inf_nan=False)


M = TypeVar("M", bound=BaseModel)


def validated(kind: type[M], data: Any, doing: str, on: str, lines: Mapping[Place, int] | None = None) -> M:
    """`kind` made from `data`; a PermanentError that names each wrong field, its value and what is accepted.

    With `lines`, the line of each value in its file, it also names the lines. `yes` and `off` are no numbers.
    """
    try:
        made = kind.model_validate(data)
    except ValidationError as error:
        faults = "; ".join(_fault(each, lines or {}) for each in error.errors())
        raise PermanentError(doing, on, faults, _remedy(error, kind)) from None
    for place, given in _switches(data, made, ()):
        found = f"{_named(place, given, lines or {})}: {_NO_NUMBER}"
        raise PermanentError(doing, on, found, "Give a number, or null where the field takes it")
    return made


def _fault(error: ErrorDetails, lines: Mapping[Place, int]) -> str:
    named = _named(error["loc"], error.get("input"), lines)
    if isinstance(error.get("input"), bool) and error["type"] in _OF_NUMBERS:
        return f"{named}: {_NO_NUMBER}"
    pattern = error.get("ctx", {}).get("pattern")
    return f"{named}: {_NAME_RULE if pattern == NAME_PATTERN else error['msg']}"


def _named(place: Place, value: Any, lines: Mapping[Place, int]) -> str:
    """The path of a field, its value, and the line of the field or of the section that lacks it."""
    line = next((lines[place[:end]] for end in range(len(place), -1, -1) if place[:end] in lines), None)
    where = "" if line is None else f" (line {line})"
    return f"{'.'.join(map(str, place)) or 'document'} = {_shown(value)}{where}"


def _remedy(error: ValidationError, kind: type[BaseModel]) -> str:
    quotes = "; put text that looks like a number, a date or yes and no in quotes"
    text_expected = any(each["type"] == "string_type" for each in error.errors())
    section = _section(kind, error.errors()[0]["loc"][:-1])
    return f"Correct the field{quotes if text_expected else ''}; accepted here: {', '.join(section.model_fields)}"


def _section(kind: type[BaseModel], place: Place) -> type[BaseModel]:
    """The model of the section at `place`; the innermost one that is known, where a part of it is no section."""
    for name in place:
        field = kind.model_fields.get(str(name))
        parts = [] if field is None else [field.annotation, *get_args(field.annotation)]
        inner = [each for each in parts if isinstance(each, type) and issubclass(each, BaseModel)]
        if not inner:
            break
        kind = inner[0]
    return kind


def _switches(given: Any, made: Any, place: Place) -> Iterator[tuple[Place, bool]]:
    """The places where `given` has true or false, and pydantic made a number of it."""
    if isinstance(given, bool):
        if isinstance(made, int | float) and not isinstance(made, bool):
            yield place, given
    elif isinstance(given, Mapping):
        parts = made if isinstance(made, Mapping) else dict(made) if isinstance(made, BaseModel) else {}
        for name in given.keys() & parts.keys():
            yield from _switches(given[name], parts[name], (*place, name))
    elif isinstance(given, list | tuple) and isinstance(made, list | tuple):
        for number, (one, other) in enumerate(zip(given, made, strict=False)):
            yield from _switches(one, other, (*place, number))


def _shown(value: Any) -> str:
    # A long list or number is not spelled out first: that can take minutes.
    text = reprlib.repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
