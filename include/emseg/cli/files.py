"""`emseg segment` and `emseg evaluate`: the whole algorithm on a file, in one process, without any service."""

from __future__ import annotations

import os
import zlib
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt
import typer
from rich.table import Table

from emseg.cli.console import console
from emseg.config import StitchMode
from emseg.config.base import validated
from emseg.config.dataset import Segmentation, Stitching
from emseg.errors import PermanentError
from emseg.evaluate import Score, contingency_table, score
from emseg.geometry import Box, VoxelSize, checked_voxel_size
from emseg.segment import ModelFolder
from emseg.segment.fingerprint import SECTION as FINGERPRINTS
from emseg.segment.fingerprint import Fingerprints
from emseg.store import FolderStore
from emseg.tasks.local import VOXEL_SIZE_NM, segment_array

DEFAULTS = Segmentation()
MODE = Stitching().mode
Vector = tuple[int, int, int]


def add_to(cli: typer.Typer) -> None:
    """Register both commands."""
    cli.command()(segment)
    cli.command()(evaluate)


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
    _require_npz(out)
    grayscale = load_array(file, "grayscale")
    _require_signal(grayscale, file)
    fields = {"preset": preset, "core_vox": core, "halo_vox": halo}
    segmentation = validated(Segmentation, fields, "checking the options", "emseg segment")
    trained = None if model is None else ModelFolder.read(model)
    size = said_voxel_size(voxel_size, trained)
    with TemporaryDirectory() as folder:
        store = FolderStore(Path(folder))
        labels = segment_array(grayscale, segmentation, Stitching(mode=stitch), store, size, trained)
    out.parent.mkdir(parents=True, exist_ok=True)
    boxes = [] if trained is None else _trained_on(trained, grayscale)
    np.savez_compressed(out, labels=labels, seen=_array_of(boxes))
    console.print(f"{len(np.unique(labels[labels != 0]))} bodies in {labels.size / 1e6:.1f} Mvoxels -> {out}")


def evaluate(
    segmented: Annotated[Path, typer.Argument(help="npz file with key `labels`")],
    truth: Annotated[Path, typer.Argument(help="npz file with key `groundtruth`; 0 is ignored")],
) -> None:
    """Score a segmentation of a file against ground truth of the same shape."""
    labels, groundtruth = load_array(segmented, "labels"), unseen(segmented, truth)
    if labels.shape != groundtruth.shape:
        raise PermanentError(
            "evaluating a segmentation",
            f"{segmented} and {truth}",
            f"shapes {labels.shape} and {groundtruth.shape}",
            "Give two volumes of one shape",
        )
    console.print(score_table(score(contingency_table(labels, groundtruth))))


def said_voxel_size(given: VoxelSize | None, model: ModelFolder | None = None) -> VoxelSize:
    """The voxel size of a file, nm Z Y X: `given`, or that of the model, or `VOXEL_SIZE_NM`.

    Where none was given it prints the size that it takes. PermanentError as in `checked_voxel_size`.
    """
    if given is None:
        size = VOXEL_SIZE_NM if model is None else model.description.voxel_size_nm
        why = "emseg's default" if model is None else "those of the model"
        console.print(f"Voxels of {' x '.join(f'{s:g}' for s in size)} nm (Z Y X), {why}: no --voxel-size was given")
        return size
    return checked_voxel_size(given, "checking the options", f"--voxel-size {given}")


def _require_npz(out: Path) -> None:
    """PermanentError unless the file can be written: we check before the work, not after it."""
    folder = next(path for path in out.absolute().parents if path.exists())
    found = ""
    if out.suffix != ".npz":
        found = "its name does not end with .npz"
    elif out.is_dir():
        found = "it is a folder"
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


def _array_of(boxes: list[Box]) -> npt.NDArray[np.int64]:
    """Boxes as key `seen` of an npz file holds them: (n, 2, 3), first voxel and the voxel after the last, Z Y X."""
    return np.array([(box.start, box.stop) for box in boxes], np.int64).reshape(-1, 2, 3)


def unseen(segmented: Path, truth: Path) -> npt.NDArray[np.integer]:
    """Ground truth without what the model of the segmentation was trained on; PermanentError if nothing remains."""
    groundtruth: npt.NDArray[np.integer] = load_array(truth, "groundtruth")
    with np.load(segmented, allow_pickle=False) as arrays:
        boxes = [Box(*box) for box in arrays["seen"].tolist()] if "seen" in arrays else []
    if not boxes:
        return groundtruth
    kept = groundtruth.copy()
    for box in boxes:
        kept[box.slices()] = 0
    told = ", ".join(f"{tuple(box.start)} to {tuple(box.stop)}" for box in boxes)
    if not kept.any():
        raise PermanentError(
            "evaluating a segmentation",
            f"{segmented} and {truth}",
            f"the model was trained on all of this ground truth, boxes {told}, so the score would mean nothing",
            "Evaluate on other tissue, or train on boxes of this file",
        )
    console.print(f"Left out, because the model was trained there: {told}")
    return kept


def load_array(file: Path, key: str) -> npt.NDArray[np.uint8]:
    """Array `key` of an npz file; PermanentError for a missing or torn file, another format, or a missing key."""
    try:
        loaded = np.load(file, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            raise ValueError("a single array")
        with loaded as arrays:
            if key in arrays:
                return np.asarray(arrays[key])
            found = f"keys {', '.join(arrays)}"
    except (OSError, ValueError, EOFError, BadZipFile, zlib.error) as error:
        found = f"not a readable npz file ({type(error).__name__}: {error})"
    raise PermanentError("reading a volume", str(file), found, f"Give an npz file with key `{key}`")


def score_table(result: Score) -> Table:
    """The figures a person looks at first."""
    table = Table("figure", "value", "unit")
    for name, value, unit in (
        ("VI split (over-segmentation)", result.vi_split, "bits"),
        ("VI merge (under-segmentation)", result.vi_merge, "bits"),
        ("VI", result.vi_split + result.vi_merge, "bits"),
        ("adapted Rand error", result.adapted_rand_error, ""),
        ("pair precision", result.pair_precision, ""),
        ("pair recall", result.pair_recall, ""),
        ("labelled share of the ground truth", result.assigned_share, ""),
    ):
        table.add_row(name, f"{value:.4f}", unit)
    table.add_row("segments / ground-truth bodies", f"{result.segments} / {result.bodies}", "")
    return table
