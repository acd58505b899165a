"""Phase `survey`: what the phases before it counted; figures of all of the volume, for which no ground truth is needed.

Its items come in two waves: each region of `resolve` counts what it has, and the last item adds up what they counted.
They read tables, and no voxel.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from emseg.phases.declaration import Phase
from emseg.phases.stages import EVALUATE

if TYPE_CHECKING:
    from pydantic import JsonValue

    from emseg.config import RunSpec
    from emseg.engine.items import StageExecutor, Work
    from emseg.engine.run import Scalars
    from emseg.phases.artefact import TableArtefact
    from emseg.phases.run_context import RunContext
    from emseg.store import ItemMarker

BODIES, REGION = "bodies", "region"
"""The last item, and how the names of the others begin."""


class SurveyPhase(Phase):
    """Bodies, their sizes, and what is missing, over all of the volume."""

    name = "survey"
    stage = EVALUATE
    follows = "write"
    reads_from = ("segment", "match", "resolve", "write")

    def reads(self, spec: RunSpec) -> Mapping[str, JsonValue]:
        """The size up to which a body is an orphan."""
        return {"orphan_um3": spec.gate.everywhere.orphan_um3}

    def items(self, run: RunContext[Any]) -> tuple[str, ...]:
        """The regions, and all of it."""
        return (*regions_counted(run), BODIES)

    def waves(self, run: RunContext[Any]) -> tuple[tuple[str, ...], ...]:
        """All of it when the regions are done."""
        return regions_counted(run), (BODIES,)

    def prepare(self, run: RunContext[Any]) -> Work:
        """Count all bodies."""
        from emseg.phases.survey.work import SurveyVolume

        return SurveyVolume(run)

    def finish(self, run: RunContext[Any], markers: Sequence[ItemMarker], executor: StageExecutor) -> Scalars:  # noqa: ARG002
        """What was counted."""
        return dict(next(marker for marker in markers if marker.item == BODIES).statistics)

    def artefacts(self) -> tuple[TableArtefact, ...]:
        """How many bodies there are of each size, and the largest ones."""
        from emseg.phases.survey.artefacts import LARGEST, PARTS, SIZES

        return SIZES, LARGEST, PARTS


def regions_counted(run: RunContext[Any]) -> tuple[str, ...]:
    """Names of the items that count a region."""
    from emseg.phases.resolve.items import regions_used

    return tuple(f"{REGION}-{number:08d}" for number in regions_used(run, 0))


PHASE = SurveyPhase()
