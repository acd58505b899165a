"""Sources from files: the right voxels under the right name, and everything else refused by name."""

from __future__ import annotations

import numpy as np
import pytest
from tests.refusals import refused

from emseg.errors import PermanentError
from emseg.geometry import Box
from emseg.segment.model import TrainingRegion, file_source
from emseg.training.sources import check_apart, check_memory, source_of_arrays

ISOTROPIC = (10.0, 10.0, 10.0)
GRAY = np.random.default_rng(0).integers(0, 256, (12, 14, 16), np.uint8)
TRUTH = np.arange(GRAY.size, dtype=np.uint64).reshape(GRAY.shape)
ALL = Box((0, 0, 0), (12, 14, 16))


def sources(*boxes: Box, voxel_size=ISOTROPIC, gray=GRAY, truth=TRUTH):
    return source_of_arrays(gray, truth, voxel_size, boxes, "a file")


def test_without_boxes_the_whole_file_is_one_source():
    (source,) = sources()
    assert np.array_equal(source.volume.grayscale, GRAY)
    assert (source.region.start, source.region.stop) == (ALL.start, ALL.stop)


def test_a_box_is_cut_from_both_volumes_and_named_by_the_whole_grayscale():
    """Kills a box in X Y Z, one cut from one volume only, and a digest of the box, which `evaluate` would not know."""
    boxes = Box((1, 2, 3), (4, 6, 8)), Box((4, 2, 3), (12, 14, 16))
    for source, box in zip(sources(*boxes), boxes, strict=True):
        assert np.array_equal(source.volume.grayscale, GRAY[box.slices()])
        assert np.array_equal(source.volume.groundtruth, TRUTH[box.slices()])
        assert source.region == TrainingRegion(source=file_source(GRAY), start=box.start, stop=box.stop)


def test_the_name_of_a_file_is_its_voxels_wherever_it_lies():
    """Kills a name made from the path, the memory layout, or the ground truth."""
    (one,) = sources()
    (other,) = source_of_arrays(np.asfortranarray(GRAY), TRUTH + np.uint64(1), ISOTROPIC, [], "a copy")
    changed = GRAY.copy()
    changed[0, 0, 0] ^= 1
    assert one.region.source == other.region.source
    assert sources(gray=changed)[0].region.source != one.region.source


@pytest.mark.parametrize(
    ("box", "bounds"),
    [
        (Box((0, 0, 0), (0, 14, 16)), ()),
        (Box((5, 5, 5), (2, 8, 8)), ()),
        (Box((-1, 0, 0), (4, 4, 4)), (ALL.start, ALL.stop)),
        (Box((0, 0, 0), (12, 14, 17)), (ALL.start, ALL.stop)),
    ],
)
def test_a_box_that_holds_nothing_or_leaves_the_data_is_refused(box, bounds):
    """Kills negative numbers taken for numpy's "from the end": other voxels than the model says it was trained on."""
    with refused(PermanentError, "a file", box.start, box.stop, *bounds):
        sources(box)


def test_boxes_that_share_a_voxel_are_refused_and_neighbours_are_not():
    """Kills a voxel on both sides of the halving: its own answer would be scored as out of fold."""
    sources(Box((0, 0, 0), (6, 14, 16)), Box((6, 0, 0), (12, 14, 16)))
    with refused(PermanentError, "a file", (0, 0, 0), (7, 14, 16), (6, 0, 0), (12, 14, 16)):
        sources(Box((0, 0, 0), (7, 14, 16)), Box((6, 0, 0), (12, 14, 16)))


def test_one_volume_in_two_files_is_still_one_volume():
    """Kills a check of each file for itself; the same box of two volumes is two boxes."""
    copies = [sources()[0].region, sources()[0].region]
    with refused(PermanentError, "two files", (0, 0, 0), (12, 14, 16)):
        check_apart(copies, "two files")
    other = sources(gray=255 - GRAY)[0].region
    check_apart([copies[0], other], "two volumes")


def test_boxes_that_take_too_much_memory_are_refused_together():
    """Kills a limit for each box alone. By hand: 1000 MiB, and 16 Mvoxels of 100 bytes are 1525.9 MiB."""
    half = Box((0, 0, 0), (80, 250, 400))
    check_memory([half, half], 2526, "a dataset")
    with refused(PermanentError, "a dataset", "limits.max_task_memory_mb = 2525", 16_000_000, 2526):
        check_memory([half, half], 2525, "a dataset")


@pytest.mark.parametrize(
    "size", [(0.0, 10.0, 10.0), (10.0, -4.0, 4.0), (float("nan"), 4.0, 4.0), (40, 4, float("inf"))]
)
def test_a_voxel_size_that_is_not_above_0_is_refused(size):
    with refused(PermanentError, "a file", tuple(map(float, size))):
        sources(voxel_size=size)


@pytest.mark.parametrize(
    ("gray", "truth"), [(GRAY, TRUTH[:10]), (GRAY[0], TRUTH[0]), (GRAY[None], TRUTH[None]), (GRAY, TRUTH.T)]
)
def test_volumes_of_different_or_strange_shapes_are_refused(gray, truth):
    with refused(PermanentError, "a file", gray.shape, truth.shape):
        sources(gray=gray, truth=truth)
