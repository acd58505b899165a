"""Segmenting in eight subvolumes, as the stages do it: what stitching costs beside segmentation, and what it mends.

The phases run in this process on a folder, markers, checksums and all; their CPU time is read where each phase puts
its marker, for the untrained pipeline and for the trained preset `default`. Three results of the untrained one are
compared: cut and not stitched, cut and stitched, and segmented in one piece.
"""

from __future__ import annotations

import time
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.data import LabelledEm, labelled_em
from benchmarks.rows import Row
from benchmarks.trained import Y, half, trained_on
from emseg.array_types import AnyLabels, Labels64
from emseg.config.dataset import Segmentation
from emseg.config.stitching import Stitching, StitchMode
from emseg.dvid import BLOCK_VOX
from emseg.evaluate import contingency_table, score
from emseg.geometry import Box
from emseg.segment import ModelFolder
from emseg.store import FolderStore
from emseg.tasks.local import segment_array

CORE_VOX, HALO_VOX = (64, 128, 128), (20, 20, 20)
TRAINED = "default"


class TimedStore(FolderStore):
    """A folder that notes the process's CPU time when a phase is marked as done."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.done_at: dict[str, float] = {}

    def put_if_absent(self, key: str, data: bytes) -> bool:
        """As the folder does; a phase's marker is `DATASET/phases/PHASE/KEY/marker.json`."""
        stored = super().put_if_absent(key, data)
        if key.endswith("/marker.json"):
            self.done_at[key.split("/")[2]] = time.process_time()
        return stored


def run() -> list[Row]:
    """CPU shares of one run, and VI against ground truth and against the segmentation in one piece."""
    em = labelled_em()
    cut = Segmentation(core_vox=CORE_VOX, halo_vox=HALO_VOX)
    whole = Segmentation(core_vox=Box.of_shape(em.grayscale.shape).covering((BLOCK_VOX,) * 3).shape)
    with TemporaryDirectory() as folder:
        _compile(em, Path(folder, "compile"))
        store = TimedStore(Path(folder, "cut"))
        started = time.process_time()
        stitched = segment_array(em.grayscale, cut, Stitching(mode=StitchMode.MEDIUM), store)
        rows = _shares(f"{em.name}, classical", started, store.done_at) + _trained_shares(em, Path(folder, "trained"))
        apart = segment_array(em.grayscale, cut, Stitching(mode=StitchMode.NONE), store)
        one_piece = segment_array(em.grayscale, whole, Stitching(), FolderStore(Path(folder, "whole")))
    in_pieces = {"not stitched": apart, "stitched": stitched}
    for name, bodies in (in_pieces | {"one piece": one_piece}).items():
        rows += _vi(em, name, bodies, "ground truth", em.groundtruth)
    for name, bodies in in_pieces.items():
        rows += _vi(em, name, bodies, "one piece", one_piece)
    return rows


def _compile(em: LabelledEm, folder: Path, preset: str = "classical", model: ModelFolder | None = None) -> None:
    """Everything once on a corner of the volume, so that no phase pays for compilation and imports."""
    corner = em.grayscale[:48, :48, : BLOCK_VOX + 16]
    small = Segmentation(preset=preset, core_vox=(BLOCK_VOX,) * 3)
    segment_array(corner, small, Stitching(), FolderStore(folder), model=model)


def _trained_shares(em: LabelledEm, folder: Path) -> list[Row]:
    """Shares of the preset `default`, trained on half of the volume; how good it is, `stitch_modes` tells."""
    model = trained_on(half(em, Y, 0), TRAINED).model
    cut, store = Segmentation(preset=TRAINED, core_vox=CORE_VOX), TimedStore(folder / "cut")
    _compile(em, folder / "compile", TRAINED, model)
    started = time.process_time()
    segment_array(em.grayscale, cut, Stitching(), store, model=model)
    return _shares(f"{em.name}, {TRAINED}", started, store.done_at)


def _shares(name: str, started: float, done_at: dict[str, float]) -> list[Row]:
    segment = done_at["segment"] - started
    votes, resolution = done_at["match"] - done_at["segment"], done_at["resolve"] - done_at["match"]
    return [
        Row(f"{name}: segmentation, CPU", segment, "s"),
        Row(f"{name}: votes, CPU", votes, "s"),
        Row(f"{name}: resolution, CPU", resolution, "s"),
        Row(f"{name}: votes and resolution, share of segmentation", 100 * (votes + resolution) / segment, "%"),
    ]


def _vi(em: LabelledEm, name: str, bodies: Labels64, reference: str, labels: AnyLabels) -> list[Row]:
    found = score(contingency_table(bodies, labels))
    said = f"{em.name}: {name} against {reference}"
    return [Row(f"{said}, VI split", found.vi_split, "bits"), Row(f"{said}, VI merge", found.vi_merge, "bits")]
