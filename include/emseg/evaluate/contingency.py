"""Contingency tables: how many voxels each pair of (segment, ground-truth body) shares.

Made block by block from two label arrays, added up without loss over blocks, stored as Parquet. Every metric of this
room is computed from such a table alone, so no metric needs the voxels of the whole volume at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import pyarrow as pa

from emseg.array_types import AnyLabels, Counts, Ids
from emseg.codec.column_table import StoredTable
from emseg.errors import IntegrityError, PermanentError
from emseg.kernels.label_pairs import count_pairs

SCHEMA = pa.schema(
    [
        pa.field("segmentation", pa.uint64(), nullable=False),
        pa.field("groundtruth", pa.uint64(), nullable=False),
        pa.field("count", pa.int64(), nullable=False),
    ]
)


@dataclass(frozen=True, eq=False)
class ContingencyTable(StoredTable):
    """One row a pair that occurs, sorted by (segmentation, groundtruth): uint64, uint64, int64 voxels above 0.

    Ground truth 0 (unlabelled) never occurs; segmentation 0 (unassigned) is a label like any other.
    """

    SCHEMA: ClassVar[pa.Schema] = SCHEMA
    ORDER: ClassVar[tuple[str, ...]] = ("segmentation", "groundtruth")

    segmentation: Ids
    groundtruth: Ids
    count: Counts

    @property
    def voxels(self) -> int:
        """Voxels counted: those with ground truth."""
        return int(self.count.sum())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ContingencyTable) and all(map(np.array_equal, self.columns, other.columns))

    __hash__ = None  # type: ignore[assignment]

    @classmethod
    def from_arrow(cls, table: pa.Table, on: str = "") -> Self:
        """Table of `SCHEMA` stored under `on`; IntegrityError unless its rows are sorted pairs with counts above 0."""
        found = super().from_arrow(table, on)
        if not _is_sorted(found) or (len(found) and found.count.min() <= 0):
            raise IntegrityError(
                "reading a contingency table",
                on or f"{len(found)} rows",
                "rows are not sorted pairs with counts above 0",
                "It is set aside and computed again",
            )
        return found


def contingency_table(segmentation: AnyLabels, groundtruth: AnyLabels) -> ContingencyTable:
    """Count the pairs of two label arrays of one shape, any unsigned or non-negative integer dtype, exact to 2^64 - 1.

    Worked example: segmentation `5 5 5 7 0`, ground truth `1 1 2 2 0` gives (5, 1): 2, (5, 2): 1, (7, 2): 1.
    """
    if segmentation.shape != groundtruth.shape:
        raise PermanentError(
            "counting label pairs",
            f"segmentation {segmentation.shape}, ground truth {groundtruth.shape}",
            "the shapes differ",
            "Give both arrays for the same box",
        )
    seg, truth, count = count_pairs(segmentation, groundtruth)
    known = truth != 0
    return ContingencyTable(seg[known], truth[known], count[known])


def merged(tables: Iterable[ContingencyTable]) -> ContingencyTable:
    """Sum of tables of disjoint voxels: the table of all those voxels."""
    rows = ContingencyTable.joined(tables)
    starts = run_starts(rows.segmentation, rows.groundtruth)
    total = np.add.reduceat(rows.count, starts) if len(starts) else rows.count
    return ContingencyTable(rows.segmentation[starts], rows.groundtruth[starts], total)


def large_bodies(table: ContingencyTable, min_vox: int) -> ContingencyTable:
    """The rows of ground-truth bodies that have at least `min_vox` voxels in the whole table."""
    bodies, body = np.unique(table.groundtruth, return_inverse=True)
    voxels = np.zeros(len(bodies), np.int64)
    np.add.at(voxels, body, table.count)
    return table.rows(voxels[body] >= min_vox)


def only_bodies(table: ContingencyTable, bodies: Ids) -> ContingencyTable:
    """The rows of some ground-truth bodies, given in any order, repeated or not."""
    return table.rows(np.isin(table.groundtruth, bodies))


def run_starts(*columns: Ids) -> Counts:
    """The first row of each run of rows that agree in all `columns`."""
    changes = np.zeros(len(columns[0]), bool)
    changes[:1] = True
    for column in columns:
        changes[1:] |= column[1:] != column[:-1]
    return np.flatnonzero(changes)


def _is_sorted(table: ContingencyTable) -> bool:
    seg, truth = table.segmentation, table.groundtruth
    later = (seg[1:] > seg[:-1]) | ((seg[1:] == seg[:-1]) & (truth[1:] > truth[:-1]))
    return bool(later.all())
