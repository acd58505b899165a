"""`emseg model`: the models in the object store, and how one is written to a folder without loss of other files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from emseg.cli.connecting import connected
from emseg.cli.console import console
from emseg.errors import EmsegError, PermanentError
from emseg.phases.models import load_model, model_digests, store_model
from emseg.segment import ModelFolder
from emseg.segment.model import DESCRIPTION
from emseg.segment.model_check import check_model

cli = typer.Typer(no_args_is_help=True)
Digest = Annotated[str, typer.Argument(help="Digest of the model, 64 hex digits")]


@cli.command(name="list")
def list_models() -> None:
    """List the models and how well they did out of fold; one that cannot be used says why in its row."""
    store = connected().store
    shown = Table("digest", "preset", "voxel size, nm", "VI split", "VI merge")
    for digest in model_digests(store):
        try:
            description = load_model(store, digest).description
        except EmsegError as error:  # the other models are listed all the same
            shown.add_row(digest, f"unusable: {error.found}", "-", "-", "-")
            continue
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
    """Check a model folder as a run would, keep it in the store, print the digest to name in a dataset file."""
    model = ModelFolder.read(folder)
    console.print(f"Checking model {model.digest}")
    check_model(model)
    digest = store_model(connected().store, model)
    console.print(f"Stored. In the dataset file:\nsegmentation:\n  model: {digest}")


@cli.command()
def fetch(digest: Digest, folder: Annotated[Path, typer.Argument(help="Folder to write")]) -> None:
    """Copy a model from the store into a folder."""
    require_room(folder)
    load_model(connected().store, digest).write(folder)
    console.print(f"{digest} -> {folder}")


def require_room(folder: Path) -> None:
    """PermanentError unless a model can be written there: a new or empty folder, or a model and nothing else."""
    target = Path(os.path.realpath(folder))
    nearest = next(path for path in target.parents if path.exists())
    found = ""
    if not nearest.is_dir() or (target.exists() and not target.is_dir()):
        found = f"{target if nearest.is_dir() else nearest} is a file"
    elif not os.access(nearest, os.W_OK | os.X_OK):
        found = f"this user may not write to {nearest}"
    elif target.is_mount() or target == Path.cwd():
        found = "it is a mount point or the current folder, which cannot be replaced as a whole"
    elif target.exists() and (others := _not_of_the_model(target)):
        found = f"the folder holds other files: {', '.join(others[:3])}"
    if found:
        raise PermanentError("writing a model", str(folder), found, "Name a new folder")


def _not_of_the_model(folder: Path) -> list[str]:
    """Names in the folder that its `model.json`, if any, does not list: somebody else put them there."""
    description = folder / DESCRIPTION
    text = description.read_text(errors="replace") if description.is_file() else ""
    names = sorted(path.name for path in folder.iterdir())
    return [name for name in names if not text or (name != DESCRIPTION and f'"{name}"' not in text)]
