"""The survey of a run: tables of `match` streamed, joined with the mapping of `resolve`; and how it is read.

Memory: about 60 bytes for each supervoxel of a body of several, and the tables of 32 subvolumes. A body of
one supervoxel is counted and forgotten. So 10^8 bodies of which each hundredth has ten supervoxels take 600 MB, and
10^7 bodies of ten supervoxels each take 6 GB.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from math import prod

import numpy as np
import pyarrow as pa

from emseg.array_types import Counts, Ids
from emseg.evaluate.survey import Survey
from emseg.phases.match.artefacts import CROSSINGS, SUPERVOXELS
from emseg.phases.resolve.artefacts import COUNTS, parts_of_result, read_mapping
from emseg.phases.run_context import RunContext
from emseg.phases.segment.labels import ASKED, quarantined_cells
from emseg.phases.services import Services
from emseg.phases.survey import BODIES
from emseg.phases.survey.artefacts import LARGEST, SIZES
from emseg.phases.write.artefacts import SUBSTITUTES
from emseg.phases.write.substitute_ids import SubstituteIds
from emseg.stitch import BodyCounts, BodySums, Crossings, Ends, Supervoxels, ends_at
from emseg.store import ItemMarker, sums

NAME = "survey"
_UM3_PER_NM3 = 1e-9


@dataclass(frozen=True)
class SurveyVolume:
    """Counts all bodies of a run."""

    run: RunContext[Services]

    def __call__(self, item: str) -> ItemMarker:
        """Count them; artefacts `sizes` and `largest`, what else was counted as statistics."""
        voxel_um3 = prod(self.run.spec.volume.voxel_size_nm) * _UM3_PER_NM3
        bodies, seams, inside = self._counted(self.run.spec.gate.everywhere.orphan_um3 / voxel_um3)
        names, voxels = bodies.in_order()
        folder = self.run.folder(NAME)
        artefacts = [
            SIZES.write(folder, item, _sizes(bodies)),
            LARGEST.write(folder, item, pa.table([self._shown(names), voxels], schema=LARGEST.schema)),
        ]
        survey = Survey(
            voxel_um3=voxel_um3,
            bodies=bodies.bodies,
            voxels=bodies.voxels,
            squares=bodies.squares,
            largest_vox=int(voxels.max(initial=0)),
            orphans=bodies.orphans,
            orphan_vox=bodies.orphan_vox,
            seams_met=seams.met,
            seams_ended=seams.ended,
            inside_met=inside.met,
            inside_ended=inside.ended,
            **self._of_markers(),
        )
        return folder.commit_item(item, artefacts, asdict(survey))

    def _counted(self, orphan_max_vox: float) -> tuple[BodyCounts, Ends, Ends]:
        mapping = read_mapping(self.run)
        sums, seams, inside = BodySums(mapping, orphan_max_vox), Ends(), Ends()
        for supervoxels, crossings in self._tables():
            sums.add(supervoxels)
            at_seams, at_planes = ends_at(crossings, mapping.body_of)
            seams, inside = seams + at_seams, inside + at_planes
        return sums.counts(), seams, inside

    def _tables(self) -> Iterator[tuple[Supervoxels, Crossings]]:
        """Tables of each subvolume, by name: sums of floats must not depend on who was ready first."""
        folder = self.run.folder("match")
        markers = folder.manifest()
        supervoxels = SUPERVOXELS.read_as(Supervoxels, folder, markers)
        return zip(supervoxels, CROSSINGS.read_as(Crossings, folder, markers), strict=True)

    def _of_markers(self) -> dict[str, int]:
        segmented = self.run.folder("segment").manifest()
        joins = sums(parts_of_result(self.run), COUNTS)
        done = sum(self._core_vox(marker.item) for marker in segmented)
        failed = sum(self._core_vox(item) for item in self.run.given_up.get("segment", {}))
        quarantined = quarantined_cells(self.run, segmented)
        return {
            "asked_vox": sum(int(marker.statistics[ASKED]) for marker in segmented),
            "core_vox": done + failed,
            "failed_vox": failed,
            "quarantined_vox": sum(self.run.grid.subvolume(number).core.voxels for number in quarantined),
            "candidates": joins["candidates"],
            "parked": joins["parked"],
        }

    def _core_vox(self, item: str) -> int:
        return self.run.grid.subvolume_named(item).core.voxels

    def _shown(self, bodies: Ids) -> Ids:
        """Bodies under the names that they have in DVID."""
        folder = self.run.folder("write")
        some = [marker for marker in folder.manifest() if marker.statistics["renamed"]]
        return SubstituteIds.joined([SubstituteIds.from_arrow(SUBSTITUTES.read_all(folder, some))]).applied_to(bodies)


@dataclass(frozen=True, eq=False)
class SurveyResult:
    """What was counted, and the largest bodies with their voxels, largest first, as DVID names them."""

    survey: Survey
    largest: Ids
    largest_vox: Counts


def read_survey(run: RunContext[Services]) -> SurveyResult:
    """The result of the phase."""
    folder = run.folder(NAME)
    (marker,) = folder.item_markers([BODIES])
    table = LARGEST.read(folder, marker)
    survey = Survey(**{field.name: marker.statistics[field.name] for field in fields(Survey)})  # type: ignore[arg-type]
    return SurveyResult(survey, table["body"].to_numpy(), table["voxels"].to_numpy())


def _sizes(bodies: BodyCounts) -> pa.Table:
    used = np.flatnonzero(bodies.in_class)
    columns: Sequence[Counts] = [1 << used.astype(np.int64), bodies.in_class[used], bodies.voxels_in_class[used]]
    return pa.table(list(columns), schema=SIZES.schema)
