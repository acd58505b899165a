"""What DVID must hold of some bodies: their indices, none of those that end, and the mapping of their supervoxels.

The bodies of a run can be taken in any parts, by any number of processes: new bodies by their names, inherited ones by
theirs. `contents.py` posts and checks what is of all bodies together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from emseg.array_types import Ids
from emseg.dvid.labels.differences import require_equal
from emseg.dvid.labels.index import REQUEST_LABELS, IndexTable, batches, delete_indices, indices, post_indices
from emseg.dvid.labels.inherited import surviving_bodies
from emseg.dvid.labels.inherited_names import Claims
from emseg.dvid.labels.labelmap import Labelmap
from emseg.dvid.labels.mappings import MappingPair


@dataclass(frozen=True, eq=False)
class BodyContents:
    """`indices` are the ordered rows of the bodies that are new or changed, `gone` the inherited bodies that end.

    `changed` are all inherited bodies that lose voxels or their name. `mapped` are the supervoxels that the run maps,
    those that are their own body with them.
    """

    indices: IndexTable
    changed: Ids
    gone: Ids
    mapped: MappingPair

    @classmethod
    def over(
        cls, ancestor: Labelmap, labels: Ids, new: IndexTable, replaced: IndexTable, claims: Claims
    ) -> BodyContents:
        """New bodies, and what is left of inherited ones; the arguments and errors are those of `surviving_bodies`."""
        survivors = surviving_bodies(ancestor, labels, replaced, claims)
        rows = IndexTable.joined([new, survivors.rows]).ordered()
        to_map = IndexTable.joined([new, survivors.rows.rows(survivors.renamed)])
        supervoxels, first = np.unique(to_map.supervoxel, return_index=True)
        gone = np.setdiff1d(survivors.changed, rows.body)
        return cls(rows, survivors.changed, gone, (supervoxels, to_map.body[first]))

    @property
    def bodies(self) -> int:
        """How many bodies have an index because of the run."""
        return len(np.unique(self.indices.body))

    @property
    def max_label(self) -> int:
        """The largest id in the indices; 0 where there are none."""
        return int(max(self.indices.supervoxel.max(initial=0), self.indices.body.max(initial=0)))

    def post(self, labelmap: Labelmap) -> None:
        """Post the indices, and delete those of bodies that end. Posting twice changes nothing.

        IndexTableError, before any is posted, where they cannot be indices.
        """
        post_indices(labelmap, self.indices)
        delete_indices(labelmap, self.gone.tolist())

    def verify(self, labelmap: Labelmap) -> None:
        """Read them back, a request at a time; IntegrityError names the first row that differs."""
        for batch in batches(self.indices):
            found = indices(labelmap, np.unique(batch.body).tolist())
            require_equal(labelmap, "label indices", _rows_of(batch), _rows_of(found))
        for first in range(0, len(self.gone), REQUEST_LABELS):
            left = indices(labelmap, self.gone[first : first + REQUEST_LABELS].tolist())
            require_equal(labelmap, "label indices", np.empty((0, 6), np.uint64), _rows_of(left))


def _rows_of(table: IndexTable) -> npt.NDArray[np.uint64]:
    """Rows `body, supervoxel, z, y, x, voxels` of an ordered table (negative coordinates wrap around)."""
    block = table.block.astype(np.int64).astype(np.uint64)
    columns = [table.body[:, None], table.supervoxel[:, None], block, table.count.astype(np.uint64)[:, None]]
    return np.concatenate(columns, axis=1)
