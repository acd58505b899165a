"""Contingency tables: how many voxels each pair of (segment, ground-truth body) shares.

Made block by block from two label arrays, added up without loss over blocks, stored as Parquet. Every metric of this
room is computed from such a table alone, so no metric needs the voxels of the whole volume in one place.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from emseg.errors import IntegrityError, PermanentError
from emseg.label_pairs import count_pairs

SCHEMA = pa.schema(
    [
        pa.field("segmentation", pa.uint64(), nullable=False),
        pa.field("groundtruth", pa.uint64(), nullable=False),
        pa.field("count", pa.int64(), nullable=False),
    ]
)

Ids = npt.NDArray[np.uint64]
Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class ContingencyTable:
    """One row a pair that occurs, sorted by (segmentation, groundtruth): uint64, uint64, int64 voxels above 0.

    Ground truth 0 (unlabelled) never occurs; segmentation 0 (unassigned) is a label like any other.
    """

    segmentation: Ids
    groundtruth: Ids
    count: Counts

    @property
    def voxels(self) -> int:
        """Voxels counted: those with ground truth."""
        return int(self.count.sum())

    def __len__(self) -> int:
        return len(self.count)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ContingencyTable) and all(
            np.array_equal(mine, theirs) for mine, theirs in zip(self._columns, other._columns, strict=True)
        )

    __hash__ = None  # type: ignore[assignment]

    @property
    def _columns(self) -> tuple[Ids, Ids, Counts]:
        return self.segmentation, self.groundtruth, self.count

    def to_parquet(self) -> bytes:
        """Parquet file; equal tables give equal bytes."""
        sink = pa.BufferOutputStream()
        pq.write_table(pa.table(list(self._columns), schema=SCHEMA), sink, compression="zstd", row_group_size=1 << 20)
        data: bytes = sink.getvalue().to_pybytes()
        return data

    @classmethod
    def from_parquet(cls, data: bytes, on: str) -> ContingencyTable:
        """Table stored under `on`; IntegrityError when the bytes are not such a table, sorted and positive."""
        try:
            stored = pq.read_table(pa.BufferReader(data))
        except (pa.ArrowInvalid, OSError) as error:
            raise _damaged(on, f"not Parquet: {error}") from None
        if not stored.schema.equals(SCHEMA):
            raise _damaged(on, f"columns {stored.schema.names} of {[str(t) for t in stored.schema.types]}")
        table = cls(*(column.to_numpy() for column in stored.columns))
        if not _is_sorted(table) or (len(table) and table.count.min() <= 0):
            raise _damaged(on, "rows are not sorted pairs with counts above 0")
        return table


def contingency_table(segmentation: npt.NDArray[np.integer], groundtruth: npt.NDArray[np.integer]) -> ContingencyTable:
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
    parts = list(tables)
    if not parts:
        return _summed(np.empty(0, np.uint64), np.empty(0, np.uint64), np.empty(0, np.int64))
    return _summed(
        np.concatenate([t.segmentation for t in parts]),
        np.concatenate([t.groundtruth for t in parts]),
        np.concatenate([t.count for t in parts]),
    )


def _run_starts(seg: npt.NDArray[np.integer], truth: npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
    if seg.size == 0:
        return np.empty(0, np.int64)
    changes = np.empty(seg.size, bool)
    changes[0] = True
    np.not_equal(seg[1:], seg[:-1], out=changes[1:])
    changes[1:] |= truth[1:] != truth[:-1]
    return np.flatnonzero(changes)


def _summed(seg: Ids, truth: Ids, count: Counts) -> ContingencyTable:
    order = np.lexsort((truth, seg))
    seg, truth, count = seg[order], truth[order], count[order].astype(np.int64)
    starts = _run_starts(seg, truth)
    total = np.add.reduceat(count, starts) if len(starts) else count
    return ContingencyTable(seg[starts], truth[starts], total)


def _is_sorted(table: ContingencyTable) -> bool:
    seg, truth = table.segmentation, table.groundtruth
    later = (seg[1:] > seg[:-1]) | ((seg[1:] == seg[:-1]) & (truth[1:] > truth[:-1]))
    return bool(later.all())


def _damaged(on: str, found: str) -> IntegrityError:
    return IntegrityError("reading a contingency table", on, found, "It is set aside and computed again")
