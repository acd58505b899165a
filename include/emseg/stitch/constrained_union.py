"""The compiled pass that joins candidates one by one, under constraints: a union-find that keeps pairs apart.

Nodes are supervoxels by index. A body is a tree of them; its root keeps the sums of the body (volume, faces, weak
joins) and a linked list of the pairs that have one side in it and must stay apart.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from emseg.kernels.compiled import compiled

JOINED, ALREADY, KEPT_APART, FORBIDDEN, LARGE, FACES, ENTRIES = range(7)
"""Outcomes of a candidate: joined, one body already, refused for a pair (of a subvolume, of people), or parked."""


@compiled
def join(must_link, edges, weak, apart, is_said, sizes, limits):  # type: ignore[no-untyped-def]
    """Outcome of each edge, the pair of `apart` that refused it (or -1), and the component of each node.

    A strong edge is bound only by the pairs that people said. `sizes` are um3 and faces of each node; `limits` those of
    the three guards.
    """
    um3, faces = sizes[0].copy(), sizes[1].copy()
    parent, joins = np.arange(len(um3)), np.zeros(len(um3), np.int64)
    lists = _lists(apart, len(um3))
    outcome, against = np.zeros(len(edges), np.int8), np.full(len(edges), -1, np.int64)
    for a, b in must_link:
        _merge(_root(parent, a), _root(parent, b), 0, parent, (um3, faces, joins), lists)
    for i, (a, b) in enumerate(edges):
        a, b = _root(parent, a), _root(parent, b)  # noqa: PLW2901 - from a supervoxel to its body
        if a == b:
            outcome[i] = ALREADY
            continue
        pair = _conflict(parent, (a, b), apart, is_said, lists, weak[i])
        if pair >= 0:
            outcome[i], against[i] = FORBIDDEN if is_said[pair] else KEPT_APART, pair
        elif weak[i]:
            outcome[i] = _guarded(a, b, (um3, faces, joins), limits)
        if outcome[i] == JOINED:
            _merge(a, b, int(weak[i]), parent, (um3, faces, joins), lists)
    component = np.empty(len(um3), np.int64)
    for node in range(len(um3)):
        component[node] = _root(parent, node)
    return outcome, against, component


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
    um3, faces, joins = sums
    head, tail, length, after = lists
    if a == b:
        return
    if length[a] < length[b]:
        a, b = b, a
    parent[b] = a
    um3[a] += um3[b]
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
    um3, faces, joins = sums
    together = _bits(faces[a] | faces[b])
    if min(um3[a], um3[b]) > limits[0]:
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
