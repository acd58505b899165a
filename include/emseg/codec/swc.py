"""Skeletons as SWC: a text file of nodes, one a line, each with its parent.

Example: the lines `1 0 100 200 300 5 -1` and `2 0 100 200 340 5 1` (number, kind, x, y, z, radius, parent) are two
nodes and the edge between them, 40 units long. A file may hold several trees; kinds and radii are not kept.

Read here and not by a library: of those with wheels, osteoid 0.7.4 takes one blank between fields and no tab, and
navis 1.12 is under the GPL.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from emseg.array_types import Counts, Floats
from emseg.errors import PermanentError
from emseg.geometry import VoxelSize

_COLUMNS = (0, 2, 3, 4, 6)
"""Number, x, y, z and parent of a node."""
_ON_THE_BORDER = 1e-3
"""A node that lies so little before a voxel, in voxels, is in it: what programs write is rounded."""


@dataclass(frozen=True, eq=False)
class Skeleton:
    """Nodes, float64 (n, 3) nm ZYX, and edges, int64 (m, 2) rows of the nodes."""

    nodes_nm: Floats
    edges: Counts

    @property
    def lengths_nm(self) -> Floats:
        """Length of each edge."""
        ends = self.nodes_nm[self.edges]
        lengths: Floats = np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1)
        return lengths

    def voxels(self, voxel_size_nm: VoxelSize) -> Counts:
        """The voxel of each node, int64 (n, 3) ZYX. A node on the border of two voxels lies in the later one."""
        voxels: Counts = np.floor(self.nodes_nm / np.array(voxel_size_nm) + _ON_THE_BORDER).astype(np.int64)
        return voxels


def read_swc(content: bytes, unit_nm: VoxelSize, on: str) -> Skeleton:
    """The skeleton of an SWC file whose positions are multiples of `unit_nm` (ZYX); 1 nm or, for DVID's, a voxel.

    Fields are divided by blanks or tabs, `#` begins a comment, a negative parent is none. PermanentError, which names
    `on`, for what is no forest of finite positions.
    """
    rows = _rows(content, on)
    numbers, parents = rows[:, 0].astype(np.int64), rows[:, 4].astype(np.int64)
    order = np.argsort(numbers, kind="stable")
    ascending = numbers[order]
    if (ascending[1:] == ascending[:-1]).any():
        repeated = ascending[1:][ascending[1:] == ascending[:-1]][0]
        raise _refused(on, f"two nodes have number {repeated}", "Number each node once")
    child = np.flatnonzero(parents >= 0)
    at = np.searchsorted(ascending, parents[child])
    missing = at == len(order)
    missing[~missing] = ascending[at[~missing]] != parents[child][~missing]
    if missing.any():
        raise _refused(on, f"node {parents[child][missing][0]} is a parent, but no node", "Write all nodes")
    edges = np.column_stack((order[at], child))
    _check_forest(edges, len(rows), on)
    return Skeleton(rows[:, 3:0:-1] * np.array(unit_nm), edges)


def _rows(content: bytes, on: str) -> Floats:
    try:
        lines = [line for line in content.decode().splitlines() if line.split("#")[0].strip()]
        rows: Floats = np.loadtxt(lines, usecols=_COLUMNS, ndmin=2) if lines else np.empty((0, len(_COLUMNS)))
    except ValueError as error:  # also for bytes that are no text
        raise _refused(on, str(error), "Give SWC: number, kind, x, y, z, radius and parent in each line") from None
    numbers = rows[:, [0, 4]]
    if not (np.isfinite(rows).all() and (np.abs(numbers) < 1 << 53).all() and (numbers == np.floor(numbers)).all()):
        found = "a position is not finite, or a number of a node is not whole"
        raise _refused(on, found, "Give whole numbers for nodes and finite positions")
    return rows


def _check_forest(edges: Counts, nodes: int, on: str) -> None:
    graph = coo_array((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(nodes, nodes))
    trees, _ = connected_components(graph, directed=False)
    if trees != nodes - len(edges):
        raise _refused(on, "some nodes are each other's ancestors", "Give trees: no way from parent to parent returns")


def _refused(on: str, found: str, remedy: str) -> PermanentError:
    return PermanentError("reading a skeleton", on, found, remedy)
