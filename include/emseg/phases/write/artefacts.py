"""What `write` leaves for each brick, beside the blocks in DVID, and at its end for the driver."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from emseg.dvid import IndexTable
from emseg.phases.artefact import TableArtefact
from emseg.phases.write.substitute_ids import SUBSTITUTES_SCHEMA
from emseg.stitch import MAPPING_SCHEMA

COUNTS_SCHEMA = pa.schema(
    [
        ("z", pa.int32()),
        ("y", pa.int32()),
        ("x", pa.int32()),
        ("supervoxel", pa.uint64()),
        ("voxels", pa.uint32()),
    ]
)

CHANGED_SCHEMA = pa.schema([("body", pa.uint64())])

NEW_COUNTS = TableArtefact("counts", "voxels of each new supervoxel in each block", COUNTS_SCHEMA)
REPLACED_COUNTS = TableArtefact("replaced", "voxels of inherited supervoxels replaced, in each block", COUNTS_SCHEMA)
SUBSTITUTES = TableArtefact("renamed", "new supervoxels whose default id a surviving one holds", SUBSTITUTES_SCHEMA)

POSTED = TableArtefact("posted", "body of each supervoxel of a partition", MAPPING_SCHEMA)
CHANGED = TableArtefact("changed", "inherited bodies of a partition that lost voxels or their name", CHANGED_SCHEMA)
"""Tasks leave both for the one writer. No marker names them: they mean nothing when the phase is done."""


def counts_table(rows: IndexTable) -> pa.Table:
    """Rows of an index as a table of `COUNTS_SCHEMA`; their bodies are left out."""
    return pa.table([*rows.block.T, rows.supervoxel, rows.count], schema=COUNTS_SCHEMA)


def counted_rows(table: pa.Table) -> IndexTable:
    """The rows of `counts_table`, every supervoxel as its own body."""
    supervoxel = table["supervoxel"].to_numpy()
    block = np.stack([table[axis].to_numpy() for axis in "zyx"], axis=1)
    return IndexTable(block=block, supervoxel=supervoxel, body=supervoxel, count=table["voxels"].to_numpy())
