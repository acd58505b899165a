"""New supervoxels whose id an old one beside them keeps, and the ids that they get instead.

Ids are a function of place, so a subvolume that was segmented before gives its old ids again. Where some of the old
supervoxels stay in it, they keep theirs, and a new one of the same id takes the next that is free in the subvolume.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import fastremap
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from emseg.errors import PermanentError
from emseg.stitch import Ids, cells_of

RENAMED_SCHEMA = pa.schema([("supervoxel", pa.uint64()), ("name", pa.uint64())])


class IdsExhaustedError(PermanentError):
    """A subvolume has no id left for a new supervoxel."""


@dataclass(frozen=True, eq=False)
class Renaming:
    """Supervoxels of a segmentation, uint64 ascending, and the `names` that they have in DVID, uint64 ascending."""

    supervoxels: Ids
    names: Ids

    @classmethod
    def beside(cls, taken: Ids, new: Ids) -> Renaming:
        """New names for those of `new` that are `taken`, both ids of one subvolume, in any order.

        They are counted up from the largest of both: `taken` 2 3 9 and `new` 1 2 3 4 give 2 -> 10, 3 -> 11.
        IdsExhaustedError where that leads out of the subvolume's ids.
        """
        clashes = np.intersect1d(taken, new)
        if len(clashes) == 0:
            return cls(clashes, clashes)
        largest = np.maximum(taken.max(), new.max())
        names = largest + np.arange(1, len(clashes) + 1, dtype=np.uint64)
        (cell,) = cells_of(clashes[:1])
        if cells_of(names[-1:]) != cell:
            raise IdsExhaustedError(
                "naming supervoxels beside those of an ancestor",
                f"subvolume {cell}, largest id {largest}",
                f"{len(clashes)} new supervoxels have ids that stay, and the subvolume has no id left for all of them",
                "Use another output instance, or smaller subvolumes",
            )
        return cls(clashes, names)

    @classmethod
    def joined(cls, renamings: Sequence[Renaming]) -> Renaming:
        """All of them as one; a supervoxel may be in several."""
        supervoxels = np.concatenate([np.empty(0, np.uint64), *(r.supervoxels for r in renamings)])
        names = np.concatenate([np.empty(0, np.uint64), *(r.names for r in renamings)])
        supervoxels, first = np.unique(supervoxels, return_index=True)
        return cls(supervoxels, names[first])

    @property
    def reverse(self) -> Renaming:
        """From names back to supervoxels."""
        return Renaming(self.names, self.supervoxels)

    def applied_to(self, ids: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
        """`ids` (any shape) under their names; what has no other name stays."""
        if len(self.supervoxels) == 0:
            return ids
        names = dict(zip(self.supervoxels.tolist(), self.names.tolist(), strict=True))
        renamed: npt.NDArray[np.uint64] = fastremap.remap(ids, names, preserve_missing_labels=True)
        return renamed

    @classmethod
    def from_arrow(cls, table: pa.Table) -> Renaming:
        """The renaming kept as a table of `RENAMED_SCHEMA`."""
        return cls(table["supervoxel"].to_numpy(), table["name"].to_numpy())

    def to_arrow(self) -> pa.Table:
        """One row a supervoxel that has another name."""
        return pa.table([self.supervoxels, self.names], schema=RENAMED_SCHEMA)
