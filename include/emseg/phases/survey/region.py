"""What one region of the volume counts: its bodies of one supervoxel, its parts of the others, and ends at seams.

Memory: the mapping of the region and of those around it, and the tables of 64 subvolumes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
import pyarrow as pa

from emseg.array_types import Ids
from emseg.phases.match.artefacts import CROSSINGS, SUPERVOXELS
from emseg.phases.resolve.artefacts import read_mapping
from emseg.phases.resolve.items import regions_of
from emseg.phases.run_context import RunContext
from emseg.phases.segment.labels import ASKED, quarantined_cells
from emseg.phases.services import Services
from emseg.phases.survey.artefacts import LARGEST, PARTS, SIZES
from emseg.stitch import BodyCounts, BodyParts, Crossings, Ends, Supervoxels, body_parts, ends_at
from emseg.store import Artefact, ItemMarker, PhaseFolder

NAME = "survey"
SEAMS = ("seams_met", "seams_ended", "inside_met", "inside_ended")
VOXELS = ("asked_vox", "core_vox", "failed_vox", "quarantined_vox")
"""Statistics of regions, which add up."""
_ALONE = ("squares", "orphans", "orphan_vox")
_UM3_PER_NM3 = 1e-9


@dataclass(frozen=True)
class SurveyRegion:
    """Counts one region of the first level."""

    run: RunContext[Services]
    item: str

    def __call__(self) -> ItemMarker:
        """Artefacts: parts of bodies of several, and sizes and names of the largest of those that are alone."""
        parts, alone, seams, inside = self._counted()
        folder = self.run.folder(NAME)
        artefacts = [
            PARTS.write(folder, self.item, parts.to_arrow()),
            *counts_written(folder, self.item, alone, alone.largest),
        ]
        ends = dict(zip(SEAMS, (seams.met, seams.ended, inside.met, inside.ended), strict=True))
        own = {name: getattr(alone, name) for name in _ALONE}
        return folder.commit_item(self.item, artefacts, {**own, **ends, **self._voxels()})

    def _counted(self) -> tuple[BodyParts, BodyCounts, Ends, Ends]:
        mapping = read_mapping(self.run, self._cells(margin=1))
        folder, markers = self.run.folder("match"), self.run.folder("match").manifest_of(self._names)
        several, alone, seams, inside = [BodyParts.none()], BodyCounts(orphan_max_vox(self.run)), Ends(), Ends()
        supervoxels = SUPERVOXELS.read_as(Supervoxels, folder, markers)
        for some, crossings in zip(supervoxels, CROSSINGS.read_as(Crossings, folder, markers), strict=True):
            parts, counts = body_parts(mapping, some, alone.orphan_max_vox)
            several, alone = [*several, parts], alone + counts
            at_seams, at_planes = ends_at(crossings, mapping.body_of)
            seams, inside = seams + at_seams, inside + at_planes
        return BodyParts.joined(several).whole(), alone, seams, inside

    def _voxels(self) -> dict[str, int]:
        segmented = self.run.folder("segment").manifest_of(self._names)
        given_up = set(self._names) & self.run.given_up.get("segment", {}).keys()
        failed = sum(map(self._core_vox, given_up))
        quarantined = quarantined_cells(self.run, segmented)
        counted = (
            sum(int(marker.statistics[ASKED]) for marker in segmented),
            sum(self._core_vox(marker.item) for marker in segmented) + failed,
            failed,
            sum(self.run.grid.subvolume(number).core.voxels for number in quarantined),
        )
        return dict(zip(VOXELS, counted, strict=True))

    def _core_vox(self, item: str) -> int:
        return self.run.grid.subvolume_named(item).core.voxels

    @cached_property
    def _names(self) -> list[str]:
        return [self.run.grid.subvolume(number).name for number in self._cells(margin=0)]

    def _cells(self, margin: int) -> list[int]:
        cells: list[int] = regions_of(self.run).cells(0, int(self.item.rpartition("-")[2]), margin).tolist()
        return cells


def orphan_max_vox(run: RunContext[Any]) -> float:
    """Voxels up to which a body is an orphan."""
    return run.spec.gate.everywhere.orphan_um3 / voxel_um3(run)


def voxel_um3(run: RunContext[Any]) -> float:
    """Volume of a voxel."""
    return prod(run.spec.volume.voxel_size_nm) * _UM3_PER_NM3


def counts_written(folder: PhaseFolder, item: str, bodies: BodyCounts, names: Ids) -> list[Artefact]:
    """Artefacts `sizes` and `largest` of some bodies; `names` are those of the largest ones, in their order."""
    used = np.flatnonzero(bodies.in_class)
    sizes = [1 << used.astype(np.int64), bodies.in_class[used], bodies.voxels_in_class[used]]
    return [
        SIZES.write(folder, item, pa.table(sizes, schema=SIZES.schema)),
        LARGEST.write(folder, item, pa.table([names, bodies.largest_vox], schema=LARGEST.schema)),
    ]


def counts_read(folder: PhaseFolder, marker: ItemMarker, orphan_max_vox: float) -> BodyCounts:
    """The bodies of one supervoxel that a region counted."""
    counts, (sizes, largest) = BodyCounts(orphan_max_vox), (each.read(folder, marker) for each in (SIZES, LARGEST))
    which = np.frexp(sizes["from_vox"].to_numpy().astype(np.float64))[1] - 1
    counts.in_class[which] = sizes["bodies"].to_numpy()
    counts.voxels_in_class[which] = sizes["voxels"].to_numpy()
    counts.largest, counts.largest_vox = largest["body"].to_numpy(), largest["voxels"].to_numpy()
    counts.squares = float(marker.statistics["squares"])
    counts.orphans, counts.orphan_vox = int(marker.statistics["orphans"]), int(marker.statistics["orphan_vox"])
    return counts
