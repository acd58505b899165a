"""What a phase declares about itself: the only source for its key, its items, its work and how it ends.

For example, `match` follows `segment`, belongs to the stage `stitch`, has one item for each subvolume, and reads
nothing of the spec beyond what is in the key of `segment`. See `phases/match` for all of it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from emseg.phases.stages import Stage

if TYPE_CHECKING:
    from pydantic import JsonValue

    from emseg.config import RunSpec
    from emseg.engine.items import StageExecutor, Work
    from emseg.engine.run import Scalars
    from emseg.phases.artefact import LabelArtefact, TableArtefact
    from emseg.phases.run_context import RunContext
    from emseg.store import ItemMarker

SHAPES_NO_RESULT: Mapping[str, str] = {
    "emseg.config": "the values that a phase reads are in its key, and its functions only check values",
    "emseg.disk": "it writes the bytes that it is given",
    "emseg.engine": "it hands items out and markers in: what is in them is computed elsewhere",
    "emseg.errors": "an item that fails leaves nothing",
    "emseg.imports": "it finds the code that counts; a change of it changes the versions by itself",
    "emseg.phases.code_version": "a change of it changes the versions by itself",
    "emseg.phases.declaration": "the base of all declarations: it computes nothing",
    "emseg.phases.keys": "a change of it changes the keys by themselves",
    "emseg.phases.stages": "names and words for people",
    "emseg.store": "an artefact is verified by size and SHA-256, whatever way it took",
    "emseg.dvid.http": "an answer comes whole or is an error",
    "emseg.dvid.nodes": "it finds versions, and makes a branch whose UUID is a key",
    "emseg.dvid.repos": "it finds versions by their full UUIDs, which are in the keys",
    "emseg.dvid.errors": "it decides about retries",
}
"""Modules and rooms that a phase can reach by import and that are in no code version, with the reason."""

READERS_AND_WRITERS: Mapping[str, str] = {
    "boto3": "an artefact is verified by size and SHA-256",
    "botocore": "an artefact is verified by size and SHA-256",
    "pydantic": "it checks values, and those are in the keys",
    "requests": "an answer comes whole or is an error",
    "urllib3": "an answer comes whole or is an error",
}
"""Libraries that a phase can reach by import and whose versions are in no code version, with the reason."""


class Phase(ABC):
    """One phase of every run. A subclass is a declaration: it holds no state, and imports what computes where used.

    `name` is that of its file or folder in `phases`. `follows` is the phase whose result it needs: the key of that one
    is in its own. `shown_as` is its line in the summary of a demo, that of its stage where it says nothing. A phase
    that `writes_dvid` is never run on behalf of a later stage. `reads_from` are the phases whose artefacts it reads.
    `programs` are modules that its work starts as processes of their own, where no import shows them. `not_in_version`
    names modules that it can reach by import and that cannot shape its result, each with the reason.
    """

    name: ClassVar[str]
    stage: ClassVar[Stage]
    follows: ClassVar[str | None] = None
    reads_from: ClassVar[tuple[str, ...]] = ()
    shown_as: ClassVar[str] = ""
    writes_dvid: ClassVar[bool] = False
    programs: ClassVar[tuple[str, ...]] = ()
    not_in_version: ClassVar[Mapping[str, str]] = {}

    @abstractmethod
    def reads(self, spec: RunSpec) -> Mapping[str, JsonValue]:
        """What of the spec shapes the result, beyond what the followed phase has read."""

    @abstractmethod
    def items(self, run: RunContext[Any]) -> tuple[str, ...]:
        """Names of all items of a run."""

    def waves(self, run: RunContext[Any]) -> tuple[tuple[str, ...], ...] | None:  # noqa: ARG002 - for subclasses
        """The items in the order in which they may be begun, where some need what others left; None: all at once."""
        return None

    @abstractmethod
    def prepare(self, run: RunContext[Any]) -> Work:
        """The work on one item, for any process; called once in the driver before the first item."""

    def finish(self, run: RunContext[Any], markers: Sequence[ItemMarker], executor: StageExecutor) -> Scalars:  # noqa: ARG002 - for subclasses
        """What is done once, by the driver, after all items; the figures are kept in the phase marker.

        The `executor` exchanges tables where one process would not hold them.
        """
        return {}

    def also_for(self, run: RunContext[Any]) -> tuple[RunContext[Any], ...]:  # noqa: ARG002 - for subclasses
        """Results of earlier runs that the phase is done for in the same way, as the run is compared with them."""
        return ()

    def marking_anew(self) -> Phase:
        """The phase as a later stage may run it, where its markers are lost: one that `writes_dvid` writes nothing."""
        return self

    def most_given_up(self, spec: RunSpec, items: int) -> int | None:  # noqa: ARG002 - for subclasses
        """How many of `items` may fail for good and be left empty in their own run; None: the phase needs all."""
        return None

    def artefacts(self) -> tuple[LabelArtefact | TableArtefact, ...]:
        """What an item leaves in the object store."""
        return ()

    @property
    def line(self) -> str:
        """Line of a summary that counts this phase."""
        return self.shown_as or self.stage.name
