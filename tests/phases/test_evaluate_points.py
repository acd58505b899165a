"""Synapses and skeletons are looked up subvolume by subvolume, and scored as if all were looked up at once."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from tests.phases.test_evaluate import BOUNDS, FOUND, START, TRUTH, evaluated, run_of
from tests.refusals import refused

from emseg.codec.swc import Skeleton
from emseg.config.groundtruth import SkeletonUnit, Unassigned
from emseg.config.runspec import PinnedSkeletons, PinnedSynapses
from emseg.dvid import Synapses
from emseg.errors import PermanentError
from emseg.evaluate import (
    AtSynapses,
    AtVoxels,
    SkeletonSet,
    connection_table,
    contingency_table,
    figures_of,
    score_skeletons,
)
from emseg.evaluate.skeleton_nodes import in_box
from emseg.geometry import Box, Roi
from emseg.phases.evaluate import figures as figures_module
from emseg.phases.evaluate import points as points_module
from emseg.phases.keys import phase_keys

SYNAPSES = PinnedSynapses(node="ab", instance="synapses", pair_connections=2, orphan_points=40)
SKELETONS = PinnedSkeletons(node="ab", instance="skeletons", unit=SkeletonUnit.VOXEL)
SIZE_NM = (8.0, 8.0, 8.0)
AROUND = BOUNDS.grown(6)
"""Points lie here: some outside of the volume."""
rng = np.random.default_rng(7)
POINTS = rng.integers(AROUND.start, AROUND.stop, (400, 3))
PRE, POST = POINTS[:150], rng.permutation(POINTS[150:])[:150]


def walk(seed: int) -> Skeleton:
    """A skeleton of steps along the axes that leaves the volume and comes back."""
    steps = np.cumsum(np.random.default_rng(seed).integers(-4, 5, (200, 3)), axis=0)
    nodes = (steps + BOUNDS.centre) * np.array(SIZE_NM)
    return Skeleton(nodes, np.column_stack([np.arange(199), np.arange(1, 200)]))


SET = SkeletonSet({f"{seed}_swc": walk(seed) for seed in range(4)}, SIZE_NM)


def labels(array, points):
    """Oracle: labels of an array of `BOUNDS`, 0 beside it."""
    found = np.zeros(len(points), np.uint64)
    inside = in_box(points, BOUNDS)
    found[inside] = array[tuple((points[inside] - START).T)]
    return found


@pytest.fixture(autouse=True)
def in_dvid(monkeypatch):
    """What the two instances hold, and labels at points of a labelmap that is an array."""

    def read(core: Box, roi: Roi | None) -> Synapses:
        points, pre = (in_box(p, core) & (True if roi is None else roi.holds(p)) for p in (POINTS, PRE))
        return Synapses(POINTS[points], np.zeros(points.sum(), bool), PRE[pre], POST[pre])

    def labels_at(labelmap, points):
        assert in_box(points, BOUNDS).all(), "a position beside the volume was asked for"
        return labelmap.array[tuple(points.T)]

    monkeypatch.setattr(points_module, "annotations_of", lambda _: SimpleNamespace(read=read))
    monkeypatch.setattr(points_module, "labels_at", labels_at)
    for module in (points_module, figures_module):
        monkeypatch.setattr(module, "skeletons_of", lambda _: SET)


def oracle(counts, body_counts=lambda body: body > 0):
    """All figures from points that are looked up at once; `counts` says which voxels do."""
    ends = (POINTS, PRE, POST)
    bodies = [np.where(counts(points), labels(TRUTH, points), np.uint64(0)) for points in ends]
    bodies = [np.where(body_counts(each), each, np.uint64(0)) for each in bodies]
    segments = [labels(FOUND, points) for points in ends]
    connections = connection_table(segments[1], segments[2], bodies[1], bodies[2])
    points = contingency_table(segments[0], bodies[0])
    inside, cut, found, first = counts(SET.voxels), [], [], 0
    for each in SET.skeletons.values():
        nodes = slice(first, first := first + len(each.nodes_nm))
        kept = [edge for edge in each.edges.tolist() if inside[nodes][edge].all()]
        cut.append(Skeleton(each.nodes_nm, np.array(kept, int).reshape(-1, 2)))
        found.append(np.where(inside[nodes], labels(FOUND, SET.voxels[nodes]), np.uint64(0)))
    return {
        **figures_of({"synapses": AtSynapses(points, connections, SYNAPSES, Unassigned.SEGMENT)}),
        **figures_of({"skeletons": score_skeletons(cut, found)}),
    }


def told(evaluation):
    return {figure.name: value for figure, value in evaluation.figures.items()}


def test_all_figures_are_those_of_the_whole(tmp_path):
    """Kills a partner in another core that gets no label, points counted twice, and positions beside the volume."""
    evaluation = evaluated(run_of(tmp_path, synapses=SYNAPSES, skeletons=SKELETONS))
    expected = oracle(lambda points: in_box(points, BOUNDS))
    assert {name: told(evaluation)[name] for name in expected} == expected
    edits = figures_of({"voxels": AtVoxels(evaluation.whole)})
    assert told(evaluation) == {**edits, **expected}
    assert 0 < expected["false_autapses"] < expected["autapses"]
    assert expected["skeleton_splits"] > 0


def test_roi_trained_boxes_and_listed_bodies_hold_for_points_too(tmp_path):
    """Kills a partner outside of the ROI whose connection counts, and nodes that the model was trained on."""
    roi = Roi.of_blocks([[z, y, x] for z in (1, 2) for y in (1, 2) for x in (1, 2)])
    trained = Box((40, 40, 40), (60, 60, 60))
    run = run_of(tmp_path, trained, roi=roi, synapses=SYNAPSES, skeletons=SKELETONS, bodies=(1, 3))
    expected = oracle(
        lambda points: in_box(points, BOUNDS) & roi.holds(points) & ~in_box(points, trained),
        lambda body: np.isin(body, [1, 3]),
    )
    found = told(evaluated(run))
    assert {name: found[name] for name in expected} == expected


def test_bodies_below_the_floor_of_size_have_no_points(tmp_path):
    """Kills a floor that holds for voxels alone: then connections of crumbs are missed for ever."""
    sizes = np.bincount(TRUTH.ravel().astype(int))[1:]
    large = np.flatnonzero(sizes > sizes.min()) + 1
    run = run_of(tmp_path, synapses=SYNAPSES, min_body_vox=int(sizes.min()) + 1)
    expected = oracle(lambda points: in_box(points, BOUNDS), lambda body: np.isin(body, large))
    found = told(evaluated(run))
    assert {name: found[name] for name in found if name in expected} == {n: expected[n] for n in expected if n in found}
    assert "connectivity_recall" in found
    assert "erl_nm" not in found


def test_without_synapses_in_the_region_the_run_is_told_what_to_name(tmp_path, monkeypatch):
    """Kills perfect figures of nothing."""
    nothing = np.zeros((0, 3), np.int64)
    none = SimpleNamespace(read=lambda *_: Synapses(nothing, np.zeros(0, bool), nothing, nothing))
    monkeypatch.setattr(points_module, "annotations_of", lambda _: none)
    with refused(PermanentError, "volume.groundtruth.synapses", "no point"):
        evaluated(run_of(tmp_path, synapses=SYNAPSES))


def test_synapses_and_skeletons_are_in_the_key_of_evaluate_alone(tmp_path):
    """Kills a figure that is found under the key of a run with other synapses, floors or units."""
    named = [
        {},
        {"synapses": SYNAPSES},
        {"synapses": SYNAPSES.model_copy(update={"orphan_points": 41})},
        {"skeletons": SKELETONS},
        {"skeletons": SKELETONS.model_copy(update={"unit": SkeletonUnit.NM})},
    ]
    keys = [phase_keys(run_of(tmp_path, **each).spec) for each in named]
    assert len({each["evaluate"] for each in keys}) == len(named)
    assert len({each["write"] for each in keys}) == 1
