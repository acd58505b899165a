"""Phase `resolve`: all votes, supervoxels and contacts in; the mapping from supervoxels to bodies and the ledger out.

No process sees all of the volume. Example: 100 x 100 x 100 subvolumes are 343 regions of 16 subvolumes a side
(`stitch/regions.py`). The items come in waves, one level of regions after the other:

    join-0-00000000 ... join-0-00000342   each region decides what nothing outside of it can change
    join-1-00000000 ... join-1-00000007   regions of 64 a side decide what is left between those in them
    join-2-00000000                       all of the volume: what is left then
    bodies-00000000 ... bodies-00000342   each region writes its part of mapping and ledger

`stitch/joining.py` says why the result is that of one process that sees everything. Where people part supervoxels, the
same levels come twice: `strong-...` finds out first which of them all strong evidence joins.

These are items and no shuffle of Spark, because a retry goes on from the last region that is done, and because
neighbours in the volume are what a region needs: a shuffle by ids would send most of the votes over the network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from emseg.phases.declaration import Phase
from emseg.phases.stages import STITCH

if TYPE_CHECKING:
    from pydantic import JsonValue

    from emseg.config import RunSpec
    from emseg.engine.items import StageExecutor, Work
    from emseg.engine.run import Scalars
    from emseg.phases.artefact import TableArtefact
    from emseg.phases.run_context import RunContext
    from emseg.store import ItemMarker


class Resolve(Phase):
    """Bodies over the whole volume."""

    name = "resolve"
    stage = STITCH
    follows = "match"
    reads_from = ("segment", "match")

    def reads(self, spec: RunSpec) -> Mapping[str, JsonValue]:
        """The stitching mode with its constraints, and what people decided."""
        return {"stitching": spec.stitching.model_dump(mode="json"), "edits": spec.edits.model_dump(mode="json")}

    def items(self, run: RunContext[Any]) -> tuple[str, ...]:
        """Regions of all levels, and each region of the first level once more."""
        return tuple(item for wave in self.waves(run) for item in wave)

    def waves(self, run: RunContext[Any]) -> tuple[tuple[str, ...], ...]:
        """One level of regions after the other; then the parts of mapping and ledger."""
        from emseg.phases.resolve.items import waves_of

        return waves_of(run)

    def prepare(self, run: RunContext[Any]) -> Work:
        """Join one region, or write its part of the result."""
        from emseg.phases.resolve.work import ResolveRegion

        return ResolveRegion.of(run)

    def finish(self, run: RunContext[Any], markers: Sequence[ItemMarker], executor: StageExecutor) -> Scalars:  # noqa: ARG002
        """What was joined, refused and parked."""
        from emseg.phases.resolve.artefacts import COUNTS
        from emseg.phases.resolve.items import BODIES
        from emseg.store import sums

        return sums((marker for marker in markers if marker.item.startswith(BODIES)), COUNTS)

    def artefacts(self) -> tuple[TableArtefact, ...]:
        """Mapping and ledger; and what one wave leaves to the next."""
        from emseg.phases.resolve.artefacts import ALL

        return ALL


PHASE = Resolve()
