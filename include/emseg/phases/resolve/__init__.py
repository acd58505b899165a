"""Phase `resolve`: all votes, supervoxels and contacts in; the mapping from supervoxels to bodies and the ledger out.

One item, run in the driver: the algorithm sees all of the volume. `python -m benchmarks resolution` prints its memory.
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

BODIES = "bodies"
"""The one item."""


class Resolve(Phase):
    """Bodies over the whole volume."""

    name = "resolve"
    stage = STITCH
    follows = "match"
    reads_from = ("segment", "match")
    in_driver = True

    def reads(self, spec: RunSpec) -> Mapping[str, JsonValue]:
        """The stitching mode with its constraints, and what people decided."""
        return {"stitching": spec.stitching.model_dump(mode="json"), "edits": spec.edits.model_dump(mode="json")}

    def items(self, run: RunContext[Any]) -> tuple[str, ...]:  # noqa: ARG002
        """All of it at once."""
        return (BODIES,)

    def prepare(self, run: RunContext[Any]) -> Work:
        """Resolve all votes."""
        from emseg.phases.resolve.work import ResolveBodies

        return ResolveBodies(run)

    def finish(self, run: RunContext[Any], markers: Sequence[ItemMarker], executor: StageExecutor) -> Scalars:  # noqa: ARG002
        """What was joined, refused and parked."""
        return dict(markers[0].statistics)

    def artefacts(self) -> tuple[TableArtefact, ...]:
        """Mapping and ledger."""
        from emseg.phases.resolve.artefacts import LEDGER, MAPPING

        return MAPPING, LEDGER


PHASE = Resolve()
