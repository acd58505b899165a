"""Overlap votes: how many voxels a supervoxel shares with one of a neighbouring subvolume.

Both sides of an overlap computed the same voxels. Each pair of supervoxels that share a voxel there is one vote, with
the shared voxels, both sizes inside the overlap, the area over which the two touch where core meets core, and whether
each supervoxel reaches the true interface on its own side.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa

from emseg.array_types import Counts, Flags, Floats, Ids, Labels32
from emseg.codec.column_table import StoredTable
from emseg.errors import IntegrityError
from emseg.geometry import Overlap
from emseg.geometry.supervoxel_ids import supervoxel_ids
from emseg.kernels.label_pairs import count_pairs
from emseg.sorted_ids import find

VoxelSize = tuple[float, float, float]

VOTE_SCHEMA = pa.schema(
    [
        ("first", pa.uint64()),
        ("second", pa.uint64()),
        ("overlap_vox", pa.int64()),
        ("first_vox", pa.int64()),
        ("second_vox", pa.int64()),
        ("contact_nm2", pa.float64()),
        ("first_reaches", pa.bool_()),
        ("second_reaches", pa.bool_()),
    ]
)
_HALF = np.uint64(32)


@dataclass(frozen=True, eq=False)
class Votes(StoredTable):
    """One row a pair of supervoxels that share voxels; `first` is in the earlier cell.

    `overlap_vox` counts shared voxels, `first_vox` and `second_vox` all voxels of each supervoxel inside the overlap.
    `contact_nm2` is the area of the shared core face with `first` on one side and `second` on the other; 0 over edges
    and corners.
    """

    SCHEMA: ClassVar[pa.Schema] = VOTE_SCHEMA
    ORDER: ClassVar[tuple[str, ...]] = ("first", "second")

    first: Ids
    second: Ids
    overlap_vox: Counts
    first_vox: Counts
    second_vox: Counts
    contact_nm2: Floats
    first_reaches: Flags
    second_reaches: Flags

    @property
    def iou(self) -> Floats:
        """Shared voxels as a share of those that either has in the overlap: 50 of 100 and of 50 give 0.5."""
        either: Counts = np.maximum(self.first_vox + self.second_vox - self.overlap_vox, 1)
        return self.overlap_vox / either

    @property
    def agreement(self) -> Floats:
        """The smaller of the two shares that the overlap makes of each supervoxel: 50 of 100 and of 50 give 0.5."""
        larger: Counts = np.maximum(np.maximum(self.first_vox, self.second_vox), 1)
        return self.overlap_vox / larger


def count_votes(overlap: Overlap, first_labels: Labels32, second_labels: Labels32, voxel_size_nm: VoxelSize) -> Votes:
    """Votes of one overlap. Both arrays are local labels (0 = none) over `overlap.region`, uint32 ZYX."""
    shape = overlap.region.shape
    if first_labels.shape != shape or second_labels.shape != shape:
        raise IntegrityError(
            "counting overlap votes",
            f"{overlap.first.name} and {overlap.second.name}",
            f"slabs of shape {first_labels.shape} and {second_labels.shape}, overlap of shape {shape}",
            "Clear the task `segment`: the slabs were not made for this grid",
        )
    start, own = overlap.region.start, overlap.interface.clipped
    first_end, second_end = own(overlap.first.core).slices(start), own(overlap.second.core).slices(start)
    a, b, shared = count_pairs(first_labels, second_labels)
    first_vox, second_vox = _totals(a, shared), _totals(b, shared)
    real = (a != 0) & (b != 0)
    a, b, shared = a[real], b[real], shared[real]
    return Votes(
        first=supervoxel_ids(a.astype(np.uint32), overlap.first.number),
        second=supervoxel_ids(b.astype(np.uint32), overlap.second.number),
        overlap_vox=shared,
        first_vox=first_vox[a],
        second_vox=second_vox[b],
        contact_nm2=_contact(overlap, first_labels[first_end], second_labels[second_end], (a, b), voxel_size_nm),
        first_reaches=np.isin(a, first_labels[first_end]),
        second_reaches=np.isin(b, second_labels[second_end]),
    )


def _totals(labels: Ids, counts: Counts) -> Counts:
    """Voxels of each label, by label."""
    return np.bincount(labels.astype(np.int64), weights=counts).astype(np.int64)


def _contact(
    overlap: Overlap, first: Labels32, second: Labels32, pairs: tuple[Ids, Ids], voxel_size_nm: VoxelSize
) -> Floats:
    """Area of contact of each of the `pairs` (ascending); `first` and `second` are the layers at the interface."""
    across = [axis for axis in range(3) if overlap.first.cell[axis] != overlap.second.cell[axis]]
    if len(across) != 1:
        return np.zeros(len(pairs[0]), np.float64)
    a, b, faces = count_pairs(first, second)
    met, wanted = (a << _HALF) | b, (pairs[0] << _HALF) | pairs[1]
    row, is_met = find(wanted, met)
    area = float(np.prod([size for axis, size in enumerate(voxel_size_nm) if axis != across[0]]))
    contact: Floats = np.where(is_met, faces[row], 0) * area
    return contact
