"""What `resolve` leaves: how supervoxels form bodies, and why; and what its waves leave to each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from emseg.phases.artefact import TableArtefact
from emseg.phases.resolve.items import BODIES, RegionItem, regions_of
from emseg.phases.run_context import RunContext
from emseg.stitch import LEDGER_SCHEMA, MAPPING_SCHEMA, BodyMapping
from emseg.stitch.joining import ApartPairs, Decided, OpenBodies, OpenCandidates
from emseg.store import ItemMarker

MAPPING = TableArtefact("mapping", "body of each supervoxel that belongs to a body of several", MAPPING_SCHEMA)
LEDGER = TableArtefact("ledger", "votes that could have joined, with numbers and what became of them", LEDGER_SCHEMA)
CANDIDATES = TableArtefact(
    "candidates",
    "candidates of the region, and whether they are weak",
    pa.schema([("first", pa.uint64()), ("second", pa.uint64()), ("weak", pa.bool_())]),
)
NAMES = TableArtefact("names", "what the bodies of each smaller region have become; a part for each", MAPPING_SCHEMA)
DECIDED = TableArtefact("decided", "candidates that were decided here; a part for each smaller region", Decided.SCHEMA)
OPEN_CANDIDATES = TableArtefact("open-candidates", "candidates left to a larger region", OpenCandidates.SCHEMA)
OPEN_BODIES = TableArtefact("open-bodies", "bodies of such candidates", OpenBodies.SCHEMA)
APART = TableArtefact("apart", "supervoxels that must not be joined in them", ApartPairs.SCHEMA)
CONTESTED = TableArtefact(
    "contested", "bodies that people part though strong evidence joins them", pa.schema([("body", pa.uint64())])
)
ALL = (MAPPING, LEDGER, CANDIDATES, NAMES, DECIDED, OPEN_CANDIDATES, OPEN_BODIES, APART, CONTESTED)

COUNTS = ("candidates", "joined", "parked", "kept_apart", "mapped", "self_touching")
"""Statistics of the items that write the result, which add up."""


def parts_of_result(run: RunContext[Any]) -> list[ItemMarker]:
    """Markers of the regions that wrote mapping and ledger, ascending."""
    return [marker for marker in run.folder("resolve").manifest() if marker.item.startswith(BODIES)]


def mapping_parts(run: RunContext[Any]) -> Iterator[BodyMapping]:
    """The mapping of a run whose phase `resolve` is done, region by region: supervoxels ascending in each.

    The supervoxels of one body may be in several parts.
    """
    return MAPPING.read_as(BodyMapping, run.folder("resolve"), parts_of_result(run))


def read_mapping(run: RunContext[Any], cells: Iterable[int] | None = None) -> BodyMapping:
    """The mapping of a run whose phase `resolve` is done: all of it, or that of the regions that hold some cells."""
    if cells is None:
        return BodyMapping.joined(mapping_parts(run))
    numbers = np.unique(regions_of(run).holding(np.fromiter(cells, np.int64), 0)).tolist()
    folder = run.folder("resolve")
    markers = folder.manifest_of(RegionItem(BODIES, 0, number).name for number in numbers)
    return BodyMapping.joined(MAPPING.read_as(BodyMapping, folder, markers))
