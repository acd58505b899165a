"""Synapses of the real server, and the labels at them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.refusals import refused

from emseg.dvid import Annotations, Labelmap, Node, Synapses, labels_at, post_mappings, write_brick
from emseg.dvid import annotations as module
from emseg.dvid.instances import create_instance
from emseg.dvid.labels import points as points_module
from emseg.errors import IntegrityError, PermanentError
from emseg.geometry import Box, Roi

pytestmark = pytest.mark.services

Point = tuple[int, int, int]
PLACE = Box((30, 20, 10), (150, 200, 260))


@pytest.fixture
def synapses(node: Node) -> Annotations:
    assert create_instance(node, "synapses", "annotation", {})
    return Annotations(node, "synapses")


def posted(annotations: Annotations, connections: dict[Point, list[Point]]) -> None:
    """Write presynaptic points with their partners, as FlyEM's tools do: relations both ways."""
    pre = [_element(a, "PreSyn", "PreSynTo", posts) for a, posts in connections.items()]
    post = [_element(b, "PostSyn", "PostSynTo", [a]) for a, posts in connections.items() for b in posts]
    note = {"Pos": [12, 25, 35], "Kind": "Note", "Tags": [], "Prop": {"comment": "PreSyn?"}, "Rels": []}
    where = annotations.node.path(annotations.instance, "elements")
    annotations.node.server.post_json(where, [*pre, *post, note])


def _element(point: Point, kind: str, relation: str, partners: list[Point]) -> dict[str, Any]:
    relations = [{"Rel": relation, "To": list(partner[::-1])} for partner in partners]
    return {"Pos": list(point[::-1]), "Kind": kind, "Tags": [], "Prop": {"conf": "0.9"}, "Rels": relations}


def random_connections(number: int) -> dict[Point, list[Point]]:
    """Presynaptic points with up to 4 partners; every point is another voxel, some lie on the faces of blocks."""
    rng = np.random.default_rng(number)
    voxels = rng.permutation(np.unique(rng.integers(PLACE.start, PLACE.stop, (6 * number, 3)), axis=0))
    voxels[:40, rng.integers(0, 3)] = 64
    points = iter(dict.fromkeys(tuple(map(int, voxel)) for voxel in voxels))
    return {next(points): [next(points) for _ in range(rng.integers(0, 5))] for _ in range(number)}


def expected(connections: dict[Point, list[Point]], is_inside: Any) -> tuple[set[Point], set[Point], set[Any]]:
    pre = {a for a in connections if is_inside(a)}
    post = {b for posts in connections.values() for b in posts if is_inside(b)}
    return pre, post, {(a, b) for a, posts in connections.items() for b in posts if a in pre}


def told(found: Synapses) -> tuple[set[Point], set[Point], set[Any]]:
    pre, post = (found.points[flags] for flags in (found.is_presynaptic, ~found.is_presynaptic))
    pairs = zip(map(tuple, found.pre.tolist()), map(tuple, found.post.tolist()), strict=True)
    sets = {*map(tuple, pre.tolist())}, {*map(tuple, post.tolist())}, {*pairs}
    assert (len(sets[0]) + len(sets[1]), len(sets[2])) == (len(found.points), len(found.pre))
    return sets


@pytest.mark.parametrize("request_voxels", [64**3, module.REQUEST_VOXELS])
def test_points_and_connections_of_any_box_come_back_once(
    synapses: Annotations, monkeypatch: pytest.MonkeyPatch, request_voxels: int
) -> None:
    """Kills turned axes, boxes closed at the end, points on faces of blocks told twice, and partners beyond the box
    left out.
    """
    monkeypatch.setattr(module, "REQUEST_VOXELS", request_voxels)
    connections = random_connections(150)
    posted(synapses, connections)
    for box in (PLACE, Box((40, 64, 64), (128, 128, 192)), Box((31, 21, 11), (65, 65, 65))):

        def is_inside(point: Point, box: Box = box) -> bool:
            return box.contains(Box(point, tuple(v + 1 for v in point)))

        assert told(synapses.read(box)) == expected(connections, is_inside)
    halves = [synapses.read(Box(PLACE.start, (70, 200, 260))), synapses.read(Box((70, 20, 10), PLACE.stop))]
    assert told(Synapses.concatenated(halves)) == told(synapses.read(PLACE))


