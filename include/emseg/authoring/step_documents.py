"""What people read about a step: its declarations and parameters as plain text, for `emseg steps`."""

from __future__ import annotations

from typing import Any

from emseg.config.base import Record
from emseg.segment.protocol import Margin, Setting, Step

_LIMITS = {
    "minimum": "from {}",
    "exclusiveMinimum": "above {}",
    "maximum": "to {}",
    "exclusiveMaximum": "below {}",
}


class ParameterDocument(Record):
    """One parameter of a step."""

    name: str
    type: str
    default: str
    limits: str
    description: str


class StepDocument(Record):
    """One step; `halo_vox` is None for a trained step, whose model decides it."""

    kind: str
    name: str
    version: int
    package: str
    description: str
    needs_model: bool
    bytes_per_voxel: int
    halo_vox: Margin | None
    parameters: tuple[ParameterDocument, ...]


def step_document(step: type[Step[Any]], package: str, setting: Setting) -> StepDocument:
    """The document of a step with its default parameters."""
    return StepDocument(
        kind=step.kind.value,
        name=step.name,
        version=step.version,
        package=package,
        description=(step.__doc__ or "").strip().split("\n")[0],
        needs_model=step.needs_model,
        bytes_per_voxel=step.bytes_per_voxel,
        halo_vox=None if step.needs_model else step(step.Parameters(), setting).halo_vox,
        parameters=parameter_documents(step),
    )


def parameter_documents(step: type[Step[Any]]) -> tuple[ParameterDocument, ...]:
    """The parameters of a step, in the order of their declaration."""
    schema = step.Parameters.model_json_schema()
    return tuple(
        ParameterDocument(
            name=name,
            type=_type(field),
            default=str(step.Parameters.model_fields[name].get_default(call_default_factory=True)),
            limits=", ".join(text.format(field[key]) for key, text in _LIMITS.items() if key in field),
            description=str(field.get("description", "")),
        )
        for name, field in schema.get("properties", {}).items()
    )


def _type(field: dict[str, Any]) -> str:
    """`number`, `number or null`, or `choice` where a definition elsewhere lists the values."""
    kinds = [each.get("type", "choice") for each in field.get("anyOf", [field])]
    return " or ".join(kinds)
