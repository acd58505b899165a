"""The end of phase `write`, in the driver: counted blocks and mapping in; mappings, indices and extents in DVID out.

Runs once, when every brick is written and read back, under a lease. Everything is checked by reading it back. Nothing
is committed here: `publish` does that after the gate. Memory: about 100 bytes a supervoxel and block.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Mapping as MappingOf
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from emseg.dvid import (
    IndexTable,
    Labelmap,
    check_indices,
    check_mappings,
    indices,
    mappings,
    post_indices,
    post_mappings,
)
from emseg.errors import IntegrityError
from emseg.geometry import Box
from emseg.stages.engine import Scalars
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


@dataclass(frozen=True)
class FinishLabelmap:
    """What one writer does when all bricks are there: mappings, indices, extents, and the check of all three."""

    place: Workplace[DvidServices]

    def __call__(self, markers: Sequence[ItemMarker]) -> Scalars:
        """Complete the labelmap. Safe to repeat: each call leaves the same state."""
        spec = self.place.spec
        labelmap = self.place.open_services().segmentation(spec)
        table = self._index_table(markers)
        with self._only_writer() as lease:
            members = _members(table)
            check_mappings(members)
            check_indices(table)
            post_mappings(labelmap, members, lease.renew)
            post_indices(labelmap, table, lease.renew)
            labelmap.raise_max_label(int(table.supervoxel.max(initial=0)))
            labelmap.set_extents(spec.volume.bounds)
            _verify(labelmap, members, table, spec.volume.bounds)
        return {
            "uuid": segmentation_uuid(spec),
            "instance": spec.output.instance,
            "branch": branch_name(spec),
            "bodies": len(np.unique(table.body)),
            "supervoxels": len(np.unique(table.supervoxel)),
            "voxels": int(table.count.sum(dtype=np.int64)),
        }

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

    def _index_table(self, markers: Sequence[ItemMarker]) -> IndexTable:
        folder = self.place.folder(STAGE)
        mapping = read_mapping(self.place.folder(RESOLVE))
        table = pa.concat_tables(
            [COUNTS_SCHEMA.empty_table(), *(read_table(folder, m, "counts", COUNTS_SCHEMA) for m in markers)]
        )
        supervoxel = table["supervoxel"].to_numpy()
        block = np.stack([table[axis].to_numpy() for axis in "zyx"], axis=1)
        return IndexTable(
            block=block, supervoxel=supervoxel, body=mapping.body_of(supervoxel), count=table["voxels"].to_numpy()
        )


def _members(table: IndexTable) -> dict[int, npt.NDArray[np.uint64]]:
    """Supervoxels of each body that has more than one, as DVID's mapping wants them."""
    supervoxels, places = np.unique(table.supervoxel, return_index=True)
    bodies = table.body[places]
    moved = supervoxels != bodies
    order = np.argsort(bodies[moved], kind="stable")
    names, starts = np.unique(bodies[moved][order], return_index=True)
    groups = np.split(supervoxels[moved][order], starts[1:])  # one empty group where nothing moved
    return dict(zip(names.tolist(), groups, strict=False))


def _verify(
    labelmap: Labelmap, members: MappingOf[int, npt.NDArray[np.uint64]], table: IndexTable, bounds: Box
) -> None:
    wanted = {(int(supervoxel), body) for body, supervoxels in members.items() for supervoxel in supervoxels}
    stored = {
        pair for pair in zip(*(column.tolist() for column in mappings(labelmap)), strict=True) if pair[0] != pair[1]
    }
    if stored != wanted or labelmap.info().extents != bounds:
        raise IntegrityError(
            "checking mappings and extents",
            f"{labelmap.instance}, {len(wanted)} mappings, extents {bounds.start}-{bounds.stop}",
            f"DVID holds {len(stored)} mappings, {len(stored ^ wanted)} of them others, and {labelmap.info().extents}",
            "Retry; if it stays, something else writes to this branch",
        )
    found = indices(labelmap, np.unique(table.body).tolist())
    expected, got = _body_sizes(table), _body_sizes(found)
    if expected != got:
        wrong = sorted(b for b in expected if expected[b] != got.get(b))
        raise IntegrityError(
            "checking the label indices",
            f"{labelmap.instance}, {len(wrong)} of {len(expected)} bodies, first {wrong[:3]}",
            "DVID's indices do not hold the voxels that were counted",
            "Retry; if it stays, something else writes to this branch",
        )


def _body_sizes(table: IndexTable) -> dict[int, int]:
    bodies, places = np.unique(table.body, return_inverse=True)
    sizes = np.bincount(places, weights=table.count).astype(np.int64)
    return dict(zip(bodies.tolist(), sizes.tolist(), strict=True))
