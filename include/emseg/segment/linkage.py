"""Mean-linkage clustering of a weighted graph: the arithmetic that agglomerate steps share."""

from __future__ import annotations

import heapq

import numpy as np
import numpy.typing as npt

_Neighbours = list[dict[int, tuple[float, float]]]


def mean_linkage(
    nodes: int,
    edges: npt.NDArray[np.integer],
    weight: npt.NDArray[np.floating],
    size: npt.NDArray[np.floating],
    threshold: float,
) -> npt.NDArray[np.int64]:
    """Cluster of each node: the two clusters with the smallest mean weight between them join while it is < threshold.

    `edges` is (E, 2) with each pair once, `weight` the mean over its `size` samples; parallel edges that a join creates
    are averaged by size. Equal weights are taken in the order of node numbers.
    Returns int64 (nodes,): the smallest node of each node's cluster. Worked example: edges 0-1 (.1), 1-2 (.5) and
    0-2 (.9), all of size 1: 0 and 1 join; the edge to 2 becomes .7, so at threshold .6 the clusters are 0, 0, 2.

    A later join can have a smaller weight than an earlier one; joining stops when no weight is below the threshold.
    """
    neighbours: _Neighbours = [{} for _ in range(nodes)]
    heap: list[tuple[float, int, int, float]] = []
    for (a, b), mean, faces in zip(edges.tolist(), weight.tolist(), size.tolist(), strict=True):
        neighbours[a][b] = neighbours[b][a] = (mean * faces, faces)
        heap.append((mean, min(a, b), max(a, b), faces))
    heapq.heapify(heap)
    parent = np.arange(nodes)
    while heap and heap[0][0] < threshold:
        _, a, b, faces = heapq.heappop(heap)
        current = neighbours[a].get(b)
        if current is None or current[1] != faces:
            continue  # one of the two has been absorbed, or the edge has grown since it was queued
        if len(neighbours[a]) < len(neighbours[b]):
            a, b = b, a  # moving the shorter list keeps the whole clustering near E log E
        parent[b] = a
        _absorb(neighbours, heap, a, b)
    return _smallest_members(parent)


def _absorb(neighbours: _Neighbours, heap: list[tuple[float, int, int, float]], a: int, b: int) -> None:
    """Move all edges of b to a and queue them with their new means."""
    del neighbours[a][b], neighbours[b][a]
    for other, (total, faces) in neighbours[b].items():
        del neighbours[other][b]
        old_total, old_faces = neighbours[a].get(other, (0.0, 0.0))
        merged = (old_total + total, old_faces + faces)
        neighbours[a][other] = neighbours[other][a] = merged
        heapq.heappush(heap, (merged[0] / merged[1], min(a, other), max(a, other), merged[1]))
    neighbours[b] = {}


def _smallest_members(parent: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Smallest node of each node's tree; each round of the loop halves the remaining depth."""
    root = parent
    while not np.array_equal(grand := root[root], root):
        root = grand
    smallest = np.arange(len(root))
    np.minimum.at(smallest, root, np.arange(len(root)))
    return smallest[root]
