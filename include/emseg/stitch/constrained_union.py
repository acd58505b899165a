"""The compiled pass that joins candidates one by one, under constraints: a union-find that keeps pairs apart.

Nodes are supervoxels, or bodies that were joined before, by index. A body is a tree of them; its root keeps the sums of
the body (voxels, faces, weak joins) and a linked list of the pairs that have one side in it and must stay apart.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from emseg.kernels.compiled import compiled

MUST_LINK, STRONG, CONTESTED, WEAK = range(4)
"""Kinds of edges. Nothing speaks against the first two. A contested one is strong evidence that people may forbid."""
JOINED, ALREADY, KEPT_APART, FORBIDDEN, LARGE, FACES, ENTRIES, UNDECIDED = range(8)
"""Outcomes: joined, one body already, refused for a pair (of a subvolume, of people), parked, or not to be told yet."""


@compiled
def join(edges, kinds, apart, is_said, sums, limits):  # type: ignore[no-untyped-def]
    """Outcome of each edge, the pair of `apart` that refused it (or -1), the root of each node, and which are open.

    Edges come in their order. A side of -1 is outside of what is known: such an edge is undecided, its other side is
    open, and so is each body of an undecided edge. An edge of a kind that may be refused is decided only where no side
    is open, so that all edges before it are decided that touch either body. `sums` are voxels, faces and weak joins of
    each node; they are changed to those of the bodies, at their roots. `limits` are those of the three guards.
    """
    parent, is_open = np.arange(len(sums[0])), np.zeros(len(sums[0]), np.bool_)
    lists = _lists(apart, len(parent))
    outcome, against = np.zeros(len(edges), np.int8), np.full(len(edges), -1, np.int64)
    for i, (a, b) in enumerate(edges):
        if kinds[i] <= STRONG and a >= 0 and b >= 0:
            _merge(_root(parent, a), _root(parent, b), 0, parent, sums, lists)
    for i, (a, b) in enumerate(edges):
        if kinds[i] > STRONG:
            outcome[i], against[i] = _decided((a, b), kinds[i], (apart, is_said, lists), parent, is_open, sums, limits)
        elif a < 0 or b < 0:
            outcome[i] = _left((a, b), parent, is_open)
    root = np.empty(len(parent), np.int64)
    for node in range(len(parent)):
        root[node] = _root(parent, node)
    return outcome, against, root, is_open


@njit(nogil=True)
def _decided(edge, kind, pairs, parent, is_open, sums, limits):  # type: ignore[no-untyped-def]
    apart, is_said, lists = pairs
    if edge[0] < 0 or edge[1] < 0:
        return _left(edge, parent, is_open), -1
    a, b = _root(parent, edge[0]), _root(parent, edge[1])
    if a == b:
        return ALREADY, -1
    if is_open[a] or is_open[b]:
        return _left(edge, parent, is_open), -1
    pair = _conflict(parent, (a, b), apart, is_said, lists, kind == WEAK)
    if pair >= 0:
        return FORBIDDEN if is_said[pair] else KEPT_APART, pair
    outcome = _guarded(a, b, sums, limits) if kind == WEAK else JOINED
    if outcome == JOINED:
        _merge(a, b, int(kind == WEAK), parent, sums, lists)
    return outcome, -1


@njit(nogil=True)
def _left(edge, parent, is_open):  # type: ignore[no-untyped-def]
    for side in edge:
        if side >= 0:
            is_open[_root(parent, side)] = True
    return UNDECIDED


@njit(nogil=True)
def _root(parent, node):  # type: ignore[no-untyped-def]
    while parent[node] != node:
        parent[node] = parent[parent[node]]
        node = parent[node]
    return node


@njit(nogil=True)
def _lists(apart, nodes):  # type: ignore[no-untyped-def]
    """For each node a linked list of the halves of the pairs that it is in: half `2 p + s` is side s of pair p."""
    head, tail, length = np.full(nodes, -1, np.int64), np.full(nodes, -1, np.int64), np.zeros(nodes, np.int64)
    after = np.full(2 * len(apart), -1, np.int64)
    for half in range(2 * len(apart)):
        node = apart[half // 2, half % 2]
        if node < 0 or apart[half // 2, 1 - half % 2] < 0:
            continue
        if tail[node] < 0:
            head[node] = half
        else:
            after[tail[node]] = half
        tail[node] = half
        length[node] += 1
    return head, tail, length, after


@njit(nogil=True)
def _merge(a, b, weak_joins, parent, sums, lists):  # type: ignore[no-untyped-def]
    """Make one body of the roots `a` and `b`: sizes add up, lists are put one behind the other."""
    voxels, faces, joins = sums
    head, tail, length, after = lists
    if a == b:
        return
    if length[a] < length[b]:
        a, b = b, a
    parent[b] = a
    voxels[a] += voxels[b]
    faces[a] |= faces[b]
    joins[a] += joins[b] + weak_joins
    if head[b] >= 0:
        after[tail[a]] = head[b]
        tail[a] = tail[b]
        length[a] += length[b]


@njit(nogil=True)
def _conflict(parent, bodies, apart, is_said, lists, weak):  # type: ignore[no-untyped-def]
    """The first pair that binds the edge and has one side in each of two bodies, or -1.

    It walks the shorter of the two lists.
    """
    a, b = bodies
    head, _, length, after = lists
    if length[a] > length[b]:
        a, b = b, a
    found = -1
    half = head[a]
    while half >= 0:
        pair = half // 2
        binds = weak or is_said[pair]
        if binds and _root(parent, apart[pair, 1 - half % 2]) == b and (found < 0 or pair < found):
            found = pair
        half = after[half]
    return found


@njit(nogil=True)
def _guarded(a, b, sums, limits):  # type: ignore[no-untyped-def]
    voxels, faces, joins = sums
    together = _bits(faces[a] | faces[b])
    if min(voxels[a], voxels[b]) * limits[3] > limits[0]:
        return LARGE
    if together > limits[1] and together > max(_bits(faces[a]), _bits(faces[b])):
        return FACES
    if joins[a] + joins[b] + 1 > limits[2]:
        return ENTRIES
    return JOINED


@njit(nogil=True)
def _bits(flags):  # type: ignore[no-untyped-def]
    count = 0
    for bit in range(6):
        count += (flags >> bit) & 1
    return count