def test_of_a_roi_only_its_points_are_read(synapses: Annotations, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kills a ROI that cuts requests and not points, and requests for what lies outside of it."""
    monkeypatch.setattr(module, "REQUEST_VOXELS", 64**3)
    connections = random_connections(150)
    posted(synapses, connections)
    roi = Roi.of_blocks([[1, 1, 1], [2, 3, 4], [1, 1, 2]], 32)
    blocks = {tuple(block) for block in roi.blocks.tolist()}
    found = synapses.read(PLACE, roi)
    assert told(found) == expected(connections, lambda point: tuple(v // 32 for v in point) in blocks)
    assert len(found.points) > 3
    assert len(synapses.read(PLACE, Roi.of_blocks([[50, 50, 50]], 32)).points) == 0


def test_an_empty_instance_has_no_synapses(synapses: Annotations) -> None:
    """Kills a reader of lists: DVID answers `null`."""
    found = synapses.read(PLACE)
    assert (found.points.shape, found.pre.shape, found.post.shape) == ((0, 3), (0, 3), (0, 3))


def test_another_kind_of_instance_is_refused(node: Node, labelmap: Labelmap) -> None:
    with refused(PermanentError, "seg", "labelmap"):
        Annotations(node, "seg").read(PLACE)


@pytest.mark.parametrize(
    "element",
    [
        {"Kind": "PreSyn"},
        {"Pos": [40, 30, 400], "Kind": "PreSyn"},
        {"Pos": [40, 30], "Kind": "PreSyn"},
        {"Pos": [40.5, 30, 40], "Kind": "PreSyn"},
        {"Pos": [40, 30, 40], "Kind": "PreSyn", "Rels": [{"Rel": "PreSynTo"}]},
        {"Pos": [40, 30, 40], "Kind": "PreSyn", "Rels": [{"Rel": "PreSynTo", "To": [1 << 40, 1, 1]}]},
        7,
    ],
)
def test_what_is_no_element_of_the_box_is_no_synapse(
    synapses: Annotations, monkeypatch: pytest.MonkeyPatch, element: object
) -> None:
    """Kills a damaged answer taken for fewer synapses."""
    server = synapses.node.server
    info = server.get_json(synapses.node.path("synapses", "info"))
    monkeypatch.setattr(server, "get_json", lambda where: info if where.endswith("info") else [element])
    with refused(IntegrityError):
        synapses.read(PLACE)


@pytest.mark.parametrize("request_points", [7, points_module.REQUEST_POINTS])
def test_labels_at_points_are_those_of_the_voxels(
    labelmap: Labelmap, monkeypatch: pytest.MonkeyPatch, request_points: int
) -> None:
    """Oracle: the array that was written. Kills turned axes, supervoxels taken for bodies, labels in sorted order."""
    monkeypatch.setattr(points_module, "REQUEST_POINTS", request_points)
    large = (1 << 48) - 2
    labels = np.random.default_rng(3).choice(np.array([0, 1, 2, 3, large], np.uint64), (64, 128, 128))
    write_brick(labelmap, 0, labels, (0, 0, 0))
    post_mappings(labelmap, {2: np.array([1], np.uint64)})
    points = np.random.default_rng(4).integers((0, 0, 0), (128, 128, 128), (100, 3))
    points = np.concatenate((points, points[:5]))
    inside = points[:, 0] < 64
    bodies = np.where(labels == 1, np.uint64(2), labels)
    expected = np.zeros(len(points), np.uint64)
    expected[inside] = bodies[tuple(points[inside].T)]
    np.testing.assert_array_equal(labels_at(labelmap, points), expected)
    assert len(labels_at(labelmap, points[:0])) == 0
