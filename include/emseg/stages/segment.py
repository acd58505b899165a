"""Phase `segment`: grayscale of each subvolume in, local labels of its core and of its overlaps out.

One item is one subvolume. Its artefacts: `labels` (uint32, the core) and one `overlap-NUMBER` for each neighbour
(uint32, the voxels that both computed); its marker also keeps the step statistics. Memory of a task: the pipeline's
declared bytes per voxel times the padded voxels.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from emseg.codec import encode_array
from emseg.config import RunSpec
from emseg.geometry import Box, Grid, Subvolume
from emseg.segment import Pipeline
from emseg.stages.engine import Phase, Scalars
from emseg.stages.keys import stage_keys
from emseg.stages.services import Services, Workplace
from emseg.store import Artefact, ItemMarker

STAGE = "segment"


def segment_phase(place: Workplace[Services], cells: Sequence[int]) -> Phase:
    """Segmentation of the subvolumes `cells`."""
    items = tuple(place.spec.grid.subvolume(number).name for number in cells)
    return Phase(STAGE, stage_keys(place.spec).segment, items, SegmentSubvolume(place), _totals)


@dataclass(frozen=True)
class SegmentSubvolume:
    """The work on one subvolume, from grayscale to committed item."""

    place: Workplace[Services]

    def __call__(self, item: str) -> ItemMarker:
        """Segment the subvolume named `item`."""
        spec, services = self.place.spec, self.place.open_services()
        subvolume = spec.grid.subvolume(number_of(item))
        grayscale = services.grayscale(spec).read(subvolume.padded)
        roi = services.roi(spec)
        inside = np.ones(grayscale.shape, bool) if roi is None else roi.mask(subvolume.padded)
        result = pipeline_of(spec, services).segment_subvolume(grayscale, inside)
        folder = self.place.folder(STAGE)
        artefacts: list[Artefact] = [
            folder.write_artefact(item, name, encode_array(_part(result.labels, subvolume, box)))
            for name, box in _parts(spec.grid, subvolume)
        ]
        return folder.commit_item(item, artefacts, result.statistics)


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


def _totals(markers: Sequence[ItemMarker]) -> Scalars:
    names = ("voxels", "masked_voxels", "segments")
    return {name: sum(int(marker.statistics[name]) for marker in markers) for name in names}
