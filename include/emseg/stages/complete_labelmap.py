"""The end of phase `write`, in the driver: counted blocks and mapping in; mappings, indices and extents in DVID out.

Runs once, when every brick is written and read back, under a lease. Everything is checked by reading it back. Nothing
is committed here: `publish` does that after the gate. Memory: about 100 bytes a supervoxel and block.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from emseg.dvid import IndexTable, LabelContents
from emseg.stages.engine import Scalars
from emseg.stages.renaming import RENAMED_SCHEMA, Renaming
from emseg.stages.resolve_bodies import STAGE as RESOLVE
from emseg.stages.resolve_bodies import read_mapping, read_table
from emseg.stages.services import DvidServices, Workplace, branch_name, segmentation_uuid
from emseg.store import ItemMarker, Lease, join_key

STAGE = "write"

LEASE_S = 120.0
"""A writer that was silent for so long is taken for dead; one post of mappings or indices stays well below."""

COUNTS_SCHEMA = pa.schema(
    [
        ("z", pa.int32()),
        ("y", pa.int32()),
        ("x", pa.int32()),
        ("supervoxel", pa.uint64()),
        ("voxels", pa.uint32()),
    ]
)
NEW = "counts"
REPLACED = "replaced"
RENAMED = "renamed"


@dataclass(frozen=True)
class FinishLabelmap:
    """What one writer does when all bricks are there: mappings, indices, extents, and the check of all three."""

    place: Workplace[DvidServices]

    def __call__(self, markers: Sequence[ItemMarker]) -> Scalars:
        """Complete the labelmap. Safe to repeat: each call leaves the same state."""
        spec = self.place.spec
        labelmap = self.place.open_services().segmentation(spec)
        new = self._new(markers)
        contents = self._contents(markers, new)
        with self._only_writer() as lease:
            contents.post(labelmap, lease.renew)
            contents.verify(labelmap)
        return {
            "uuid": segmentation_uuid(spec),
            "instance": spec.output.instance,
            "branch": branch_name(spec),
            "bodies": len(np.unique(new.body)),
            "supervoxels": len(np.unique(new.supervoxel)),
            "voxels": int(new.count.sum(dtype=np.int64)),
        }

    def verify(self) -> None:
        """Compare what DVID holds now with what the finished phase left there; IntegrityError names what differs."""
        markers = self.place.folder(STAGE).manifest()
        contents = self._contents(markers, self._new(markers))
        contents.verify(self.place.open_services().segmentation(self.place.spec))

    def _contents(self, markers: Sequence[ItemMarker], new: IndexTable) -> LabelContents:
        spec = self.place.spec
        ancestor = self.place.open_services().inherited(spec)
        return LabelContents.over(ancestor, new, self._rows(markers, REPLACED), spec.volume.bounds)

    @contextmanager
    def _only_writer(self) -> Iterator[Lease]:
        # Two writers of mappings at a time can damage the server's mapping log.
        spec = self.place.spec
        key = join_key(spec.dataset, "leases", f"{branch_name(spec)}.json")
        lease = Lease(self.place.open_services().store, key, self.place.attempt, LEASE_S)
        lease.take_within(2 * LEASE_S)
        try:
            yield lease
        finally:
            lease.release()

    def _new(self, markers: Sequence[ItemMarker]) -> IndexTable:
        """The new supervoxels in their bodies, both under the names that they have in DVID."""
        rows, renaming = self._rows(markers, NEW), Renaming.from_arrow(self._table(markers, RENAMED, RENAMED_SCHEMA))
        renaming = Renaming.joined([renaming])
        mapping = read_mapping(self.place.folder(RESOLVE))
        body = renaming.applied_to(mapping.body_of(renaming.reverse.applied_to(rows.supervoxel)))
        return IndexTable(rows.block, rows.supervoxel, body, rows.count)

    def _rows(self, markers: Sequence[ItemMarker], name: str) -> IndexTable:
        """The tables `name` (voxels of supervoxels in blocks) of all bricks, every supervoxel as its own body."""
        table = self._table(markers, name, COUNTS_SCHEMA)
        supervoxel = table["supervoxel"].to_numpy()
        block = np.stack([table[axis].to_numpy() for axis in "zyx"], axis=1)
        return IndexTable(block=block, supervoxel=supervoxel, body=supervoxel, count=table["voxels"].to_numpy())

    def _table(self, markers: Sequence[ItemMarker], name: str, schema: pa.Schema) -> pa.Table:
        """The tables `name` of all bricks as one."""
        folder = self.place.folder(STAGE)
        return pa.concat_tables([schema.empty_table(), *(read_table(folder, m, name, schema) for m in markers)])
