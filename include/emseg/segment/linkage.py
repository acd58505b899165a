"""Mean-linkage clustering of a weighted graph: the arithmetic that agglomerate steps share.

It can be cautious: then two large regions ask for more evidence than two small ones. A false join of two large regions
costs most, and waiting costs little: a later round judges the two again, by all of their contact and by their shapes.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from math import cbrt

import numpy as np
import numpy.typing as npt

_Queued = tuple[float, int, int, float, float]
"""What an edge counts, its clusters in order, its size, and its mean weight."""


@dataclass(frozen=True, eq=False)
class Caution:
    """A weight counts `d / small_nm` times where the smaller of its two clusters has a diameter d above `small_nm`.

    Worked example, small_nm = 150: a contact of mean 0.12 counts 0.12 between cubes of 150 nm and 900 nm, and 0.24
    between cubes of 300 nm and 900 nm, so at threshold 0.2 only the first two join. The diameter is the cube root of
    the volume; `volume_nm3` is float64 (nodes,), and the volume of a cluster is the sum over its nodes at the time of
    the join. That large components ask for more is the idea of Felzenszwalb and Huttenlocher, IJCV 2004.
    """

    volume_nm3: npt.NDArray[np.floating]
    small_nm: float


def mean_linkage(
    nodes: int,
    edges: npt.NDArray[np.integer],
    weight: npt.NDArray[np.floating],
    size: npt.NDArray[np.floating],
    threshold: float,
    caution: Caution | None = None,
) -> npt.NDArray[np.int64]:
    """Cluster of each node: the two clusters with the smallest mean weight between them join while it is < threshold.

    `edges` is (E, 2) with each pair once, `weight` the mean over its `size` samples; parallel edges that a join creates
    are averaged by size. Equal weights are taken in the order of node numbers. With `caution`, a mean weight is taken
    for what it counts.
    Returns int64 (nodes,): the smallest node of each node's cluster. Worked example: edges 0-1 (.1), 1-2 (.5) and
    0-2 (.9), all of size 1: 0 and 1 join; the edge to 2 becomes .7, so at threshold .6 the clusters are 0, 0, 2.

    A later join can have a smaller weight than an earlier one; joining stops when no weight is below the threshold.
    """
    clusters = _Clusters(nodes, caution)
    heap: list[_Queued] = []
    for (a, b), mean, faces in zip(edges.tolist(), weight.tolist(), size.tolist(), strict=True):
        clusters.neighbours[a][b] = clusters.neighbours[b][a] = (mean * faces, faces)
        heap.append(clusters.queued(mean, faces, a, b))
    heapq.heapify(heap)
    parent = np.arange(nodes)
    while heap and heap[0][0] < threshold:
        counted, a, b, faces, mean = heapq.heappop(heap)
        current = clusters.neighbours[a].get(b)
        if current is None or current[1] != faces:
            continue  # one of the two has been absorbed, or the edge has grown since it was queued
        if (now := clusters.queued(mean, faces, a, b))[0] > counted:
            heapq.heappush(heap, now)  # the two have grown since, and ask for more
            continue
        if len(clusters.neighbours[a]) < len(clusters.neighbours[b]):
            a, b = b, a  # moving the shorter list keeps the whole clustering near E log E
        parent[b] = a
        for other, total, faces in clusters.absorb(a, b):
            heapq.heappush(heap, clusters.queued(total / faces, faces, a, other))
    return _smallest_members(parent)


class _Clusters:
    """Edges of each cluster, as sums of weights and of sizes, and its volume in units of the volume that is small."""

    def __init__(self, nodes: int, caution: Caution | None) -> None:
        self.neighbours: list[dict[int, tuple[float, float]]] = [{} for _ in range(nodes)]
        self._volume: list[float] | None = None
        if caution is not None:
            self._volume = (caution.volume_nm3 / caution.small_nm**3).tolist()

    def queued(self, mean: float, faces: float, a: int, b: int) -> _Queued:
        """An edge with what its mean weight counts now: more, once the smaller of its clusters has grown."""
        counted = mean
        if self._volume is not None:
            counted *= max(1.0, cbrt(min(self._volume[a], self._volume[b])))
        return counted, min(a, b), max(a, b), faces, mean

    def absorb(self, a: int, b: int) -> list[tuple[int, float, float]]:
        """Move all edges of b to a, and its volume; each edge of a that is new or has changed: to whom, sum, size."""
        moved = self.neighbours[b]
        self.neighbours[b] = {}
        del self.neighbours[a][b], moved[a]
        changed = []
        for other, (total, faces) in moved.items():
            del self.neighbours[other][b]
            old_total, old_faces = self.neighbours[a].get(other, (0.0, 0.0))
            merged = (old_total + total, old_faces + faces)
            self.neighbours[a][other] = self.neighbours[other][a] = merged
            changed.append((other, *merged))
        if self._volume is not None:
            self._volume[a] += self._volume[b]
        return changed


def _smallest_members(parent: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Smallest node of each node's tree; each round of the loop halves the remaining depth."""
    root = parent
    while not np.array_equal(grand := root[root], root):
        root = grand
    smallest = np.arange(len(root))
    np.minimum.at(smallest, root, np.arange(len(root)))
    return smallest[root]
