"""Substitute ids: what a new supervoxel is called in DVID where a surviving one holds its default id.

An id encodes its subvolume, so segmenting a subvolume again gives the same default ids. Surviving supervoxels keep
theirs; a new supervoxel whose default id is held gets the next free one. The worked example is in `emseg.phases.write`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa

from emseg.array_types import Ids
from emseg.codec.column_table import StoredTable
from emseg.errors import PermanentError
from emseg.geometry import cells_of
from emseg.sorted_ids import find

SUBSTITUTES_SCHEMA = pa.schema([("supervoxel", pa.uint64()), ("name", pa.uint64())])


class IdsExhaustedError(PermanentError):
    """A subvolume has no id left for a new supervoxel."""


@dataclass(frozen=True, eq=False)
class SubstituteIds(StoredTable):
    """Default ids of new supervoxels, uint64 ascending, and the substitute id of each in DVID, uint64."""

    SCHEMA: ClassVar[pa.Schema] = SUBSTITUTES_SCHEMA

    default: Ids
    substitute: Ids

    @classmethod
    def beside(cls, held: Ids, default: Ids) -> SubstituteIds:
        """Substitutes for those of the `default` ids that are `held`, both ids of one subvolume, in any order.

        They are counted up from the largest of both: `held` 2 3 9 and `default` 1 2 3 4 give 2 -> 10, 3 -> 11.
        IdsExhaustedError where that leads out of the subvolume's ids.
        """
        clashes = np.intersect1d(held, default)
        if len(clashes) == 0:
            return cls(clashes, clashes)
        largest = np.maximum(held.max(), default.max())
        substitute = largest + np.arange(1, len(clashes) + 1, dtype=np.uint64)
        (cell,) = cells_of(clashes[:1])
        if cells_of(substitute[-1:]) != cell:
            raise IdsExhaustedError(
                "giving ids to new supervoxels beside surviving ones",
                f"subvolume {cell}, largest id {largest}",
                f"surviving supervoxels hold the default ids of {len(clashes)} new ones, and the subvolume has fewer "
                "ids left",
                "Use another output instance, or smaller subvolumes",
            )
        return cls(clashes, substitute)

    @classmethod
    def joined(cls, parts: Iterable[SubstituteIds]) -> SubstituteIds:
        """All of them as one; a default id may be in several parts."""
        table = cls.concatenated([cls.none(), *parts])
        default, first = np.unique(table.default, return_index=True)
        return cls(default, table.substitute[first])

    @property
    def reverse(self) -> SubstituteIds:
        """From substitute ids back to default ids; both ascend, because a substitute stays in its subvolume."""
        return SubstituteIds(self.substitute, self.default)

    def applied_to(self, ids: Ids) -> Ids:
        """`ids` (any shape) as they are in DVID; an id without a substitute stays."""
        if len(self.default) == 0:
            return ids
        row, is_known = find(ids, self.default)
        return np.where(is_known, self.substitute[row], ids)
