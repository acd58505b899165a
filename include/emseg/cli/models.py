"""`emseg model`: the models in the object store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from emseg.cli.console import console
from emseg.cli.place import connected
from emseg.segment import ModelFolder
from emseg.stages.models import load_model, model_digests, store_model

cli = typer.Typer(no_args_is_help=True, help="Models of the trained steps, in the object store.")
Digest = Annotated[str, typer.Argument(help="Digest of the model, 64 hex digits")]


@cli.command(name="list")
def list_models() -> None:
    """List the models and how well they did out of fold."""
    store = connected().store
    shown = Table("digest", "preset", "voxel size, nm", "VI split", "VI merge")
    for digest in model_digests(store):
        description = load_model(store, digest).description
        training = description.training
        figures = training.figures if training else {}
        shown.add_row(
            digest,
            training.preset if training else "-",
            " x ".join(f"{size:g}" for size in description.voxel_size_nm),
            *(f"{figures[name]:.3f}" if name in figures else "-" for name in ("vi_split", "vi_merge")),
        )
    console.print(shown)


@cli.command()
def show(digest: Digest) -> None:
    """Print what a model says of itself."""
    console.print_json(load_model(connected().store, digest).files["model.json"].decode())


@cli.command()
def store(folder: Annotated[Path, typer.Argument(help="Model folder")]) -> None:
    """Keep a model folder in the store, and print the digest to name in a dataset file."""
    digest = store_model(connected().store, ModelFolder.read(folder))
    console.print(f"Stored. In the dataset file:\nsegmentation:\n  model: {digest}")


@cli.command()
def fetch(digest: Digest, folder: Annotated[Path, typer.Argument(help="Folder to write")]) -> None:
    """Copy a model from the store into a folder."""
    load_model(connected().store, digest).write(folder)
    console.print(f"{digest} -> {folder}")
