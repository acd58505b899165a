"""What `resolve` leaves: how supervoxels form bodies, and why."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

from emseg.geometry import cells_of
from emseg.phases.artefact import TableArtefact
from emseg.phases.resolve import BODIES
from emseg.phases.run_context import RunContext
from emseg.stitch import LEDGER_SCHEMA, MAPPING_SCHEMA, BodyMapping

MAPPING = TableArtefact("mapping", "body of each supervoxel that belongs to a body of several", MAPPING_SCHEMA)
LEDGER = TableArtefact("ledger", "every vote with its numbers and what became of it", LEDGER_SCHEMA)


def read_mapping(run: RunContext[Any], cells: Collection[int] | None = None) -> BodyMapping:
    """The mapping of a run whose phase `resolve` is done; with `cells` that of the supervoxels of these subvolumes."""
    folder = run.folder("resolve")
    (marker,) = folder.item_markers([BODIES])
    mapping = BodyMapping.from_arrow(MAPPING.read(folder, marker))
    return mapping if cells is None else mapping.rows(np.isin(cells_of(mapping.supervoxels), list(cells)))
