"""Overlap votes: how often two pieces of neighbouring subvolumes cover the same voxel.

Both sides of an overlap computed the same voxels. Each pair of pieces that share a voxel there is one vote, with the
shared voxels, both sizes inside the overlap, and whether each piece reaches the true interface on its own side.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields

import fastremap
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from emseg.errors import IntegrityError
from emseg.geometry import Overlap
from emseg.stitch.supervoxels import supervoxel_ids

Ids = npt.NDArray[np.uint64]
Counts = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

VOTE_SCHEMA = pa.schema(
    [
        ("first", pa.uint64()),
        ("second", pa.uint64()),
        ("overlap_vox", pa.int64()),
        ("first_vox", pa.int64()),
        ("second_vox", pa.int64()),
        ("first_reaches", pa.bool_()),
        ("second_reaches", pa.bool_()),
    ]
)


@dataclass(frozen=True, eq=False)
class Votes:
    """Columns of equal length, one row a pair of supervoxels that share voxels; `first` is in the earlier cell.

    `overlap_vox` counts shared voxels, `first_vox` and `second_vox` all voxels of each piece inside the overlap.
    """

    first: Ids
    second: Ids
    overlap_vox: Counts
    first_vox: Counts
    second_vox: Counts
    first_reaches: Flags
    second_reaches: Flags

    def __len__(self) -> int:
        return len(self.first)

    @classmethod
    def empty(cls) -> Votes:
        """No vote at all."""
        return cls.from_arrow(VOTE_SCHEMA.empty_table())

    @classmethod
    def joined(cls, parts: Iterable[Votes]) -> Votes:
        """All rows of `parts`, in one order whatever the order of the parts."""
        parts = [cls.empty(), *parts]
        columns = [np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(cls)]
        order = np.lexsort((columns[1], columns[0]))
        return cls(*(column[order] for column in columns))

    def to_arrow(self) -> pa.Table:
        """Table of `VOTE_SCHEMA`."""
        return pa.table({f.name: getattr(self, f.name) for f in fields(self)}, schema=VOTE_SCHEMA)

    @classmethod
    def from_arrow(cls, table: pa.Table) -> Votes:
        """Votes of a table of `VOTE_SCHEMA`."""
        return cls(*(table[name].to_numpy() for name in VOTE_SCHEMA.names))


def count_votes(overlap: Overlap, first_labels: npt.NDArray[np.uint32], second_labels: npt.NDArray[np.uint32]) -> Votes:
    """Votes of one overlap. Both arrays are local labels (0 = none) over `overlap.region`, ZYX."""
    shape = overlap.region.shape
    if first_labels.shape != shape or second_labels.shape != shape:
        raise IntegrityError(
            "counting overlap votes",
            f"{overlap.first.name} and {overlap.second.name}",
            f"slabs of shape {first_labels.shape} and {second_labels.shape}, overlap of shape {shape}",
            "Clear the task `segment`: the slabs were not made for this grid",
        )
    first, first_sizes = _sizes(first_labels)
    second, second_sizes = _sizes(second_labels)
    pairs, shared = _shared(first_labels, second_labels)
    a, b = (pairs >> np.uint64(32)).astype(np.uint32), (pairs & np.uint64(0xFFFFFFFF)).astype(np.uint32)
    own = overlap.interface.clipped
    return Votes(
        first=supervoxel_ids(a, overlap.first.number),
        second=supervoxel_ids(b, overlap.second.number),
        overlap_vox=shared,
        first_vox=first_sizes[np.searchsorted(first, a)],
        second_vox=second_sizes[np.searchsorted(second, b)],
        first_reaches=np.isin(a, _labels_in(first_labels, own(overlap.first.core).slices(overlap.region.start))),
        second_reaches=np.isin(b, _labels_in(second_labels, own(overlap.second.core).slices(overlap.region.start))),
    )


def _sizes(labels: npt.NDArray[np.uint32]) -> tuple[npt.NDArray[np.uint32], Counts]:
    values, counts = fastremap.unique(labels, return_counts=True)
    return values, counts.astype(np.int64)


def _shared(first: npt.NDArray[np.uint32], second: npt.NDArray[np.uint32]) -> tuple[Ids, Counts]:
    both = (first.ravel().astype(np.uint64) << np.uint64(32)) | second.ravel()
    pairs, counts = fastremap.unique(both, return_counts=True)
    real = ((pairs >> np.uint64(32)) != 0) & ((pairs & np.uint64(0xFFFFFFFF)) != 0)
    return pairs[real], counts[real].astype(np.int64)


def _labels_in(labels: npt.NDArray[np.uint32], where: tuple[slice, slice, slice]) -> npt.NDArray[np.uint32]:
    found: npt.NDArray[np.uint32] = fastremap.unique(np.ascontiguousarray(labels[where]))
    return found
