"""Who goes on across a plane: at the seams between cores, and in the middle of each core, where nothing was cut.

Stitching is good where a body ends at a seam as rarely as at any other plane. Example: of 100 sides of bodies that
meet a seam, 12 end there; of 100 that meet a plane inside, 5 do. So 7 % end because of the cut.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from emseg.array_types import Ids, Labels32
from emseg.codec.column_table import StoredTable
from emseg.geometry import Overlap
from emseg.geometry.supervoxel_ids import supervoxel_ids
from emseg.kernels.label_pairs import count_pairs

INSIDE = 3
"""Planes 0 to 2 are the seams across Z, Y and X; this and the next two are the planes inside."""
CROSSING_SCHEMA = pa.schema([("plane", pa.uint8()), ("first", pa.uint64()), ("second", pa.uint64())])


@dataclass(frozen=True, eq=False)
class Crossings(StoredTable):
    """One row a pair of supervoxels that lie face to face on the two sides of a plane of one subvolume.

    A voxel of no supervoxel is in no pair: what meets nothing does not end because of the plane.
    """

    SCHEMA: ClassVar[pa.Schema] = CROSSING_SCHEMA
    ORDER: ClassVar[tuple[str, ...]] = ("plane", "first", "second")

    plane: npt.NDArray[np.uint8]
    first: Ids
    second: Ids


@dataclass(frozen=True)
class Ends:
    """Sides of bodies that meet a plane, and those of them that have no voxel of the body on the other side."""

    met: int = 0
    ended: int = 0

    def __add__(self, other: Ends) -> Ends:
        return Ends(self.met + other.met, self.ended + other.ended)


def seam_crossings(overlap: Overlap, first_labels: Labels32, second_labels: Labels32) -> Crossings:
    """Pairs at the seam of an overlap; none where the cores share no face.

    Both arrays are local labels (0 = none) over `overlap.region`, uint32 ZYX.
    """
    across = [axis for axis in range(3) if overlap.first.cell[axis] != overlap.second.cell[axis]]
    if len(across) != 1 or overlap.region.is_empty:
        return Crossings.none()
    start, own = overlap.region.start, overlap.interface.clipped
    first = first_labels[own(overlap.first.core).slices(start)]
    second = second_labels[own(overlap.second.core).slices(start)]
    return _pairs(across[0], first, overlap.first.number, second, overlap.second.number)


def inside_crossings(labels: Labels32, cell_number: int) -> Crossings:
    """Pairs at the three planes through the middle of a core: local labels (0 = none), uint32 ZYX."""
    found = []
    for axis in range(3):
        layers, middle = np.moveaxis(labels, axis, 0), labels.shape[axis] // 2
        if middle:
            low, high = (np.ascontiguousarray(layers[at]) for at in (middle - 1, middle))
            found.append(_pairs(INSIDE + axis, low, cell_number, high, cell_number))
    return Crossings.joined(found)


def ends_at(crossings: Crossings, body_of: Callable[[Ids], Ids]) -> tuple[Ends, Ends]:
    """Ends of bodies at the seams and at the planes inside of one subvolume."""
    first, second = body_of(crossings.first), body_of(crossings.second)
    seams, inside = Ends(), Ends()
    for plane in np.unique(crossings.plane):
        here = crossings.plane == plane
        ends = _ends(first[here], second[here])
        seams, inside = (seams + ends, inside) if plane < INSIDE else (seams, inside + ends)
    return seams, inside


def _ends(first: Ids, second: Ids) -> Ends:
    going_on = len(np.unique(first[first == second]))
    met = len(np.unique(first)) + len(np.unique(second))
    return Ends(met, met - 2 * going_on)


def _pairs(plane: int, first: Labels32, first_cell: int, second: Labels32, second_cell: int) -> Crossings:
    low, high, _ = count_pairs(first, second)
    real = (low != 0) & (high != 0)
    low, high = low[real].astype(np.uint32), high[real].astype(np.uint32)
    planes = np.full(len(low), plane, np.uint8)
    return Crossings(planes, supervoxel_ids(low, first_cell), supervoxel_ids(high, second_cell))
