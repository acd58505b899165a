"""`emseg segment`: the whole algorithm on a file, in one process, without any service; and how files are read."""

from __future__ import annotations

import os
from io import BytesIO
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import typer

from emseg.array_types import AnyLabels
from emseg.cli.console import console
from emseg.config import StitchMode
from emseg.config.base import validated
from emseg.config.dataset import Segmentation
from emseg.config.stitching import Stitching
from emseg.disk import scratch_folder, write_whole
from emseg.errors import PermanentError
from emseg.geometry import Box, VoxelSize, checked_labels, checked_voxel_size
from emseg.ingest.guarding import guarded
from emseg.ingest.numpy_files import npz_names, read_npz_array
from emseg.segment import ModelFolder
from emseg.segment.fingerprint import SECTION as FINGERPRINTS
from emseg.segment.fingerprint import Fingerprints
from emseg.store import FolderStore
from emseg.tasks.local import VOXEL_SIZE_NM, segment_array

DEFAULTS = Segmentation()
MODE = Stitching().mode
Vector = tuple[int, int, int]


def add_to(cli: typer.Typer) -> None:
    """Register the command."""
    cli.command()(segment)


def segment(
    file: Annotated[Path, typer.Argument(help="npz file with key `grayscale`: uint8, axes Z Y X")],
    out: Annotated[Path, typer.Option(help="npz file to write, key `labels`: uint64 of the same shape")],
    preset: Annotated[str, typer.Option(help="Named pipeline of steps")] = DEFAULTS.preset,
    model: Annotated[Path | None, typer.Option(help="Model folder of the trained steps, from emseg train")] = None,
    voxel_size: Annotated[
        tuple[float, float, float] | None,
        typer.Option(help="Voxel size, nm Z Y X; that of the model, or 10 10 10, where it is not given"),
    ] = None,
    core: Annotated[Vector, typer.Option(help="Subvolume core, voxels Z Y X, multiples of 64")] = DEFAULTS.core_vox,
    halo: Annotated[Vector | None, typer.Option(help="Halo of each core, voxels Z Y X; what the steps need")] = None,
    stitch: Annotated[StitchMode, typer.Option(help="Which overlaps join bodies")] = MODE,
) -> None:
    """Segment a local volume: the same plan, steps and stitching as a real run."""
    _require_npz(out, file)
    grayscale = load_array(file, "grayscale")
    _require_signal(grayscale, file)
    fields = {"preset": preset, "core_vox": core, "halo_vox": halo}
    segmentation = validated(Segmentation, fields, "checking the options", "emseg segment")
    trained = None if model is None else ModelFolder.read(model)
    size = said_voxel_size(voxel_size, trained)
    with scratch_folder() as folder:
        store = FolderStore(folder)
        labels = segment_array(grayscale, segmentation, Stitching(mode=stitch), store, size, trained)
    boxes = [] if trained is None else _trained_on(trained, grayscale)
    write_whole(out, _npz(labels=labels, seen=_array_of(boxes), voxel_size_nm=np.array(size)))
    console.print(f"{len(np.unique(labels[labels != 0]))} bodies in {labels.size / 1e6:.1f} Mvoxels -> {out}")


def said_voxel_size(given: VoxelSize | None, model: ModelFolder | None = None) -> VoxelSize:
    """The voxel size of a file, nm Z Y X: `given`, or that of the model, or `VOXEL_SIZE_NM`.

    Where none was given it prints the size that it takes. PermanentError for a size that `checked_voxel_size` refuses.
    """
    if given is None:
        size = VOXEL_SIZE_NM if model is None else model.description.voxel_size_nm
        why = "emseg's default" if model is None else "those of the model"
        console.print(f"Voxels of {' x '.join(f'{s:g}' for s in size)} nm (Z Y X), {why}: no --voxel-size was given")
        return size
    return checked_voxel_size(given, "checking the options", f"--voxel-size {given}")


def _require_npz(out: Path, source: Path) -> None:
    """PermanentError unless the file can be written and is not the input: we check before the work, not after it."""
    target = Path(os.path.realpath(out))
    if target.exists() and not (target.is_file() or target.is_dir()):
        return  # a device or a pipe
    folder = next(path for path in target.parents if path.exists())
    found = ""
    if out.suffix != ".npz":
        found = "its name does not end with .npz"
    elif out.is_dir():
        found = "it is a folder"
    elif target == Path(os.path.realpath(source)) or (target.exists() and source.exists() and target.samefile(source)):
        found = "it is the input, which would be gone"
    elif not folder.is_dir():
        found = f"{folder} is a file"
    elif not os.access(folder, os.W_OK | os.X_OK):
        found = f"this user may not write in {folder}"
    if found:
        raise PermanentError("checking the options", f"--out {out}", found, "Name a file NAME.npz")


def _require_signal(grayscale: npt.NDArray[np.uint8], file: Path) -> None:
    if grayscale.size and (grayscale == grayscale.flat[0]).all():
        found = f"all its voxels are {grayscale.flat[0]}"
        raise PermanentError("segmenting a volume", f"grayscale of {file}", found, "Give a volume with tissue in it")


def _trained_on(model: ModelFolder, grayscale: npt.NDArray[np.uint8]) -> list[Box]:
    """The parts of a volume that a model was trained on; none where the model has no fingerprints."""
    if FINGERPRINTS not in model.description.sections:
        return []
    return model.section(FINGERPRINTS, Fingerprints).found_in(grayscale)


def _npz(**arrays: npt.NDArray[Any]) -> bytes:
    file = BytesIO()
    np.savez_compressed(file, allow_pickle=False, **arrays)
    return file.getvalue()


def _array_of(boxes: list[Box]) -> npt.NDArray[np.int64]:
    """Boxes as key `seen` of an npz file holds them: (n, 2, 3), first voxel and the voxel after the last, Z Y X."""
    return np.array([(box.start, box.stop) for box in boxes], np.int64).reshape(-1, 2, 3)


def load_array(file: Path, key: str) -> npt.NDArray[Any]:
    """Array `key` of an npz file; PermanentError for a missing or torn file, another format, a missing key, or an array
    that does not fit into memory.
    """
    doing = "reading a volume"
    wanted = f"Give an npz file with key `{key}`, from numpy.savez_compressed"
    if not file.is_file():
        raise PermanentError(doing, str(file), "there is no such file", wanted)
    with guarded(doing, str(file), wanted):
        names = npz_names(file)
        if key in names:
            return read_npz_array(file, key, doing)
    raise PermanentError(doing, str(file), f"keys {', '.join(names)}", wanted)


def load_labels(file: Path, key: str) -> AnyLabels:
    """Array `key` of an npz file as labels; PermanentError for what `load_array` or `checked_labels` refuses."""
    return checked_labels(load_array(file, key), "reading labels", f"`{key}` of {file}")
