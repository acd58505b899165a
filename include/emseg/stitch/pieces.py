"""Pieces of one subvolume: how large each is in the core, which faces of the volume it reaches, and who touches whom.

Two pieces that touch and were kept apart are evidence, too: whoever segmented both did not take them for one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from numba import njit

from emseg.geometry import Box
from emseg.stitch.supervoxels import supervoxel_ids
from emseg.stitch.votes import Counts, Floats, Ids, Labels, VoxelSize

PIECE_SCHEMA = pa.schema([("supervoxel", pa.uint64()), ("voxels", pa.int64()), ("faces", pa.uint8())])
CONTACT_SCHEMA = pa.schema([("first", pa.uint64()), ("second", pa.uint64()), ("area_nm2", pa.float64())])


@dataclass(frozen=True, eq=False)
class Pieces:
    """One row a supervoxel, ids ascending: voxels in its core, and a bit for each face of the volume that it reaches.

    Bits 0 to 5 are low Z, high Z, low Y, high Y, low X, high X.
    """

    supervoxel: Ids
    voxels: Counts
    faces: npt.NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.supervoxel)

    @classmethod
    def joined(cls, parts: Iterable[Pieces]) -> Pieces:
        """All rows of tables of different subvolumes."""
        return cls.from_arrow(pa.concat_tables([PIECE_SCHEMA.empty_table(), *(part.to_arrow() for part in parts)]))

    def to_arrow(self) -> pa.Table:
        """Table of `PIECE_SCHEMA`."""
        return pa.table([self.supervoxel, self.voxels, self.faces], schema=PIECE_SCHEMA)

    @classmethod
    def from_arrow(cls, table: pa.Table) -> Pieces:
        """Pieces of a table of `PIECE_SCHEMA`, in any order."""
        columns = [table[name].to_numpy() for name in PIECE_SCHEMA.names]
        order = np.argsort(columns[0], kind="stable")
        return cls(*(column[order] for column in columns))


@dataclass(frozen=True, eq=False)
class Contacts:
    """One row a pair of pieces of one subvolume that touch over `area_nm2` in its core; `first` < `second`."""

    first: Ids
    second: Ids
    area_nm2: Floats

    def __len__(self) -> int:
        return len(self.first)

    @classmethod
    def none(cls) -> Contacts:
        """Nothing touches."""
        return cls.from_arrow(CONTACT_SCHEMA.empty_table())

    @classmethod
    def joined(cls, parts: Iterable[Contacts]) -> Contacts:
        """All rows of tables of different subvolumes, in one order whatever the order of the parts."""
        table = pa.concat_tables([CONTACT_SCHEMA.empty_table(), *(part.to_arrow() for part in parts)])
        columns = [table[name].to_numpy() for name in CONTACT_SCHEMA.names]
        order = np.lexsort((columns[1], columns[0]))
        return cls(*(column[order] for column in columns))

    def to_arrow(self) -> pa.Table:
        """Table of `CONTACT_SCHEMA`."""
        return pa.table([self.first, self.second, self.area_nm2], schema=CONTACT_SCHEMA)

    @classmethod
    def from_arrow(cls, table: pa.Table) -> Contacts:
        """Contacts of a table of `CONTACT_SCHEMA`."""
        return cls(*(table[name].to_numpy() for name in CONTACT_SCHEMA.names))


def pieces_of(labels: Labels, cell_number: int, core: Box, bounds: Box) -> Pieces:
    """Pieces of the local `labels` (uint32 ZYX, 0 = none) of the core of one cell in a volume of `bounds`."""
    flat = np.ascontiguousarray(labels).ravel()
    sizes = _sizes(flat, int(flat.max(initial=0)) + 1)
    faces = np.zeros(len(sizes), np.uint8)
    for axis in range(3):
        layers = np.moveaxis(labels, axis, 0)
        for bit, layer, reached in (
            (2 * axis, layers[0], core.start[axis] == bounds.start[axis]),
            (2 * axis + 1, layers[-1], core.stop[axis] == bounds.stop[axis]),
        ):
            if reached:
                faces[np.unique(layer)] |= np.uint8(1 << bit)
    found = np.flatnonzero(sizes[1:]) + 1
    return Pieces(supervoxel_ids(found.astype(np.uint32), cell_number), sizes[found], faces[found])


def contacts_of(labels: Labels, cell_number: int, voxel_size_nm: VoxelSize) -> Contacts:
    """Which of the local `labels` (uint32 ZYX, 0 = none) of one core touch over voxel faces, and the area."""
    dz, dy, dx = voxel_size_nm
    keys, areas = _touching(np.ascontiguousarray(labels), np.array([dy * dx, dz * dx, dz * dy]))
    pairs, place = np.unique(keys, return_inverse=True)
    area = np.bincount(place, weights=areas, minlength=len(pairs))
    low, high = (pairs >> np.uint64(32)).astype(np.uint32), (pairs & np.uint64(0xFFFFFFFF)).astype(np.uint32)
    return Contacts(supervoxel_ids(low, cell_number), supervoxel_ids(high, cell_number), area.astype(np.float64))


@njit(cache=True, nogil=True)
def _sizes(labels, count):  # type: ignore[no-untyped-def]
    """Voxels of each label, by runs: half the time of `numpy.bincount`, which converts every voxel."""
    sizes = np.zeros(count, np.int64)
    start = 0
    while start < labels.size:
        label, stop = labels[start], start + 1
        while stop < labels.size and labels[stop] == label:
            stop += 1
        sizes[label] += stop - start
        start = stop
    return sizes


@njit(cache=True, nogil=True)
def _touching(labels, face_nm2):  # type: ignore[no-untyped-def]
    """Runs of equal pairs of labels on both sides of voxel faces, `low << 32 | high`, with the area of each run."""
    capacity = 1024
    keys, areas = np.empty(capacity, np.uint64), np.empty(capacity, np.float64)
    count = 0
    nz, ny, nx = labels.shape
    for axis in range(3):
        sz, sy, sx = int(axis == 0), int(axis == 1), int(axis == 2)
        previous = np.uint64(0)
        for z in range(nz - sz):
            for y in range(ny - sy):
                for x in range(nx - sx):
                    a, b = labels[z, y, x], labels[z + sz, y + sy, x + sx]
                    if a == b or min(a, b) == 0:
                        continue
                    key = (np.uint64(min(a, b)) << np.uint64(32)) | np.uint64(max(a, b))
                    if count and key == previous:
                        areas[count - 1] += face_nm2[axis]
                        continue
                    if count == capacity:
                        keys = np.concatenate((keys, np.empty(capacity, np.uint64)))
                        areas = np.concatenate((areas, np.empty(capacity, np.float64)))
                        capacity *= 2
                    keys[count], areas[count], previous = key, face_nm2[axis], key
                    count += 1
    return keys[:count].copy(), areas[:count].copy()
