"""Pieces of one subvolume: how large each is in the core, which faces of the volume it reaches, and who touches whom.

Two pieces that touch and were kept apart are evidence, too: whoever segmented both did not take them for one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import prod

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from emseg.geometry import Box
from emseg.label_pairs import count_pairs, count_touching
from emseg.stitch.supervoxels import supervoxel_ids
from emseg.stitch.votes import Counts, Floats, Ids, Labels, VoxelSize

PIECE_SCHEMA = pa.schema([("supervoxel", pa.uint64()), ("voxels", pa.int64()), ("faces", pa.uint8())])
_HALF, _LOW = np.uint64(32), np.uint64(0xFFFFFFFF)
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
    found, _, voxels = count_pairs(labels, labels)
    faces = np.zeros(len(found), np.uint8)
    for axis in range(3):
        layers = np.moveaxis(labels, axis, 0)
        for bit, layer, reached in (
            (2 * axis, layers[0], core.start[axis] == bounds.start[axis]),
            (2 * axis + 1, layers[-1], core.stop[axis] == bounds.stop[axis]),
        ):
            if reached:
                faces[np.isin(found, layer)] |= np.uint8(1 << bit)
    real = found > 0
    return Pieces(supervoxel_ids(found[real].astype(np.uint32), cell_number), voxels[real], faces[real])


def contacts_of(labels: Labels, cell_number: int, voxel_size_nm: VoxelSize) -> Contacts:
    """Which of the local `labels` (uint32 ZYX, 0 = none) of one core touch over voxel faces, and the area."""
    lows, highs, areas = [], [], []
    for axis in range(3):
        low, high, faces = count_touching(labels, axis)
        lows.append(low)
        highs.append(high)
        areas.append(faces * prod(size for other, size in enumerate(voxel_size_nm) if other != axis))
    pairs, place = np.unique((np.concatenate(lows) << _HALF) | np.concatenate(highs), return_inverse=True)
    area: Floats = np.bincount(place, weights=np.concatenate(areas), minlength=len(pairs)).astype(np.float64)
    low, high = (pairs >> _HALF).astype(np.uint32), (pairs & _LOW).astype(np.uint32)
    return Contacts(supervoxel_ids(low, cell_number), supervoxel_ids(high, cell_number), area)
