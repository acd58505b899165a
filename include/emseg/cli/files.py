"""`emseg segment` and `emseg evaluate`: the whole algorithm on a file, in one process, without any service."""

from __future__ import annotations

import os
from io import BytesIO
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import typer
from rich.table import Table

from emseg.array_types import AnyLabels
from emseg.cli.console import console
from emseg.config import StitchMode
from emseg.config.base import validated
from emseg.config.dataset import Segmentation, Stitching, Unassigned
from emseg.disk import scratch_folder, write_whole
from emseg.errors import PermanentError
from emseg.evaluate import Score, contingency_table, score
from emseg.geometry import Box, VoxelSize, checked_labels, checked_voxel_size, same_voxel_size
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


def evaluate(
    segmented: Annotated[Path, typer.Argument(help="npz file with key `labels`")],
    truth: Annotated[Path, typer.Argument(help="npz file with key `groundtruth`; 0 is ignored")],
    unassigned: Annotated[
        Unassigned, typer.Option(help="What label 0 of the segmentation counts as: one segment, or one for each voxel")
    ] = Unassigned.SEGMENT,
) -> None:
    """Score a segmentation of a file against ground truth of the same shape."""
    labels, groundtruth = load_labels(segmented, "labels"), unseen(segmented, truth)
    if labels.shape != groundtruth.shape or not labels.size:
        raise PermanentError(
            "evaluating a segmentation",
            f"{segmented} and {truth}",
            f"shapes {labels.shape} and {groundtruth.shape}",
            "Give two volumes of one shape, with voxels in them",
        )
    _require_one_size(segmented, truth)
    console.print(score_table(score(contingency_table(labels, groundtruth), unassigned)))


def _require_one_size(segmented: Path, truth: Path) -> None:
    """PermanentError where both files have a key `voxel_size_nm`, nm Z Y X, and tell different sizes."""
    sizes = [
        checked_voxel_size(load_array(file, "voxel_size_nm").ravel().tolist(), "evaluating a segmentation", str(file))
        for file in (segmented, truth)
        if "voxel_size_nm" in npz_names(file)
    ]
    if len(sizes) == 2 and not same_voxel_size(*sizes):
        raise PermanentError(
            "evaluating a segmentation",
            f"{segmented} and {truth}",
            f"the voxels are {sizes[0]} nm and {sizes[1]} nm (Z Y X), so equal positions are not the same tissue",
            "Give two volumes of one voxel size",
        )


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


def unseen(segmented: Path, truth: Path) -> AnyLabels:
    """Ground truth without what the model of the segmentation was trained on; PermanentError if nothing remains."""
    groundtruth = load_labels(truth, "groundtruth")
    boxes = _seen(segmented)
    if not boxes:
        return groundtruth
    if groundtruth.ndim != 3:
        found = f"the ground truth has {groundtruth.ndim} axes, and the segmentation is of three"
        raise PermanentError("evaluating a segmentation", f"{segmented} and {truth}", found, "Give axes Z Y X")
    kept, bounds = groundtruth.copy(), Box.of_shape(groundtruth.shape)
    for box in boxes:
        if not bounds.contains(box):
            found = f"key `seen` says that the model was trained on {box.start} to {box.stop}, outside of {bounds.stop}"
            raise PermanentError("evaluating a segmentation", str(segmented), found, "Segment the volume again")
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


def _seen(segmented: Path) -> list[Box]:
    """The boxes that `_array_of` wrote into a segmentation; none where another program wrote it."""
    if "seen" not in npz_names(segmented):
        return []
    seen = load_array(segmented, "seen")
    if seen.dtype.kind not in "ui" or seen.ndim != 3 or seen.shape[1:] != (2, 3):
        found = f"key `seen` is {seen.dtype} {seen.shape}, not boxes (n, 2, 3)"
        raise PermanentError("evaluating a segmentation", str(segmented), found, "Segment the volume again")
    return [Box(tuple(start), tuple(stop)) for start, stop in seen.tolist()]


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
