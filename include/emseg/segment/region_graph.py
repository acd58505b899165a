"""The graph of touching supervoxels: sums over every contact, counted once and added up when supervoxels join.

All of it is counts and sums. So the graph after a round of joining is made from the graph before it, and no voxel is
read again. `contact_features.py` turns the sums into the features of a contact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

from emseg.errors import PermanentError
from emseg.geometry import VoxelSize
from emseg.kernels.compiled import compiled
from emseg.segment.protocol import Labels

Channel = npt.NDArray[np.uint8]
Sums = npt.NDArray[np.float64]

BINS = 64
"""Bins of a channel's histogram over one contact: four of the 256 levels each."""
QUANTILES = (0.0, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)


@dataclass(frozen=True, eq=False)
class RegionGraph:
    """Contacts of `nodes` regions (0 is no region). `edges` is (E, 2) int64, each pair once, ascending, first < second.

    Of contacts: `faces` (E, 3) counts voxel faces across each axis, `histograms` (E, channels, BINS) the larger level
    of the two voxels at each face, `contact_places` (E, 10) the sums 1, z, y, x, zz, yy, xx, zy, zx, yx in nm. Of
    nodes: `node_sums` (N, 2 channels) levels and their squares, `node_places` (N, 10).
    """

    channels: tuple[str, ...]
    face_nm2: tuple[float, float, float]
    voxel_nm3: float
    edges: npt.NDArray[np.int64]
    faces: Sums
    histograms: Sums
    contact_places: Sums
    node_sums: Sums
    node_places: Sums

    @property
    def nodes(self) -> int:
        """Regions, 0 included."""
        return len(self.node_sums)

    @property
    def contact_nm2(self) -> Sums:
        """Area of each contact."""
        area: Sums = self.faces @ np.array(self.face_nm2)
        return area

    @property
    def volume_nm3(self) -> Sums:
        """Volume of each node."""
        return self.node_places[:, 0] * self.voxel_nm3

    def joined(self, region_of: npt.NDArray[np.integer]) -> RegionGraph:
        """The graph after joining: node i becomes part of `region_of[i]`; contacts inside a region are gone."""
        pairs = np.sort(np.asarray(region_of, np.int64)[self.edges], axis=1)
        outer = pairs[:, 0] != pairs[:, 1]
        keys, row = np.unique(pairs[outer, 0] * self.nodes + pairs[outer, 1], return_inverse=True)
        return RegionGraph(
            channels=self.channels,
            face_nm2=self.face_nm2,
            voxel_nm3=self.voxel_nm3,
            edges=np.stack([keys // self.nodes, keys % self.nodes], axis=1),
            faces=_added(self.faces[outer], row, len(keys)),
            histograms=_added(self.histograms[outer], row, len(keys)),
            contact_places=_added(self.contact_places[outer], row, len(keys)),
            node_sums=_added(self.node_sums, region_of, self.nodes),
            node_places=_added(self.node_places, region_of, self.nodes),
        )


def region_graph(labels: Labels, channels: Sequence[tuple[str, Channel]], voxel_size_nm: VoxelSize) -> RegionGraph:
    """The graph of `labels` (uint32 ZYX, 0: none), with named uint8 `channels` of the same shape.

    Worked example: labels `1 1 2` along X at 10 nm have one contact of one face, 100 nm^2.
    """
    for name, channel in channels:
        if channel.shape != labels.shape or channel.dtype != np.uint8:
            raise PermanentError(
                "building the region graph",
                f"channel {name}",
                f"{channel.dtype} {channel.shape} beside labels {labels.shape}",
                "Give uint8 volumes of the labels' shape",
            )
    z, y, x = voxel_size_nm
    stack = np.stack([np.ascontiguousarray(channel) for _, channel in channels])
    count = int(labels.max(initial=0)) + 1
    keys, faces, histograms, places, node_sums, node_places = _scan(
        np.ascontiguousarray(labels), stack, np.array(voxel_size_nm, np.float64), count
    )
    order = np.argsort(keys)
    keys = keys[order]
    return RegionGraph(
        channels=tuple(name for name, _ in channels),
        face_nm2=(y * x, z * x, z * y),
        voxel_nm3=z * y * x,
        edges=np.stack([keys // count, keys % count], axis=1),
        faces=faces[order],
        histograms=histograms[order].astype(np.float64),
        contact_places=places[order],
        node_sums=node_sums,
        node_places=node_places,
    )


def _added(sums: Sums, row: npt.NDArray[np.integer], count: int) -> Sums:
    """Rows of `sums` added up: row i counts for row `row[i]` of the `count` rows of the result."""
    out = np.zeros((count, *sums.shape[1:]))
    np.add.at(out, row, sums)
    return out


@compiled
def _scan(labels, stack, size, nodes):  # type: ignore[no-untyped-def]  # noqa: C901 - one hot loop
    """One pass over the voxels. Contacts are found by an open-addressed table that doubles when half full."""
    channels = len(stack)
    capacity, used = 1 << 12, 0
    table = np.full(capacity, -1, np.int64)
    keys = np.empty(capacity, np.int64)
    faces = np.zeros((capacity, 3))
    histograms = np.zeros((capacity, channels, BINS), np.uint32)
    places = np.zeros((capacity, 10))
    node_sums = np.zeros((nodes, 2 * channels))
    node_places = np.zeros((nodes, 10))
    shape = labels.shape
    for z in range(shape[0]):
        for y in range(shape[1]):
            for x in range(shape[2]):
                a = labels[z, y, x]
                if a == 0:
                    continue
                _add_place(node_places[a], z * size[0], y * size[1], x * size[2])
                for c in range(channels):
                    level = float(stack[c, z, y, x])
                    node_sums[a, 2 * c] += level
                    node_sums[a, 2 * c + 1] += level * level
                for axis in range(3):
                    nz, ny, nx = z + (axis == 0), y + (axis == 1), x + (axis == 2)
                    if nz == shape[0] or ny == shape[1] or nx == shape[2]:
                        continue
                    b = labels[nz, ny, nx]
                    if b == 0 or b == a:  # noqa: PLR1714 - compiled
                        continue
                    key = np.int64(min(a, b)) * nodes + np.int64(max(a, b))
                    slot = _slot(table, keys, key)
                    edge = table[slot]
                    if edge < 0:
                        if 2 * (used + 1) > capacity:
                            capacity *= 2
                            table = _rehashed(keys[:used], capacity)
                            keys, faces, places = (
                                _grown(keys, capacity),
                                _grown2(faces, capacity),
                                _grown2(places, capacity),
                            )
                            histograms = _grown3(histograms, capacity)
                            slot = _slot(table, keys, key)
                        edge = used
                        table[slot], keys[edge] = edge, key
                        used += 1
                    faces[edge, axis] += 1
                    half = 0.5
                    _add_place(
                        places[edge],
                        (z + half * (axis == 0)) * size[0],
                        (y + half * (axis == 1)) * size[1],
                        (x + half * (axis == 2)) * size[2],
                    )
                    for c in range(channels):
                        level = max(stack[c, z, y, x], stack[c, nz, ny, nx])
                        histograms[edge, c, level * BINS // 256] += 1
    return keys[:used], faces[:used], histograms[:used], places[:used], node_sums, node_places


@njit(nogil=True)
def _add_place(sums, z, y, x):  # type: ignore[no-untyped-def]
    sums[0] += 1
    sums[1] += z
    sums[2] += y
    sums[3] += x
    sums[4] += z * z
    sums[5] += y * y
    sums[6] += x * x
    sums[7] += z * y
    sums[8] += z * x
    sums[9] += y * x


@njit(nogil=True)
def _slot(table, keys, key):  # type: ignore[no-untyped-def]
    """Where `key` is in the table, or where it would go."""
    last = len(table) - 1
    slot = ((key * np.int64(0x9E3779B97F4A7C1)) >> np.int64(20)) & last
    while table[slot] >= 0 and keys[table[slot]] != key:
        slot = (slot + 1) & last
    return slot


@njit(nogil=True)
def _rehashed(keys, capacity):  # type: ignore[no-untyped-def]
    table = np.full(capacity, -1, np.int64)
    for edge in range(len(keys)):
        table[_slot(table, keys, keys[edge])] = edge
    return table


@njit(nogil=True)
def _grown(rows, capacity):  # type: ignore[no-untyped-def]
    out = np.zeros(capacity, rows.dtype)
    out[: len(rows)] = rows
    return out


@njit(nogil=True)
def _grown2(rows, capacity):  # type: ignore[no-untyped-def]
    out = np.zeros((capacity, rows.shape[1]), rows.dtype)
    out[: len(rows)] = rows
    return out


@njit(nogil=True)
def _grown3(rows, capacity):  # type: ignore[no-untyped-def]
    out = np.zeros((capacity, rows.shape[1], rows.shape[2]), rows.dtype)
    out[: len(rows)] = rows
    return out
