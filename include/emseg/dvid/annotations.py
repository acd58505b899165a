"""Synapses in DVID: the presynaptic and postsynaptic points of an annotation instance, and which point speaks to which.

Example: an element `{"Pos": [30, 20, 10], "Kind": "PreSyn", "Rels": [{"Rel": "PreSynTo", "To": [33, 20, 10]}]}` is the
presynaptic point (10, 20, 30), Z Y X, and a connection from there to (10, 20, 33).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from emseg.array_types import Counts, Flags
from emseg.dvid.coordinates import xyz_text, zyx
from emseg.dvid.instances import refuse_instance
from emseg.dvid.nodes import Node
from emseg.dvid.request_boxes import request_boxes
from emseg.errors import IntegrityError
from emseg.geometry import LIMIT_VOX, Box, Coordinate, Roi
from emseg.kernels.sub_blocks import BLOCK_VOX

REQUEST_VOXELS = 1 << 30
"""Box of one request. In dense neuropil of 8 nm it has some ten thousand points, a few megabytes of JSON."""

_Connection = tuple[Coordinate, Coordinate]


@dataclass(frozen=True, eq=False)
class Synapses:
    """Points of one region, int64 (n, 3) voxels ZYX, each once; connections, int64 (m, 3) twice.

    A connection belongs to the region that holds its presynaptic point. Its postsynaptic point may lie elsewhere.
    """

    points: Counts
    is_presynaptic: Flags
    pre: Counts
    post: Counts

    @classmethod
    def concatenated(cls, parts: list[Self]) -> Self:
        """All points and connections of one or more regions that share no voxel."""
        columns = zip(*((p.points, p.is_presynaptic, p.pre, p.post) for p in parts), strict=True)
        return cls(*map(np.concatenate, columns))


class Annotations:
    """The annotation instance `instance`, as it is in `node`."""

    def __init__(self, node: Node, instance: str) -> None:
        """Nothing is sent."""
        self.node, self.instance = node, instance

    def read(self, box: Box, roi: Roi | None = None) -> Synapses:
        """The synapses of `box`, inside the ROI if one is given; parts of the box that it does not touch are not read.

        Elements of other kinds (notes, gaps) are left out. PermanentError for an instance of another type,
        IntegrityError for an answer that holds no elements, or some of elsewhere.
        """
        self._check_type()
        found = [_none()]
        for part in request_boxes(box, (BLOCK_VOX,) * 3, REQUEST_VOXELS):
            if roi is None or roi.touches(part):
                synapses = self._read(part)
                found.append(synapses if roi is None else _inside(synapses, roi))
        return Synapses.concatenated(found)

    def _read(self, box: Box) -> Synapses:
        where = self.node.path(self.instance, "elements", xyz_text(box.shape), xyz_text(box.start))
        answer = self.node.server.get_json(where)
        points: list[Coordinate] = []
        is_presynaptic: list[bool] = []
        connections: list[_Connection] = []
        try:
            for element in answer or ():
                point = _point(element["Pos"])
                if not Box(point, point + 1).clipped(box) == Box(point, point + 1):
                    raise ValueError(f"an element at {point} lies outside of the box")
                if element["Kind"] in {"PreSyn", "PostSyn"}:
                    points.append(point)
                    is_presynaptic.append(element["Kind"] == "PreSyn")
                    connections.extend(_connections(point, element))
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            found = f"these are no elements of the box ({type(error).__name__} {error})"
            raise IntegrityError("reading synapses", f"GET {where}", found, "Try again; or write them again") from None
        pre, post = (_rows([each[end] for each in connections]) for end in (0, 1))
        return Synapses(_rows(points), np.array(is_presynaptic, bool), pre, post)

    def _check_type(self) -> None:
        kind = self.node.server.get_json(self.node.path(self.instance, "info"))["Base"]["TypeName"]
        if kind != "annotation":
            found = f"it is of type {kind}"
            raise refuse_instance(self.node, self.instance, found, "Name an instance of type annotation")


def _connections(point: Coordinate, element: Mapping[str, Any]) -> Iterator[_Connection]:
    """From a presynaptic point to each partner; a postsynaptic point tells of the same connection once more."""
    if element["Kind"] == "PreSyn":
        for relation in element.get("Rels") or ():
            if relation["Rel"] == "PreSynTo":
                yield point, _point(relation["To"])


def _point(position: Any) -> Coordinate:
    """Three whole numbers that DVID can address."""
    point = zyx(position)
    if len(position) != 3 or not all(isinstance(v, int) and abs(v) < LIMIT_VOX for v in position):
        raise ValueError(f"{position!r:.80} is no position")
    return point


def _rows(points: list[Coordinate]) -> Counts:
    return np.array(points, np.int64).reshape(-1, 3)


def _none() -> Synapses:
    return Synapses(_rows([]), np.zeros(0, bool), _rows([]), _rows([]))


def _inside(synapses: Synapses, roi: Roi) -> Synapses:
    points, pre = roi.holds(synapses.points), roi.holds(synapses.pre)
    return Synapses(synapses.points[points], synapses.is_presynaptic[points], synapses.pre[pre], synapses.post[pre])
