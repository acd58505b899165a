"""How later phases read what `segment` left: the labels of one subvolume, empty where the run has given it up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from emseg.geometry import Subvolume
from emseg.phases.artefact import LabelArtefact
from emseg.phases.run_context import RunContext
from emseg.phases.segment.artefacts import CORE, LABELS, OVERLAP
from emseg.store import Artefact, ItemMarker, ahead

NAME = "segment"
FINDING = "finding."
"""Statistics of an item with this prefix are what the image checks found."""
ASKED = "asked_voxels"
"""Statistic of an item: voxels of its core that are in the ROI and of no preserved body."""


@dataclass(frozen=True)
class SegmentedSubvolume:
    """One subvolume as `segment` left it; `marker` is None where this run has given it up.

    `labels` are its labels, by name, none of them read yet.
    """

    run: RunContext[Any]
    subvolume: Subvolume
    marker: ItemMarker | None
    labels: Mapping[str, Artefact]

    @classmethod
    def several(cls, run: RunContext[Any], numbers: Sequence[int]) -> list[SegmentedSubvolume]:
        """The subvolumes of some cell numbers, in their order; IntegrityError where one has no marker."""
        subvolumes = [run.grid.subvolume(number) for number in numbers]
        given_up = run.given_up.get(NAME, {})
        names = [subvolume.name for subvolume in subvolumes if subvolume.name not in given_up]
        folder = run.folder(NAME)
        markers = dict(zip(names, folder.item_markers(names), strict=True))
        found = ahead(lambda marker: folder.parts(marker.artefact(LABELS)), markers.values())
        parts = dict(zip(markers, found, strict=True))
        return [cls(run, each, markers.get(each.name), parts.get(each.name, {})) for each in subvolumes]

    @property
    def segments(self) -> int:
        """Number of local labels, those that lie in the halo alone included."""
        return 0 if self.marker is None else int(self.marker.statistics["segments"])

    def core_labels(self) -> npt.NDArray[np.uint32]:
        """Local labels of the core, uint32 ZYX."""
        return self._read(CORE, self.subvolume.core.shape)

    def overlap_labels(self, neighbour: int) -> npt.NDArray[np.uint32]:
        """Local labels of the overlap with a neighbour, uint32 ZYX."""
        region = self.run.grid.overlap(self.subvolume.number, neighbour).region
        return self._read(OVERLAP.numbered(neighbour), region.shape)

    def _read(self, artefact: LabelArtefact, shape: tuple[int, int, int]) -> npt.NDArray[np.uint32]:
        if self.marker is None:
            return np.zeros(shape, np.uint32)
        return artefact.read(self.run.folder(NAME), self.labels)


def quarantined_cells(run: RunContext[Any], markers: Iterable[ItemMarker]) -> list[int]:
    """Numbers of the subvolumes that join others only where both sides agree almost voxel for voxel."""
    return [run.grid.subvolume_named(marker.item).number for marker in markers if marker.statistics.get("quarantined")]
