"""`emseg steps`: every step that a dataset file may name, with its parameters."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from emseg.authoring.step_documents import StepDocument, step_document
from emseg.cli.console import console
from emseg.config.presets import preset, preset_names
from emseg.geometry import checked_voxel_size
from emseg.segment import Setting, StepKind, step_class, step_names
from emseg.segment.registry import package_of


def add_to(cli: typer.Typer) -> None:
    """Register the command."""
    cli.command()(steps)


def steps(
    kind: Annotated[StepKind | None, typer.Argument(help="Only steps of this kind")] = None,
    voxel_size: Annotated[tuple[float, float, float], typer.Option(help="Voxel size for halos, nm Z Y X")] = (
        10,
        10,
        10,
    ),
    json: Annotated[bool, typer.Option("--json", help="For machines")] = False,
) -> None:
    """List the known steps: emseg's own and those of allowed packages (EMSEG_STEP_PACKAGES)."""
    setting = Setting(checked_voxel_size(voxel_size, "checking the options", f"--voxel-size {voxel_size}"))
    documents = [
        step_document(step_class(each, name), package_of(each, name), setting)
        for each in ([kind] if kind else StepKind)
        for name in step_names(each)
    ]
    if json:
        console.print_json(data=[{**d.model_dump(mode="json"), "presets": _presets(d)} for d in documents])
        return
    for document in documents:
        _show(document)


def _show(document: StepDocument) -> None:
    used = _presets(document)
    halo = "set by the model" if document.halo_vox is None else " x ".join(map(str, document.halo_vox))
    console.print(
        f"\n[bold]{document.kind} / {document.name}[/]  version {document.version}, {document.package or 'emseg'}"
    )
    console.print(f"  {document.description}", highlight=False)
    console.print(
        f"  halo {halo} voxels, {document.bytes_per_voxel} bytes a voxel"
        f"{', needs a model' if document.needs_model else ''}; presets: {', '.join(used) or 'none'}"
    )
    if document.parameters:
        table = Table("parameter", "type", "default", "limits", "meaning", box=None, padding=(0, 2))
        for p in document.parameters:
            table.add_row(p.name, p.type, p.default, p.limits, p.description)
        console.print(table)


def _presets(document: StepDocument) -> list[str]:
    """Names of the presets that use the step."""
    chosen = {name: getattr(preset(name), document.kind) for name in preset_names()}
    return [name for name, step in chosen.items() if step is not None and step.name == document.name]
