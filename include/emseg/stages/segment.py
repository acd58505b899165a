"""Phase `segment`: grayscale of each subvolume in, local labels of its core and of its overlaps out.

One item is one subvolume. Its artefacts: `labels` (uint32, the core) and one `overlap-NUMBER` for each neighbour
(uint32, the voxels that both computed); its marker also keeps the step statistics. Memory of a task: the pipeline's
declared bytes per voxel times the padded voxels.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from emseg.codec import encode_labels
from emseg.config import RunSpec
from emseg.geometry import Box, Grid, Subvolume
from emseg.segment import Pipeline
from emseg.segment.pipeline import Statistics
from emseg.stages.engine import Phase, Scalars
from emseg.stages.keys import stage_keys
from emseg.stages.services import Services, Workplace
from emseg.store import Artefact, ItemMarker

STAGE = "segment"
FINDING = "finding."
"""Statistics with this prefix are what the image checks found."""

log = logging.getLogger(__name__)


def segment_phase(place: Workplace[Services], cells: Sequence[int]) -> Phase:
    """Segmentation of the subvolumes `cells`."""
    items = tuple(place.spec.grid.subvolume(number).name for number in cells)
    work = SegmentSubvolume(place)
    most = int(len(items) * place.spec.max_failed_share)
    return Phase(STAGE, stage_keys(place.spec).segment, items, work, _totals, work.give_up, most)


@dataclass(frozen=True)
class SegmentSubvolume:
    """The work on one subvolume, from grayscale to committed item."""

    place: Workplace[Services]

    def __call__(self, item: str) -> ItemMarker:
        """Segment the subvolume named `item`."""
        spec, services = self.place.spec, self.place.open_services()
        subvolume = spec.grid.subvolume(number_of(item))
        pipeline = pipeline_of(spec, services)
        context = pipeline.context(subvolume.padded, spec.grid.bounds)
        grayscale = services.grayscale(spec).read(context)
        wanted = ~services.preserved(spec, context)
        roi = services.roi(spec)
        if roi is not None:
            wanted &= roi.mask(context)
        result = pipeline.segment_subvolume(grayscale, wanted, subvolume.padded.slices(context.start))
        for name, text in result.statistics.items():
            if name.startswith(FINDING):
                log.warning("%s %s: %s: %s", STAGE, item, name.removeprefix(FINDING), text)
        return self._committed(item, subvolume, result.labels, result.statistics)

    def give_up(self, item: str, reason: str) -> ItemMarker:
        """Commit the subvolume empty: it holds no label and joins nothing, and its statistics say why."""
        subvolume = self.place.spec.grid.subvolume(number_of(item))
        voxels = subvolume.padded.voxels
        statistics: Statistics = {
            "voxels": voxels,
            "masked_voxels": voxels,
            "segments": 0,
            "quarantined": 1,
            "failed": reason,
        }
        return self._committed(item, subvolume, np.zeros(subvolume.padded.shape, np.uint32), statistics)

    def _committed(
        self, item: str, subvolume: Subvolume, labels: npt.NDArray[np.uint32], statistics: Statistics
    ) -> ItemMarker:
        folder = self.place.folder(STAGE)
        artefacts: list[Artefact] = [
            folder.write_artefact(item, name, encode_labels(_part(labels, subvolume, box)))
            for name, box in _parts(self.place.spec.grid, subvolume)
        ]
        return folder.commit_item(item, artefacts, statistics)


def pipeline_of(spec: RunSpec, services: Any) -> Pipeline:
    """The steps of a run, made once a process: reading a model takes longer than a small subvolume."""
    return _made(spec.to_json(), services)


@lru_cache(maxsize=1)
def _made(spec: bytes, services: Any) -> Pipeline:
    pinned = RunSpec.from_json(spec, "the run's spec")
    return Pipeline.from_pinned(pinned.segmentation, pinned.volume.voxel_size_nm, services.model)


def number_of(item: str) -> int:
    """Cell number in the name of a subvolume, `sv-00000042` -> 42."""
    return int(item.removeprefix("sv-"))


def overlap_name(neighbour: int) -> str:
    """Name of the artefact that holds the overlap with a neighbour."""
    return f"overlap-{neighbour:08d}"


def _parts(grid: Grid, subvolume: Subvolume) -> Iterable[tuple[str, Box]]:
    yield "labels", subvolume.core
    for neighbour in grid.neighbours(subvolume.number):
        yield overlap_name(neighbour), grid.overlap(subvolume.number, neighbour).region


def _part(labels: npt.NDArray[np.uint32], subvolume: Subvolume, box: Box) -> npt.NDArray[np.uint32]:
    return labels[box.slices(subvolume.padded.start)]


def quarantined_cells(markers: Iterable[ItemMarker]) -> list[int]:
    """Numbers of the subvolumes that join others only where both sides agree almost voxel for voxel."""
    return [number_of(marker.item) for marker in markers if marker.statistics.get("quarantined")]


def _totals(markers: Sequence[ItemMarker]) -> Scalars:
    names = ("voxels", "masked_voxels", "segments", "quarantined")
    sums = {name: sum(int(marker.statistics[name]) for marker in markers) for name in names}
    return {**sums, "failed": sum("failed" in marker.statistics for marker in markers)}
