"""All skeletons of a ground truth, and the segments at those of their nodes that lie in the evaluated region.

Subvolumes look up the nodes that they hold, so their tables add up. An edge counts if both of its nodes do: skeletons
are cut at the region. The parts of one skeleton stay one skeleton, because a segment that holds two of them is right.

Example: a skeleton has 5 nodes, 10 nm apart, and the last two lie outside of the ROI. Its length is 20 nm.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
import pyarrow as pa

from emseg.array_types import Counts, Flags, Ids
from emseg.codec.column_table import StoredTable
from emseg.codec.swc import Skeleton
from emseg.evaluate.skeletons import SkeletonScore, score_skeletons
from emseg.geometry import Box, VoxelSize


@dataclass(frozen=True, eq=False)
class SkeletonNodes(StoredTable):
    """One row a node that counts: its number in the `SkeletonSet`, and the segment there (0: none)."""

    SCHEMA: ClassVar[pa.Schema] = pa.schema(
        [pa.field("node", pa.int64(), nullable=False), pa.field("segment", pa.uint64(), nullable=False)]
    )
    ORDER: ClassVar[tuple[str, ...]] = ("node",)

    node: Counts
    segment: Ids


def in_box(points: Counts, box: Box) -> Flags:
    """Which of (n, 3) voxels ZYX lie in a box."""
    inside: Flags = np.all((points >= np.array(box.start)) & (points < np.array(box.stop)), axis=1)
    return inside


@dataclass(frozen=True, eq=False)
class SkeletonSet:
    """Skeletons by name; their nodes are numbered one skeleton after the other.

    Memory: 64 bytes a node, and 130 more while they are scored.
    """

    skeletons: Mapping[str, Skeleton]
    voxel_size_nm: VoxelSize

    @cached_property
    def voxels(self) -> Counts:
        """The voxel of each node, int64 (n, 3) ZYX."""
        found = [each.voxels(self.voxel_size_nm) for each in self.skeletons.values()]
        return np.concatenate([np.empty((0, 3), np.int64), *found])

    def nodes_in(self, box: Box) -> Counts:
        """Numbers of the nodes in a box, ascending."""
        return np.flatnonzero(in_box(self.voxels, box))

    def score(self, found: SkeletonNodes) -> SkeletonScore:
        """Score the nodes of a table. PermanentError where no edge has both of its nodes in it."""
        segment, counts = np.zeros(len(self.voxels), np.uint64), np.zeros(len(self.voxels), bool)
        segment[found.node], counts[found.node] = found.segment, True
        cut, segments, first = [], [], 0
        for each in self.skeletons.values():
            nodes = slice(first, first := first + len(each.nodes_nm))
            inside = counts[nodes]
            if inside.any():
                cut.append(Skeleton(each.nodes_nm, each.edges[inside[each.edges].all(axis=1)]))
                segments.append(segment[nodes])
        return score_skeletons(cut, segments)
