"""Phase `evaluate`: segmentation and ground truth read from DVID; contingency tables and scores out.

One item is one subvolume. Tables add up over subvolumes, so the scores of the whole are exact.

The served release is measured in the same way, on the ground truth and in the region of this run. Example: run A made
release 3, and run B has the same ground truth and region. Then the tables of release 3 are found under the key that
run A gave them. With another ground truth the key is another one, and release 3 is measured anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from emseg.phases.each_subvolume import EachSubvolume
from emseg.phases.stages import EVALUATE

if TYPE_CHECKING:
    from pydantic import JsonValue

    from emseg.config import RunSpec
    from emseg.engine.items import StageExecutor, Work
    from emseg.engine.run import Scalars
    from emseg.phases.artefact import TableArtefact
    from emseg.phases.run_context import RunContext
    from emseg.store import ItemMarker


class Evaluate(EachSubvolume):
    """The written segmentation measured against ground truth; without ground truth it has no item."""

    name = "evaluate"
    stage = EVALUATE
    follows = "write"

    def reads(self, spec: RunSpec) -> Mapping[str, JsonValue]:
        """The ground truth, what of it counts, what unassigned voxels count as, the region, its cut, the metrics.

        The key of `write` holds region and cut of the run that wrote; a release may be measured by a run with others.
        In an evaluation of any two labelmaps the UUID of a node stands in place of that key, so the rest is here.
        """
        truth, two = spec.groundtruth, spec.two_labelmaps
        region: dict[str, JsonValue] = {"voxels": spec.volume.region, "core_vox": [*spec.segmentation.core_vox]}
        reads: dict[str, JsonValue] = {
            "groundtruth": None if truth is None else truth.model_dump(mode="json"),
            "region": region,
            "metrics": [each.model_dump(mode="json") for each in spec.metrics],
        }
        if two is not None:
            of_two = {"instance": spec.output.instance, "voxel_size_nm": [*spec.volume.voxel_size_nm]}
            reads["two_labelmaps"] = two.model_dump(mode="json") | of_two
        return reads

    def items(self, run: RunContext[Any]) -> tuple[str, ...]:
        """The selected subvolumes."""
        return () if run.spec.groundtruth is None else super().items(run)

    def also_for(self, run: RunContext[Any]) -> tuple[RunContext[Any], ...]:
        """The served release, where it is not the result of this very run."""
        from emseg.phases.labelmaps import of_served

        served = of_served(run)
        return () if served is None or served.keys["evaluate"] == run.keys["evaluate"] else (served,)

    def prepare(self, run: RunContext[Any]) -> Work:
        """Count one subvolume."""
        from emseg.phases.evaluate.work import EvaluateSubvolume

        return EvaluateSubvolume(run)

    def finish(self, run: RunContext[Any], markers: Sequence[ItemMarker], executor: StageExecutor) -> Scalars:  # noqa: ARG002
        """Scores of the whole volume."""
        if run.spec.groundtruth is None:
            return {}
        from emseg.phases.evaluate.work import MergeTables

        return MergeTables(run)(markers)

    def artefacts(self) -> tuple[TableArtefact, ...]:
        """The contingency table; and what a dataset need not have."""
        from emseg.phases.evaluate.artefacts import (
            COMPONENT_PARTS,
            CONNECTIONS,
            CONTINGENCY,
            POINTS,
            SKELETON_NODES,
        )

        return CONTINGENCY, COMPONENT_PARTS, POINTS, CONNECTIONS, SKELETON_NODES


PHASE = Evaluate()
