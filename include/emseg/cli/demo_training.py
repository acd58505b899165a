"""`make demo PRESET=trained`: a model trained on volumes that the demo is not scored on, kept in the demo's store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from emseg.cli.connecting import BUILD
from emseg.cli.console import console
from emseg.cli.demo_data import SEED, VOXEL_SIZE_NM
from emseg.cli.files import load_array, load_labels
from emseg.config.runspec import digest_of
from emseg.geometry import Box
from emseg.phases.code_version import version_of
from emseg.phases.models import store_model
from emseg.phases.services import DvidServices
from emseg.segment import ModelFolder
from emseg.segment.model import TrainingRegion, dvid_source, file_source
from emseg.synthetic import make_volume
from emseg.tasks.train import report_page_of, store_report
from emseg.training import TrainingSource, TrainingVolume
from emseg.training.train import train

TRAINED = "trained"
PRESET = "default"
TRAINING_SHAPE = (96, 160, 160)
CORE_VOX = (128, 128, 128)
"""Larger than for the untrained demo: the halo of the trained steps is twice as wide."""


def trained_choices(services: DvidServices, data: Path | None, node: str) -> dict[str, Any]:
    """Run parameters that name the model; it is trained unless an earlier demo trained it on the same data."""
    made_by = version_of(("emseg.training.train", "emseg.synthetic"))
    kept = BUILD / "models" / digest_of([made_by, PRESET, node if data else ""])[:16]
    if not (kept / "model.json").is_file():
        source = _synthetic() if data is None else _half_of(data, node)
        console.print(f"Training preset {PRESET} on {source.volume.grayscale.size / 1e6:.1f} Mvoxels")
        result = train([source], PRESET, SEED, lambda line: console.print(f"  {line}"))
        page = report_page_of(result, source)
        console.print(f"  report: {store_report(services.store, result.model, result.report, page)}")
        result.model.write(kept)
    digest = store_model(services.store, ModelFolder.read(kept))
    console.print(f"Model {digest}, in {kept}")
    return {"preset": PRESET, "model": digest, "core_vox": CORE_VOX}


def _synthetic() -> TrainingSource:
    """A volume made from another seed than the one that is scored."""
    volume = make_volume(TRAINING_SHAPE, SEED + 1)
    region = TrainingRegion(source=file_source(volume.grayscale), start=(0, 0, 0), stop=TRAINING_SHAPE)
    return TrainingSource(TrainingVolume(volume.grayscale, volume.groundtruth.astype(np.int64), VOXEL_SIZE_NM), region)


def _half_of(data: Path, node: str) -> TrainingSource:
    """The first half of the file along Y; the run is scored on the other, because the model names its training box."""
    grayscale, groundtruth = load_array(data, "grayscale"), load_labels(data, "groundtruth")
    depth, height, width = grayscale.shape
    box = Box((0, 0, 0), (depth, height // 2, width))
    region = TrainingRegion(source=dvid_source(node, "grayscale"), start=box.start, stop=box.stop)
    return TrainingSource(
        TrainingVolume(
            np.ascontiguousarray(grayscale[box.slices()]),
            np.ascontiguousarray(groundtruth[box.slices()]),
            VOXEL_SIZE_NM,
        ),
        region,
    )
