"""Mappings: the body of each supervoxel, as DVID keeps it beside the voxels.

Only one writer may post mappings. Two first posts at once can damage the server's log, and a server that stops during a
post leaves a torn log (`emseg.dvid.filelog` repairs it). So a post is never repeated blindly, each takes far less than
the server's shutdown delay of 5 s, and only what differs from the server's state is posted: each operation is a record
of the log.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from emseg.array_types import Ids
from emseg.dvid.labels import labelindex_pb2
from emseg.dvid.labels.labelmap import Labelmap
from emseg.errors import IntegrityError, PermanentError
from emseg.geometry import MAX_LABEL
from emseg.sorted_ids import find

POST_OPERATIONS = 2000
"""About 1 s: the server takes 0.5 ms for an operation, whatever its length."""
POST_SUPERVOXELS = 1_000_000
"""About 1.5 s where a few operations are very long."""


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
    for operations in _posts(changed):
        before_post()
        message = labelindex_pb2.MappingOps()  # type: ignore[attr-defined]
        for body, supervoxels in operations:
            message.mappings.add(mapped=body, original=supervoxels.tolist())
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


def _posts(changed: Mapping[int, Ids]) -> Iterator[list[tuple[int, Ids]]]:
    """The operations, one for each body, in groups of bounded size; a body is never divided."""
    group: list[tuple[int, Ids]] = []
    supervoxels = 0
    for body, one in changed.items():
        if group and (len(group) == POST_OPERATIONS or supervoxels + len(one) > POST_SUPERVOXELS):
            yield group
            group, supervoxels = [], 0
        group.append((body, one))
        supervoxels += len(one)
    if group:
        yield group
