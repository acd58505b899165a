"""The survey of a run: what all regions counted, added up; and how it is read.

Memory of the last item: 21 bytes for each body of several supervoxels and each region that it is in, and as much again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace

from emseg.array_types import Counts, Ids
from emseg.evaluate.survey import Survey
from emseg.phases.resolve.artefacts import COUNTS, parts_of_result
from emseg.phases.run_context import RunContext
from emseg.phases.services import Services
from emseg.phases.survey import BODIES, regions_counted
from emseg.phases.survey.artefacts import LARGEST, PARTS
from emseg.phases.survey.region import (
    SEAMS,
    VOXELS,
    SurveyRegion,
    counts_read,
    counts_written,
    orphan_max_vox,
    voxel_um3,
)
from emseg.phases.write.artefacts import SUBSTITUTES
from emseg.phases.write.substitute_ids import SubstituteIds
from emseg.stitch import BodyCounts, BodyParts, body_counts
from emseg.store import ItemMarker, sums

NAME = "survey"


@dataclass(frozen=True)
class SurveyVolume:
    """Counts the bodies of a region, or adds up what all regions counted."""

    run: RunContext[Services]

    def __call__(self, item: str) -> ItemMarker:
        """The region that the item names; or, last, all of the volume."""
        if item != BODIES:
            return SurveyRegion(self.run, item)()
        folder = self.run.folder(NAME)
        markers = folder.item_markers(regions_counted(self.run))
        bodies = self._bodies(markers)
        joins = sums(parts_of_result(self.run), COUNTS)
        survey = Survey(
            voxel_um3=voxel_um3(self.run),
            bodies=bodies.bodies,
            voxels=bodies.voxels,
            squares=bodies.squares,
            largest_vox=int(bodies.largest_vox.max(initial=0)),
            orphans=bodies.orphans,
            orphan_vox=bodies.orphan_vox,
            candidates=joins["candidates"],
            parked=joins["parked"],
            **sums(markers, (*SEAMS, *VOXELS)),
        )
        return folder.commit_item(
            item, counts_written(folder, item, bodies, self._shown(bodies.largest)), asdict(survey)
        )

    def _bodies(self, markers: Sequence[ItemMarker]) -> BodyCounts:
        """All bodies, the largest ones in the order of their size."""
        folder, orphan_vox = self.run.folder(NAME), orphan_max_vox(self.run)
        alone = BodyCounts(orphan_vox)
        for marker in markers:
            alone = alone + counts_read(folder, marker, orphan_vox)
        bodies = body_counts(BodyParts.joined(PARTS.read_as(BodyParts, folder, markers)), alone)
        largest, voxels = bodies.in_order()
        return replace(bodies, largest=largest, largest_vox=voxels)

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
