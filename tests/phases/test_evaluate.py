"""Evaluation leaves out what the model was trained on: exactly these voxels, and it says how many."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt, find_objects
from tests.array_labelmap import ArrayLabelmap
from tests.refusals import refused
from tests.running import a_spec

from emseg.config.groundtruth import Unassigned
from emseg.config.runspec import PinnedBox, PinnedGroundTruth, TwoLabelmaps
from emseg.engine.items import InProcess
from emseg.errors import PermanentError
from emseg.evaluate import contingency_table, only_bodies, score
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


def labelmap(array: np.ndarray) -> ArrayLabelmap:
    """The volume, and 0 beyond it."""
    whole = np.zeros(BOUNDS.stop + 8, np.uint64)
    whole[BOUNDS.slices()] = array
    return ArrayLabelmap(whole)


def run_of(tmp_path, *excluded: Box, roi: Roi | None = None, **groundtruth) -> RunContext:
    services = SimpleNamespace(
        store=FolderStore(tmp_path),
        roi=lambda _: roi,
        labelmap=lambda _, instance: labelmap(TRUTH if instance == "groundtruth" else FOUND),
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


def test_a_labelmap_without_a_segment_is_compared_with_nothing(tmp_path, monkeypatch):
    """Kills a perfect score of nothing: one unlabelled segment over one body has no error."""
    monkeypatch.setitem(globals(), "FOUND", np.zeros_like(FOUND))
    run = run_of(tmp_path)
    assert evaluated(run).score.assigned_share == 0, "of a run it is told, and the gate has a limit for it"
    bounds = PinnedBox(start=BOUNDS.start, stop=BOUNDS.stop)
    two = TwoLabelmaps(segmentation_supervoxels=False, groundtruth_supervoxels=False, extents=bounds)
    run = replace(run, spec=run.spec.model_copy(update={"two_labelmaps": two}))
    with refused(PermanentError, "no voxel that counts has a segment"):
        evaluated(run)


def test_a_mark_of_another_program_is_no_body_of_the_segmentation(tmp_path, monkeypatch):
    """Kills figures in which all voxels "outside" are one huge segment: files with such marks are refused, too."""
    monkeypatch.setitem(globals(), "FOUND", np.where(FOUND == 1, 2**64 - 1, FOUND).astype(np.uint64))
    run = run_of(tmp_path)
    region = PinnedBox(start=BOUNDS.start, stop=BOUNDS.stop)
    two = TwoLabelmaps(segmentation_supervoxels=False, groundtruth_supervoxels=False, extents=region)
    run = replace(run, spec=run.spec.model_copy(update={"two_labelmaps": two}))
    with refused(PermanentError, "reading the segmentation", 2**64 - 1, "write 0 there"):
        evaluated(run)


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


def counted(truth, found=None, scale=0):
    """Oracle: the table of the whole volume at once."""
    every = slice(None, None, 1 << scale)
    whole = [labelmap(array).array[every, every, every] for array in (FOUND if found is None else found, truth)]
    return contingency_table(*whole)


@cache
def cells(shape, number, seed):
    """Labels in cells of many voxels, 0 among them."""
    rng = np.random.default_rng(seed)
    seeds = rng.integers(0, shape, (number, 3))
    nearest = np.zeros(shape, np.int64)
    for z in range(shape[0]):
        grid = np.stack(np.meshgrid([z], *map(np.arange, shape[1:]), indexing="ij"), -1)[0]
        nearest[z] = np.argmin(((grid[..., None, :] - seeds) ** 2).sum(-1), axis=-1)
    return nearest.astype(np.uint64)


@pytest.fixture
def cellular(monkeypatch):
    """A ground truth of bodies that cross the faces of cores; the 30 bodies are of very different sizes."""
    monkeypatch.setitem(globals(), "TRUTH", cells(SHAPE, 30, 1).copy())


def outside_the_band(labels, band_nm, voxel_size_nm):
    """Oracle: SciPy, body by body."""
    kept = np.zeros(labels.shape, bool)
    for body, place in enumerate(find_objects(labels.astype(np.int64)), 1):
        around = tuple(slice(max(0, axis.start - 9), axis.stop + 9) for axis in place)
        own = labels[around] == body
        kept[around] |= own & (distance_transform_edt(own, sampling=voxel_size_nm) > band_nm + 1e-6)
    return kept


@pytest.mark.parametrize("band_nm", [10.0, 31.0])
def test_the_band_at_boundaries_is_right_at_the_faces_of_cores(tmp_path, cellular, band_nm):
    """Oracle: SciPy on the whole volume. Kills cores without a halo, and faces of the volume as boundaries."""
    size = a_spec(BOUNDS).volume.voxel_size_nm
    kept = np.zeros(SHAPE, bool)
    for body in range(1, 30):
        kept |= distance_transform_edt(body == TRUTH, sampling=size) > band_nm + 1e-6
    evaluation = evaluated(run_of(tmp_path, ignore_boundary_nm=band_nm))
    assert evaluation.whole == counted(np.where(kept, TRUTH, np.uint64(0)))
    assert 0 < evaluation.whole.voxels < np.count_nonzero(TRUTH) * 0.9
    assert evaluation.left_out == 0


def test_the_bodies_that_count_are_those_of_the_list(tmp_path, cellular):
    """Kills a list that makes boundaries of its own: the band is there where a body that does not count begins."""
    evaluation = evaluated(run_of(tmp_path, bodies=(29, 3, 4, 3)))
    assert evaluation.whole == counted(np.where(np.isin(TRUTH, [3, 4, 29]), TRUTH, np.uint64(0)))
    banded = [evaluated(run_of(tmp_path, ignore_boundary_nm=20.0, **more)) for more in ({}, {"bodies": (3, 4, 29)})]
    of_all, of_some = (evaluation.whole for evaluation in banded)
    assert of_some == only_bodies(of_all, np.array([3, 4, 29], np.uint64))


def test_a_listed_body_without_a_voxel_is_named(tmp_path, cellular):
    """Kills a misspelt body that silently makes the ground truth smaller."""
    with refused(PermanentError, "bodies", 77):
        evaluated(run_of(tmp_path, bodies=(3, 77)))


def test_bodies_below_the_floor_do_not_count_anywhere(tmp_path, cellular):
    """Oracle: sizes in the whole volume. Kills a floor for each subvolume, and one for the whole only."""
    sizes = np.bincount(TRUTH.ravel().astype(np.int64))
    floor = int(np.median(sizes[1:]))
    evaluation = evaluated(run_of(tmp_path, min_body_vox=floor))
    kept = np.where((sizes >= floor)[TRUTH.astype(np.int64)], TRUTH, np.uint64(0))
    assert evaluation.whole == counted(kept)
    assert sum(each.voxels for each in evaluation.subvolumes.values()) == evaluation.whole.voxels
    with refused(PermanentError, "groundtruth"):
        evaluated(run_of(tmp_path, min_body_vox=int(sizes.max()) + 1))


@pytest.mark.parametrize("scale", [1, 2])
def test_at_a_coarser_scale_every_voxel_counts_once(tmp_path, cellular, scale):
    """Kills voxels that two cores count, or none, where the volume begins at an odd voxel."""
    roi = Roi.of_blocks([[0, 0, 0], [1, 1, 1], [1, 1, 2], [2, 1, 1], [3, 2, 3]])
    inside = np.where(roi.mask(BOUNDS), TRUTH, np.uint64(0))
    assert evaluated(run_of(tmp_path, scale=scale)).whole == counted(TRUTH, scale=scale)
    assert evaluated(run_of(tmp_path / "roi", roi=roi, scale=scale)).whole == counted(inside, scale=scale)


def test_a_coarse_voxel_of_which_a_part_was_trained_on_does_not_count(tmp_path, cellular):
    """Kills boxes that are rounded inwards."""
    evaluation = evaluated(run_of(tmp_path, Box((33, 40, 51), (35, 50, 60)), scale=1))
    rest = without(Box((32, 40, 50), (36, 50, 60)))
    assert evaluation.whole == counted(rest, scale=1)
    assert evaluation.left_out == counted(TRUTH, scale=1).voxels - evaluation.whole.voxels > 0


def test_the_band_at_a_coarser_scale_is_as_wide_in_nm(tmp_path, cellular):
    """Kills a band in voxels, and a halo of scale 0."""
    z, y, x = a_spec(BOUNDS).volume.voxel_size_nm
    every = slice(None, None, 2)
    coarse = labelmap(TRUTH).array[every, every, every][Box(START, BOUNDS.stop).coarser(2).slices()]
    kept = outside_the_band(coarse, 25.0, (2 * z, 2 * y, 2 * x))
    evaluation = evaluated(run_of(tmp_path, ignore_boundary_nm=25.0, scale=1))
    assert evaluation.whole.voxels == np.count_nonzero(kept)


@pytest.mark.parametrize(
    "other", [{"ignore_boundary_nm": 8.0}, {"bodies": (3,)}, {"min_body_vox": 9}, {"scale": 1}], ids=str
)
def test_what_counts_is_in_the_key(tmp_path, other):
    """Kills a score that is found under the key of other options."""
    keys = [phase_keys(run_of(tmp_path, **options).spec) for options in ({}, other)]
    assert keys[0]["evaluate"] != keys[1]["evaluate"]
    assert keys[0]["write"] == keys[1]["write"]
