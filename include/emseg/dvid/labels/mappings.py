"""Mappings: the body of each supervoxel, as DVID keeps it beside the voxels.

Only one writer may post mappings. Two first posts at once can damage the server's log, and a server that stops during a
post leaves a torn log (`emseg.dvid.filelog` repairs it). So a post is never repeated blindly, and only what differs
from the server's state is posted: each operation is a record of the log. A server that is told to stop waits 5 s for
requests to end, so a post is as large as takes about `POST_S` on this server: `_Pace` follows what the last ones took.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import numpy as np

from emseg.array_types import Ids
from emseg.dvid.labels import labelindex_pb2
from emseg.dvid.labels.labelmap import Labelmap
from emseg.errors import IntegrityError, PermanentError
from emseg.geometry import MAX_LABEL
from emseg.sorted_ids import find

POST_S = 1.0
"""What a post should take, seconds."""
OPERATION_SUPERVOXELS = 300
"""An operation with so many supervoxels takes twice as long as one with a single one: 0.5 ms and 1.5 us for each."""
LONGEST_OPERATION = 50_000
"""Supervoxels; those of a larger body are posted in several operations."""


class MappingError(PermanentError):
    """Not a mapping: a label is out of range, a supervoxel has two bodies, or a body is itself mapped."""


def mappings(labelmap: Labelmap) -> tuple[Ids, Ids]:
    """All mappings in force: supervoxels (ascending) and their bodies, uint64. Any other supervoxel is its own body."""
    where = labelmap.node.path(labelmap.instance, "mappings")
    body = labelmap.node.server.get(where, {"format": "binary"})
    if len(body) % 16:
        raise IntegrityError(
            "reading mappings", f"GET {where}", f"{len(body)} bytes are not pairs of two uint64", "Try again"
        )
    pairs = np.frombuffer(body, "<u8").astype(np.uint64).reshape(-1, 2)
    pairs = pairs[np.argsort(pairs[:, 0], kind="stable")]
    return pairs[:, 0].copy(), pairs[:, 1].copy()


def bodies_of(mapping: tuple[Ids, Ids], supervoxels: Ids) -> Ids:
    """Body of each supervoxel under a mapping as `mappings` returns it."""
    known, bodies = mapping
    if len(known) == 0:
        return supervoxels.copy()
    index, is_known = find(supervoxels, known)
    return np.where(is_known, bodies[index], supervoxels)


def check_mappings(bodies: Mapping[int, Ids]) -> None:
    """Raise the MappingError that `post_mappings` would raise, before anything is posted."""
    _checked(bodies)


def post_mappings(labelmap: Labelmap, bodies: Mapping[int, Ids], before_post: Callable[[], object] = bool) -> int:
    """Give every supervoxel in `bodies` (body -> its supervoxels) its body; returns how many were posted.

    `before_post` is called before each request: it shows that the one writer lives, or raises to stop it.

    A second call posts nothing, because what the server has already is left out. Supervoxels that are not in `bodies`
    keep their body. DVID does not change the indices: post them, too.
    """
    changed = _changed(mappings(labelmap), bodies)
    where = labelmap.node.path(labelmap.instance, "mappings")
    pace, operations = _Pace(), _operations(changed)
    while some := pace.next_of(operations):
        before_post()
        message = labelindex_pb2.MappingOps()  # type: ignore[attr-defined]
        for body, supervoxels in some:
            message.mappings.add(mapped=body, original=supervoxels.tolist())
        with pace.measured():
            labelmap.node.server.post(where, message.SerializeToString())
    return sum(len(supervoxels) for supervoxels in changed.values())


def _changed(current: tuple[Ids, Ids], bodies: Mapping[int, Ids]) -> dict[int, Ids]:
    """By body, ascending: those of its supervoxels that are in another body on the server."""
    order, lists, named, wanted = _checked(bodies)
    differs = bodies_of(current, named) != wanted
    ends = np.cumsum([len(one) for one in lists])
    split = np.split(differs, ends[:-1]) if order else []
    return {body: one[which] for body, one, which in zip(order, lists, split, strict=True) if which.any()}


def _checked(bodies: Mapping[int, Ids]) -> tuple[list[int], list[Ids], Ids, Ids]:
    """The bodies ascending, the supervoxels of each, all supervoxels in one array, and the body of each.

    MappingError where they are no mapping.
    """
    order = sorted(bodies)
    lists = [np.unique(np.asarray(bodies[body], np.uint64)) for body in order]
    named = np.concatenate([*lists, np.empty(0, np.uint64)])
    names = np.array(order, np.uint64)
    wanted = np.repeat(names, [len(one) for one in lists])
    found = _fault(named, wanted, names)
    if found:
        raise MappingError(
            "posting mappings", f"{len(order)} bodies", found, "Map each supervoxel straight to the one body it is in"
        )
    return order, lists, named, wanted


def _fault(named: Ids, wanted: Ids, names: Ids) -> str:
    """What is wrong with mapping `named` to `wanted`, with the first example of it; empty where nothing is wrong."""
    ascending, first = np.unique(named, return_index=True)
    if bool((named == 0).any() or (names == 0).any()):
        return "label 0 is not a body and not a supervoxel"
    if len(ascending) != len(named):
        twice = np.delete(named, first)[0]
        return f"a supervoxel has two bodies: {twice} is in {' and '.join(map(str, wanted[named == twice]))}"
    if len(names) and max(int(names.max()), int(named.max(initial=0))) >= MAX_LABEL:
        return f"label {max(int(names.max()), int(named.max(initial=0)))} is not below {MAX_LABEL}"
    is_moved = np.isin(named, names) & (named != wanted)
    if is_moved.any():
        body = int(named[is_moved][0])
        return f"a chain or a circle: body {body} is itself mapped to body {int(wanted[is_moved][0])}"
    return ""


Operation = tuple[int, Ids]


def _operations(changed: Mapping[int, Ids]) -> Iterator[Operation]:
    """Bodies and supervoxels to map to them, at most `LONGEST_OPERATION` at a time."""
    for body, supervoxels in changed.items():
        for start in range(0, len(supervoxels), LONGEST_OPERATION):
            yield body, supervoxels[start : start + LONGEST_OPERATION]


class _Pace:
    """How much one post holds. It begins small, may double each time, and shrinks at once where the server is slow."""

    def __init__(self) -> None:
        self._room = self._cost = 100.0

    def next_of(self, operations: Iterator[Operation]) -> list[Operation]:
        """The operations of the next post, at least one where any is left; their cost is in operations of one."""
        some: list[Operation] = []
        self._cost = 0.0
        while self._cost < self._room and (operation := next(operations, None)):
            some.append(operation)
            self._cost += 1 + len(operation[1]) / OPERATION_SUPERVOXELS
        return some

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Around a post."""
        started = time.perf_counter()
        yield
        took_s = max(time.perf_counter() - started, 1e-3)
        self._room = min(2 * self._room, self._cost * POST_S / took_s)
