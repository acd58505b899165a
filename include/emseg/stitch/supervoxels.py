"""Supervoxels of one subvolume: voxels of each in the core, faces of the volume that it reaches, and who touches whom.

Two supervoxels that touch and were kept apart are evidence, too: the segmentation saw both and did not join them.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from emseg.array_types import Counts, Floats, Ids, Labels32
from emseg.codec.column_table import StoredTable
from emseg.geometry import Box
from emseg.geometry.supervoxel_ids import supervoxel_ids
from emseg.kernels.label_pairs import count_pairs, count_touching
from emseg.stitch.votes import VoxelSize

SUPERVOXEL_SCHEMA = pa.schema([("supervoxel", pa.uint64()), ("voxels", pa.int64()), ("faces", pa.uint8())])
_HALF, _LOW = np.uint64(32), np.uint64(0xFFFFFFFF)
CONTACT_SCHEMA = pa.schema([("first", pa.uint64()), ("second", pa.uint64()), ("area_nm2", pa.float64())])


@dataclass(frozen=True, eq=False)
class Supervoxels(StoredTable):
    """One row a supervoxel, ids ascending: voxels in its core, and a bit for each face of the volume that it reaches.

    Bits 0 to 5 are low Z, high Z, low Y, high Y, low X, high X.
    """

    SCHEMA: ClassVar[pa.Schema] = SUPERVOXEL_SCHEMA
    ORDER: ClassVar[tuple[str, ...]] = ("supervoxel",)

    supervoxel: Ids
    voxels: Counts
    faces: npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Contacts(StoredTable):
    """One row a pair of supervoxels of one subvolume that touch over `area_nm2` in its core; `first` < `second`."""

    SCHEMA: ClassVar[pa.Schema] = CONTACT_SCHEMA
    ORDER: ClassVar[tuple[str, ...]] = ("first", "second")

    first: Ids
    second: Ids
    area_nm2: Floats


def supervoxels_of(labels: Labels32, cell_number: int, core: Box, bounds: Box) -> Supervoxels:
    """Supervoxels of the local `labels` (uint32 ZYX, 0 = none) of the core of one cell in a volume of `bounds`."""
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
    return Supervoxels(supervoxel_ids(found[real].astype(np.uint32), cell_number), voxels[real], faces[real])


def contacts_of(labels: Labels32, cell_number: int, voxel_size_nm: VoxelSize) -> Contacts:
    """Which of the local `labels` (uint32 ZYX, 0 = none) of one core touch over voxel faces, and the area."""
    lows, highs, areas = [], [], []
    for axis in range(3):
        low, high, faces = count_touching(labels, axis)
        lows.append(low)
        highs.append(high)
        areas.append(faces * prod(size for other, size in enumerate(voxel_size_nm) if other != axis))
    pairs, row = np.unique((np.concatenate(lows) << _HALF) | np.concatenate(highs), return_inverse=True)
    area: Floats = np.bincount(row, weights=np.concatenate(areas), minlength=len(pairs)).astype(np.float64)
    low, high = (pairs >> _HALF).astype(np.uint32), (pairs & _LOW).astype(np.uint32)
    return Contacts(supervoxel_ids(low, cell_number), supervoxel_ids(high, cell_number), area)
