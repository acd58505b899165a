"""Phase `survey`: what the phases before it counted; figures of all of the volume, for which no ground truth is needed.

One item, run in the driver. It reads tables, one subvolume after another, and no voxel.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from emseg.phases.declaration import Phase
from emseg.phases.resolve import BODIES
from emseg.phases.stages import EVALUATE

if TYPE_CHECKING:
    from pydantic import JsonValue

    from emseg.config import RunSpec
    from emseg.engine.items import StageExecutor, Work
    from emseg.engine.run import Scalars
    from emseg.phases.artefact import TableArtefact
    from emseg.phases.run_context import RunContext
    from emseg.store import ItemMarker


class SurveyPhase(Phase):
    """Bodies, their sizes, and what is missing, over all of the volume."""

    name = "survey"
    stage = EVALUATE
    follows = "write"
    reads_from = ("segment", "match", "resolve", "write")
    in_driver = True

    def reads(self, spec: RunSpec) -> Mapping[str, JsonValue]:
        """The size up to which a body is an orphan."""
        return {"orphan_um3": spec.gate.everywhere.orphan_um3}

    def items(self, run: RunContext[Any]) -> tuple[str, ...]:  # noqa: ARG002
        """All of it at once."""
        return (BODIES,)

    def prepare(self, run: RunContext[Any]) -> Work:
        """Count all bodies."""
        from emseg.phases.survey.work import SurveyVolume

        return SurveyVolume(run)

    def finish(self, run: RunContext[Any], markers: Sequence[ItemMarker], executor: StageExecutor) -> Scalars:  # noqa: ARG002
        """What was counted."""
        return dict(markers[0].statistics)

    def artefacts(self) -> tuple[TableArtefact, ...]:
        """How many bodies there are of each size, and the largest ones."""
        from emseg.phases.survey.artefacts import LARGEST, SIZES

        return SIZES, LARGEST


PHASE = SurveyPhase()
