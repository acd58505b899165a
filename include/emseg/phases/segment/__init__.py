"""Phase `segment`: grayscale of each subvolume in; local labels of its core and of its overlaps out.

One item is one subvolume. A step that fails for good on a few of them does not stop the run: it leaves them empty.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from emseg.phases.each_subvolume import EachSubvolume
from emseg.phases.stages import SEGMENT

if TYPE_CHECKING:
    from pydantic import JsonValue

    from emseg.config import RunSpec
    from emseg.engine.items import StageExecutor, Work
    from emseg.engine.run import Scalars
    from emseg.phases.artefact import LabelArtefact
    from emseg.phases.run_context import RunContext
    from emseg.store import ItemMarker


class Segment(EachSubvolume):
    """Segmentation of every selected subvolume."""

    name = "segment"
    stage = SEGMENT
    programs = ("emseg.segment.isolated_child",)
    not_in_version = dict.fromkeys(
        ("emseg.kernels.block_encoder", "emseg.kernels.sub_block_labels", "emseg.kernels.sub_block_values"),
        "it reads label blocks, for the masks of preserved bodies, and makes none",
    )

    def reads(self, spec: RunSpec) -> Mapping[str, JsonValue]:
        """The volume, the grid, the steps and checks, and the bodies that are not segmented.

        Limits of isolation decide whether a step succeeds, never what it makes, so they may change freely.
        """
        segmentation = spec.segmentation.model_dump(mode="json", exclude={"steps": {"__all__": {"isolation"}}})
        bodies = spec.output.preserve_bodies
        return {
            "volume": spec.volume.model_dump(mode="json"),
            "segmentation": segmentation,
            "preserved": [spec.output.instance, *bodies] if bodies else [],
        }

    def prepare(self, run: RunContext[Any]) -> Work:
        """Segment one subvolume."""
        from emseg.phases.segment.work import SegmentSubvolume

        return SegmentSubvolume(run)

    def finish(self, run: RunContext[Any], markers: Sequence[ItemMarker], executor: StageExecutor) -> Scalars:  # noqa: ARG002
        """Sums of what the items counted."""
        from emseg.store import sums

        return sums(markers, ("voxels", "masked_voxels", "segments", "quarantined"))

    def most_given_up(self, spec: RunSpec, items: int) -> int:
        """As many as the dataset's limit allows."""
        return int(items * spec.max_failed_share + 1e-9)  # 100 x 0.29 is 28.999999999999996

    def artefacts(self) -> tuple[LabelArtefact, ...]:
        """Labels of the core and of the overlaps."""
        from emseg.phases.segment.artefacts import CORE, OVERLAP

        return CORE, OVERLAP


PHASE = Segment()
