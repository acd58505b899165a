"""Evaluation leaves out what the model was trained on: exactly these voxels, and it says how many."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from tests.refusals import refused
from tests.running import a_spec

from emseg.config.dataset import Unassigned
from emseg.config.runspec import PinnedBox, PinnedGroundTruth
from emseg.engine.items import InProcess
from emseg.errors import PermanentError
from emseg.evaluate import score
from emseg.geometry import Box, Roi
from emseg.phases import phase_named
from emseg.phases.evaluate.work import read_evaluation
from emseg.phases.keys import phase_keys
from emseg.phases.run_context import RunContext
from emseg.store import FolderStore
from emseg.tasks.jobs import run_phases

SHAPE = (96, 64, 70)
START = (10, 20, 30)
"""First voxel of the volume: a box whose numbers are taken for indices of an array hits other voxels."""
BOUNDS = Box.of_shape(SHAPE, START)
random = np.random.default_rng(0)
TRUTH = random.integers(0, 4, SHAPE).astype(np.uint64)
FOUND = random.integers(1, 5, SHAPE).astype(np.uint64)


def read_only(array):
    return SimpleNamespace(read=lambda box: array[box.slices(START)].copy())


def run_of(tmp_path, *excluded: Box, roi: Roi | None = None, **groundtruth) -> RunContext:
    services = SimpleNamespace(
        store=FolderStore(tmp_path),
        roi=lambda _: roi,
        labelmap=lambda _, instance: read_only(TRUTH if instance == "groundtruth" else FOUND),
    )
    trained_on = tuple(PinnedBox(start=box.start, stop=box.stop) for box in excluded)
    truth = PinnedGroundTruth(node="ab", instance="groundtruth", excluded=trained_on, **groundtruth)
    spec = a_spec(BOUNDS, groundtruth=truth)
    return RunContext(spec, "one", lambda: services)


def evaluated(run: RunContext):
    run_phases("evaluate", (phase_named("evaluate"),), run, InProcess())
    return read_evaluation(run)


def test_the_rule_for_unassigned_voxels_is_that_of_the_spec(tmp_path, monkeypatch):
    """Kills a rule that reaches the whole volume only, or subvolumes only."""
    monkeypatch.setitem(globals(), "FOUND", np.where(FOUND == 1, 0, FOUND).astype(np.uint64))
    found = [evaluated(run_of(tmp_path, unassigned=rule)) for rule in Unassigned]
    for evaluation, rule in zip(found, Unassigned, strict=True):
        assert evaluation.score == score(evaluation.whole, rule)
    one, alone = found
    assert one.whole == alone.whole
    assert all(alone.subvolumes[item].vi_split > one.subvolumes[item].vi_split for item in one.subvolumes)


def without(*boxes: Box):
    rest = TRUTH.copy()
    for box in boxes:
        rest[box.clipped(BOUNDS).slices(START)] = 0
    return rest


@pytest.mark.parametrize(
    "boxes",
    [
        [],
        [Box((12, 22, 32), (20, 30, 40))],
        [Box((60, 21, 60), (80, 84, 99))],
        [Box((0, 0, 0), (40, 50, 60)), Box((30, 40, 50), (99, 80, 98))],
        [Box((500, 500, 500), (600, 600, 600))],
    ],
    ids=["none", "inside one core", "over four cores", "beyond the volume and overlapping", "elsewhere"],
)
def test_exactly_the_voxels_of_the_boxes_do_not_count(tmp_path, boxes):
    """Kills boxes that are cut at one core only, counted twice, or measured from the corner of a core."""
    evaluation = evaluated(run_of(tmp_path, *boxes))
    rest = without(*boxes)
    table = evaluation.whole
    assert table.count.sum() == np.count_nonzero(rest)
    for body in (1, 2, 3):
        assert table.count[table.groundtruth == body].sum() == np.count_nonzero(rest == body)
    assert evaluation.left_out == np.count_nonzero(TRUTH) - np.count_nonzero(rest)


def test_what_the_roi_leaves_out_is_not_put_down_to_training(tmp_path):
    """Kills a count before the ROI: the report would speak of voxels that nobody meant to score."""
    roi = Roi.of_blocks([[1, 1, 1], [1, 1, 2], [2, 1, 1]])
    box = Box((32, 32, 32), (40, 84, 100))
    evaluation = evaluated(run_of(tmp_path, box, roi=roi))
    inside = np.where(roi.mask(BOUNDS), TRUTH, 0)
    assert evaluation.left_out == np.count_nonzero(inside[box.slices(START)])
    assert evaluation.whole.count.sum() == np.count_nonzero(inside) - evaluation.left_out


def test_a_run_that_was_trained_on_all_of_its_ground_truth_has_no_score(tmp_path):
    """Kills a perfect score of nothing, and an error that sends a person to look for a missing ground truth."""
    with refused(PermanentError, "groundtruth", "trained"):
        evaluated(run_of(tmp_path, BOUNDS))


def test_other_boxes_are_another_evaluation_of_the_same_segmentation(tmp_path):
    """Kills a score that is found under the key of a run with another model's boxes."""
    keys = [phase_keys(run_of(tmp_path, *boxes).spec) for boxes in ([], [Box((10, 20, 30), (20, 30, 40))])]
    assert keys[0]["evaluate"] != keys[1]["evaluate"]
    assert keys[0]["write"] == keys[1]["write"]
