"""The work on one subvolume, from grayscale to committed item.

Memory of a task: the pipeline's declared bytes per voxel times the padded voxels.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from emseg.config import RunSpec
from emseg.config.runspec import PinnedSegmentation
from emseg.geometry import Box, Grid, Subvolume
from emseg.phases.artefact import LabelArtefact
from emseg.phases.run_context import RunContext
from emseg.phases.segment.artefacts import CORE, LABELS, OVERLAP
from emseg.phases.segment.labels import ASKED, FINDING, NAME
from emseg.phases.services import Services
from emseg.segment import Pipeline
from emseg.store import ItemMarker

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SegmentSubvolume:
    """Segments the subvolume of a name.

    It leaves `LABELS`: those of the `CORE`, and of the `OVERLAP` with each of up to 26 neighbours.
    """

    run: RunContext[Services]

    def __call__(self, item: str) -> ItemMarker:
        """Segment the subvolume named `item`; its marker keeps what the steps and image checks counted."""
        run, services = self.run, self.run.open_services()
        subvolume = run.grid.subvolume_named(item)
        pipeline = pipeline_of(run.spec, services)
        context = pipeline.context(subvolume.padded, run.grid.bounds)
        grayscale = services.grayscale(run.spec).read(context)
        wanted = ~services.preserved(run.spec, context)
        roi = services.roi(run.spec)
        if roi is not None:
            wanted &= roi.mask(context)
        result = pipeline.segment_subvolume(grayscale, wanted, subvolume.padded.slices(context.start))
        for name, text in result.statistics.items():
            if name.startswith(FINDING):
                log.warning("%s %s: %s: %s", NAME, item, name.removeprefix(FINDING), text)
        asked = int(np.count_nonzero(wanted[subvolume.core.slices(context.start)]))
        folder = run.folder(NAME)
        parts = {
            artefact.name: artefact.encoded(_part(result.labels, subvolume, box))
            for artefact, box in _parts(run.grid, subvolume)
        }
        labels = folder.write_parts(item, LABELS, parts)
        return folder.commit_item(item, [labels], {**result.statistics, ASKED: asked})


def pipeline_of(spec: RunSpec, services: Any) -> Pipeline:
    """The steps of a run, made once a process: reading a model takes longer than a small subvolume."""
    return _made(spec.segmentation.model_dump_json(), spec.volume.voxel_size_nm, services)


@lru_cache(maxsize=1)
def _made(segmentation: str, voxel_size_nm: tuple[float, float, float], services: Any) -> Pipeline:
    pinned = PinnedSegmentation.model_validate_json(segmentation)
    return Pipeline.from_pinned(pinned, voxel_size_nm, services.model)


def _parts(grid: Grid, subvolume: Subvolume) -> Iterator[tuple[LabelArtefact, Box]]:
    yield CORE, subvolume.core
    for neighbour in grid.neighbours(subvolume.number):
        yield OVERLAP.numbered(neighbour), grid.overlap(subvolume.number, neighbour).region


def _part(labels: npt.NDArray[np.uint32], subvolume: Subvolume, box: Box) -> npt.NDArray[np.uint32]:
    return labels[box.slices(subvolume.padded.start)]
