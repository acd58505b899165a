"""The run form: `RunParameters` as Airflow Params, so that the form, the REST API and the library agree.

A bad value is refused by Airflow before a run exists (HTTP 400 to API callers), with the limits of the library's own
model; `pin` checks again, because it alone also sees unknown names.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow.sdk import Param
from pydantic import BaseModel

from emseg.config import PipelineConfig, RunParameters
from emseg.config.presets import preset
from emseg.config.step_parameters import STEP_PARAMETERS

ADVANCED = ("step_parameters", "core_vox", "halo_vox")
"""Fields that the form shows folded away."""


def form_params(datasets: Sequence[str], presets: Sequence[str], fixed: str | None = None) -> dict[str, Param]:
    """One Param for each field of RunParameters; with `fixed` the dataset is that one and cannot be chosen."""
    params = params_of(RunParameters, "as in the dataset file")
    params["preset"].schema["enum"] = [*presets, None]
    params["step_parameters"].schema["description_md"] = parameters_by_preset(presets)
    params["dataset"].schema["enum"] = [fixed] if fixed else list(datasets)
    if fixed:
        params["dataset"].value = fixed
    return params


def params_of(kind: type[BaseModel], empty: str) -> dict[str, Param]:
    """One Param for each field of a model; `empty` is how the form shows that nothing is chosen."""
    model = kind.model_json_schema()
    return {name: _param(schema, model, name, empty) for name, schema in model["properties"].items()}


def parameters_by_preset(presets: Sequence[str]) -> str:
    """What `step_parameters` may hold, as Markdown: for each preset its steps, with the parameters they have."""
    lines = ['For example `{"agglomerate": {"threshold": 0.7}}`. Steps of packages: `emseg steps`.']
    for name in presets:
        pipeline = preset(name)
        chosen = [(kind, step) for kind in PipelineConfig.model_fields if (step := getattr(pipeline, kind)) is not None]
        lines += ["", f"**{name}**", ""]
        lines += [f"- `{kind}`: {step.name}{_parameters_of(step.name)}" for kind, step in chosen]
    return "\n".join(lines)


def _parameters_of(step: str) -> str:
    fields = STEP_PARAMETERS[step].model_json_schema().get("properties", {}).items()
    told = [f"`{name}` ({f.get('type', 'choice')}, {f['default']}): {f['description']}" for name, f in fields]
    return "; ".join(["", *told])


def _param(field: dict[str, Any], model: dict[str, Any], name: str, empty: str) -> Param:
    variants = [_resolved(variant, model) for variant in field.get("anyOf", [field])]
    nullable = {"type": "null"} in variants
    schema = {k: v for k, v in variants[0].items() if k not in {"title", "description", "default", "prefixItems"}}
    if "prefixItems" in variants[0]:
        schema["items"] = variants[0]["prefixItems"][0]
    if nullable:
        schema["type"] = [schema["type"], "null"]
        schema["values_display"] = {"null": empty}
        if "enum" in schema:
            schema["enum"] = [*schema["enum"], None]
    if name in ADVANCED:
        schema["section"] = "Advanced"
    default = {"default": field["default"]} if "default" in field else {}
    return Param(**default, description=field["description"], title=_title(name), **schema)


def _resolved(schema: dict[str, Any], model: dict[str, Any]) -> dict[str, Any]:
    reference = schema.get("$ref")
    return model["$defs"][reference.rsplit("/", 1)[1]] if reference else schema


def _title(name: str) -> str:
    words = name.replace("_vox", " (voxels)").replace("_", " ")
    return "ROI" if name == "roi" else words[0].upper() + words[1:]
