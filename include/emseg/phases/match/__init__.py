"""Phase `match`: labels of cores and overlaps in; votes, sizes of supervoxels, contacts and crossings out.

One item is one subvolume with the neighbours that come after it, so that each overlap is counted once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from emseg.phases.each_subvolume import EachSubvolume
from emseg.phases.stages import STITCH

if TYPE_CHECKING:
    from pydantic import JsonValue

    from emseg.config import RunSpec
    from emseg.engine.items import StageExecutor, Work
    from emseg.engine.run import Scalars
    from emseg.phases.artefact import TableArtefact
    from emseg.phases.run_context import RunContext
    from emseg.store import ItemMarker


class Match(EachSubvolume):
    """Votes of all overlaps, and what is known of the supervoxels of each core."""

    name = "match"
    stage = STITCH
    follows = "segment"
    reads_from = ("segment",)
    shown_as = "match"  # it does not depend on the stitching mode, so it is reused where resolution is not

    def reads(self, spec: RunSpec) -> Mapping[str, JsonValue]:  # noqa: ARG002
        """Nothing but the labels."""
        return {}

    def prepare(self, run: RunContext[Any]) -> Work:
        """Count the votes of one subvolume with its later neighbours."""
        from emseg.phases.match.work import MatchSubvolume

        return MatchSubvolume(run)

    def finish(self, run: RunContext[Any], markers: Sequence[ItemMarker], executor: StageExecutor) -> Scalars:  # noqa: ARG002
        """Rows of all tables together."""
        from emseg.store import sums

        return sums(markers, [artefact.name for artefact in self.artefacts()])

    def artefacts(self) -> tuple[TableArtefact, ...]:
        """Four tables."""
        from emseg.phases.match.artefacts import CONTACTS, CROSSINGS, SUPERVOXELS, VOTES

        return VOTES, SUPERVOXELS, CONTACTS, CROSSINGS


PHASE = Match()
