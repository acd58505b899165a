"""The options of `emseg plan` and `emseg run`, made from the fields of `RunParameters`, as Airflow's form is.

For example the field `core_vox`, three whole numbers of 1 to 4096, becomes `--core-vox Z Y X`; a field that holds an
object (`step_parameters`) is given as JSON text.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import cache
from typing import Annotated, Any, Literal

import typer

from emseg.config import RunParameters
from emseg.config.base import validated
from emseg.config.documents import json_document
from emseg.errors import PermanentError

DOING = "checking the options"
_TYPES = {"string": str, "integer": int, "number": float, "boolean": bool, "object": str}


def takes_run_parameters(command: Callable[..., None], **fixed: Any) -> Callable[..., None]:
    """`command(parameters, ...)` as a function whose options are the fields of RunParameters and its own others.

    Fields in `fixed` have that value and are no options. Calling it raises PermanentError for a value that
    RunParameters refuses, before `command` is called.
    """
    fields = [name for name in RunParameters.model_fields if name not in fixed]

    def with_options(**given: Any) -> None:
        chosen = {name: _read(name, given.pop(name)) for name in fields}
        on = f"options of emseg {command.__name__}"
        command(validated(RunParameters, chosen | fixed, DOING, on), **given)

    _, *others = inspect.signature(command, eval_str=True).parameters.values()
    with_options.__name__, with_options.__doc__ = command.__name__, command.__doc__
    with_options.__annotations__ = {}
    with_options.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [*(_option(name) for name in fields), *(other.replace(kind=inspect.Parameter.KEYWORD_ONLY) for other in others)]
    )
    return with_options


def _read(name: str, given: Any) -> Any:
    """The value of a field from that of its option; PermanentError for an object that is no JSON object."""
    if given is None or _schema(name)["type"] != "object":
        return given
    on = f"{_flag(name)} {given:.200}"
    found = json_document(given, DOING, on)
    if isinstance(found, dict):
        return found
    example = """'{"agglomerate": {"threshold": 0.7}}'"""
    raise PermanentError(DOING, on, "it is JSON, but no object", f"Give a JSON object, e.g. {_flag(name)} {example}")


def _option(name: str) -> inspect.Parameter:
    """A field as Typer reads it: an argument where it is required, else an option."""
    field, schema = RunParameters.model_fields[name], _schema(name)
    told = f"{field.description}{_limits(schema)}"
    metavar = "JSON" if schema["type"] == "object" else None
    info = typer.Argument(help=told) if field.is_required() else typer.Option(_flag(name), help=told, metavar=metavar)
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=inspect.Parameter.empty if field.is_required() else field.default,
        annotation=Annotated[_type(schema), info],
    )


@cache
def _schema(name: str) -> dict[str, Any]:
    """JSON schema of the values that a field takes, without `null`."""
    whole = RunParameters.model_json_schema()
    field: dict[str, Any] = whole["properties"][name]
    schema: dict[str, Any] = field.get("anyOf", [field])[0]
    return whole["$defs"][schema["$ref"].rsplit("/", 1)[1]] if "$ref" in schema else schema


def _type(schema: Mapping[str, Any]) -> Any:
    if "enum" in schema:
        return Literal[tuple(schema["enum"])]
    if "prefixItems" in schema:
        return tuple[tuple(_type(item) for item in schema["prefixItems"])]  # type: ignore[misc]
    return _TYPES[schema["type"]]


def _limits(schema: Mapping[str, Any]) -> str:
    item = schema.get("prefixItems", [schema])[0]
    return f", {item['minimum']} to {item['maximum']}" if {"minimum", "maximum"} <= item.keys() else ""


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"
