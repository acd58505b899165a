"""Mappings: the body of each supervoxel, as DVID keeps it beside the voxels.

Only one writer may post mappings. Two first posts at once can damage the server's log, and a server that stops during a
post leaves a torn log (`emseg.dvid.filelog` repairs it). So a post is never repeated blindly, and only what differs
from the server's state is posted: each operation is a record of the log. A server that is told to stop waits 5 s for
requests to end, so a post is as large as takes about `POST_S` on this server: `_Pace` follows what the last ones took.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain, pairwise

import numpy as np

from emseg.array_types import Ids
from emseg.dvid.labels import labelindex_pb2
from emseg.dvid.labels.labelmap import Labelmap
from emseg.errors import IntegrityError, PermanentError
from emseg.geometry import MAX_LABEL
from emseg.sorted_ids import find, is_among

POST_S = 1.0
"""What a post should take, seconds."""
OPERATION_SUPERVOXELS = 300
"""An operation with so many supervoxels takes twice as long as one with a single one: 0.5 ms and 1.5 us for each."""
LONGEST_OPERATION = 50_000
"""Supervoxels; those of a larger body are posted in several operations."""


MappingPair = tuple[Ids, Ids]
"""Supervoxels, ascending, and the body of each."""


class MappingError(PermanentError):
    """Not a mapping: a label is out of range, a supervoxel has two bodies, or a body is itself mapped."""


def mappings(labelmap: Labelmap) -> MappingPair:
    """All mappings in force: supervoxels (ascending) and their bodies, uint64. Any other supervoxel is its own body.

    Memory: 40 bytes a mapped supervoxel while they are read, 16 afterwards. DVID itself keeps about 250.
    """
    where = labelmap.node.path(labelmap.instance, "mappings")
    body = labelmap.node.server.get(where, {"format": "binary"})
    if len(body) % 16:
        raise IntegrityError(
            "reading mappings", f"GET {where}", f"{len(body)} bytes are not pairs of two uint64", "Try again"
        )
    pairs = np.frombuffer(body, "<u8").reshape(-1, 2)
    order = np.argsort(pairs[:, 0], kind="stable")
    return pairs[order, 0], pairs[order, 1]


def bodies_of(mapping: MappingPair, supervoxels: Ids) -> Ids:
    """Body of each supervoxel under a mapping as `mappings` returns it."""
    known, bodies = mapping
    if len(known) == 0:
        return supervoxels.copy()
    index, is_known = find(supervoxels, known)
    return np.where(is_known, bodies[index], supervoxels)


def post_mappings(labelmap: Labelmap, bodies: Mapping[int, Ids], before_post: Callable[[], object] = bool) -> int:
    """Give every supervoxel in `bodies` (body -> its supervoxels) its body; all else as `post_mapping_parts`."""
    lists = [np.unique(np.asarray(supervoxels, np.uint64)) for supervoxels in bodies.values()]
    named = np.concatenate([*lists, np.empty(0, np.uint64)])
    wanted = np.repeat(np.array([*bodies], np.uint64), [len(one) for one in lists])
    order = np.argsort(named, kind="stable")
    return post_mapping_parts(labelmap, [(named[order], wanted[order])], before_post)


def post_mapping_parts(
    labelmap: Labelmap, parts: Iterable[MappingPair], before_post: Callable[[], object] = bool
) -> int:
    """Give every supervoxel of all `parts` its body; returns how many were posted. The parts share no supervoxel.

    `before_post` is called before each request: it shows that the one writer lives, or raises to stop it. A part is
    checked before any of it is posted; MappingError where it is no mapping.

    A second call posts nothing, because what the server has already is left out. Supervoxels that are in no part keep
    their body. DVID does not change the indices: post them, too. Memory: the mappings in force, and a part.
    """
    current, posted = mappings(labelmap), 0
    where = labelmap.node.path(labelmap.instance, "mappings")
    pace, operations = _Pace(), chain.from_iterable(_operations(*_changed(current, part)) for part in parts)
    while some := pace.next_of(operations):
        before_post()
        message = labelindex_pb2.MappingOps()  # type: ignore[attr-defined]
        for body, supervoxels in some:
            message.mappings.add(mapped=body, original=supervoxels.tolist())
            posted += len(supervoxels)
        with pace.measured():
            labelmap.node.server.post(where, message.SerializeToString())
    return posted


def _changed(current: MappingPair, part: MappingPair) -> MappingPair:
    """Those supervoxels of a part that are in another body on the server. MappingError where it is no mapping."""
    named, wanted = part
    if found := _fault(named, wanted):
        raise MappingError(
            "posting mappings", f"{len(named)} supervoxels", found, "Map each supervoxel straight to its one body"
        )
    differs = bodies_of(current, named) != wanted
    return named[differs], wanted[differs]


def _fault(named: Ids, wanted: Ids) -> str:
    """What is wrong with mapping `named` (ascending) to `wanted`, with the first example of it; empty: nothing."""
    names = np.unique(wanted)
    twice = np.flatnonzero(named[1:] == named[:-1])
    if bool((named == 0).any() or (names == 0).any()):
        return "label 0 is not a body and not a supervoxel"
    if len(twice):
        row = int(twice[0])
        return f"a supervoxel has two bodies: {named[row]} is in {wanted[row]} and {wanted[row + 1]}"
    if len(names) and max(int(names.max()), int(named.max(initial=0))) >= MAX_LABEL:
        return f"label {max(int(names.max()), int(named.max(initial=0)))} is not below {MAX_LABEL}"
    is_moved = is_among(named, names) & (named != wanted)
    if is_moved.any():
        body = int(named[is_moved][0])
        return f"a chain or a circle: body {body} is itself mapped to body {int(wanted[is_moved][0])}"
    return ""


Operation = tuple[int, Ids]


def _operations(supervoxels: Ids, bodies: Ids) -> Iterator[Operation]:
    """Bodies and supervoxels to map to them, by body, at most `LONGEST_OPERATION` at a time."""
    order = np.argsort(bodies, kind="stable")
    supervoxels, bodies = supervoxels[order], bodies[order]
    starts = np.flatnonzero(np.diff(bodies, prepend=np.uint64(0))).tolist()
    for first, stop in pairwise([*starts, len(bodies)]):
        for start in range(first, stop, LONGEST_OPERATION):
            yield int(bodies[first]), supervoxels[start : min(start + LONGEST_OPERATION, stop)]


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
