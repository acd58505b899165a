"""Phase `evaluate`: segmentation and ground truth read from DVID; contingency tables and scores out.

One item is one subvolume. Tables add up over subvolumes, so the scores of the whole are exact.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from emseg.phases.each_subvolume import EachSubvolume
from emseg.phases.stages import EVALUATE

if TYPE_CHECKING:
    from pydantic import JsonValue

    from emseg.config import RunSpec
    from emseg.engine.items import Work
    from emseg.engine.run import Scalars
    from emseg.phases.artefact import TableArtefact
    from emseg.phases.run_context import RunContext
    from emseg.store import ItemMarker


class Evaluate(EachSubvolume):
    """The written segmentation measured against ground truth."""

    name = "evaluate"
    stage = EVALUATE
    follows = "write"

    def reads(self, spec: RunSpec) -> Mapping[str, JsonValue]:
        """The ground truth, what of it counts, and what unassigned voxels count as."""
        return {"groundtruth": spec.groundtruth.model_dump(mode="json")}

    def prepare(self, run: RunContext[Any]) -> Work:
        """Count one subvolume."""
        from emseg.phases.evaluate.work import EvaluateSubvolume

        return EvaluateSubvolume(run)

    def finish(self, run: RunContext[Any], markers: Sequence[ItemMarker]) -> Scalars:
        """Scores of the whole volume."""
        from emseg.phases.evaluate.work import MergeTables

        return MergeTables(run)(markers)

    def artefacts(self) -> tuple[TableArtefact, ...]:
        """The contingency table."""
        from emseg.phases.evaluate.artefacts import CONTINGENCY

        return (CONTINGENCY,)


PHASE = Evaluate()
