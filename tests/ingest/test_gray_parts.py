"""A grayscale volume that comes in parts is, at every scale, what it would be in one; or a part is refused."""

from __future__ import annotations

import numpy as np
import pytest
from tests.refusals import refused

from emseg.dvid import Grayscale, Node
from emseg.errors import PermanentError
from emseg.geometry import Box, Coordinate
from emseg.ingest import ingest_grayscale
from emseg.ingest.arrays import ArrayVolume
from emseg.ingest.gray_pyramid import GrayPyramid, averaged

pytestmark = pytest.mark.services

VOXEL_NM = (8.0, 8.0, 8.0)
WHOLE = Box((1, 0, 2), (80, 70, 79))
IMAGE = np.random.default_rng(3).integers(1, 256, WHOLE.shape).astype(np.uint8)


def _ingest(node: Node, instance: str, box: Box, max_scale: int, image: np.ndarray = IMAGE) -> None:
    source = ArrayVolume(image[box.slices(WHOLE.start)], "test")
    ingest_grayscale(node, instance, source, VOXEL_NM, box.start, max_scale=max_scale)


def _scale(node: Node, instance: str, scale: int) -> np.ndarray:
    gray = Grayscale(node, f"{instance}_{scale}" if scale else instance)
    assert gray.info().extents == WHOLE.coarser(1 << scale)
    return gray.read(WHOLE.coarser(1 << scale))


@pytest.mark.parametrize("at", [45, 46, 47, 64])
@pytest.mark.parametrize("axis", [0, 2])
def test_the_seam_of_two_parts_is_at_every_scale_that_of_the_whole(node: Node, axis: int, at: int) -> None:
    """Oracle: the mean over the whole array. Kills a seam of which each part knows its own side alone, and a first part
    that is written again without the second.
    """
    stop, start = list(WHOLE.stop), list(WHOLE.start)
    stop[axis] = start[axis] = at
    first, second = Box(WHOLE.start, Coordinate.of(stop)), Box(Coordinate.of(start), WHOLE.stop)
    for part in (first, second, first):
        _ingest(node, "gray", part, 2)
    expected, begin = IMAGE, WHOLE.start
    for scale in range(3):
        np.testing.assert_array_equal(_scale(node, "gray", scale), expected, err_msg=f"scale {scale}")
        expected, begin = averaged(expected, begin), begin // 2


def test_a_corrected_piece_is_corrected_at_every_scale(node: Node) -> None:
    _ingest(node, "gray", WHOLE, 2)
    corrected = IMAGE.copy()
    piece = Box((5, 7, 11), (6, 20, 30))
    corrected[piece.slices(WHOLE.start)] ^= 255
    _ingest(node, "gray", piece, 2, corrected)
    coarse = averaged(corrected, WHOLE.start)
    np.testing.assert_array_equal(_scale(node, "gray", 1), coarse)
    np.testing.assert_array_equal(_scale(node, "gray", 2), averaged(coarse, WHOLE.start // 2))


def test_a_part_with_fewer_or_more_scales_than_the_others_is_refused(node: Node) -> None:
    """Kills `gray_1` that keeps the voxels of an earlier ingestion, or holds half of the volume."""
    first, second = Box(WHOLE.start, (45, 70, 79)), Box((45, 0, 2), WHOLE.stop)
    _ingest(node, "gray", first, 2)
    for box in (first, second):
        with refused(PermanentError, "gray_1", "--max-scale 2"):
            _ingest(node, "gray", box, 0)
    with refused(PermanentError, "gray_2", "--max-scale 2"):
        _ingest(node, "gray", second, 1)
    _ingest(node, "plain", first, 0)
    with refused(PermanentError, "plain_1", WHOLE.start, WHOLE.stop):
        _ingest(node, "plain", second, 1)
    assert "plain_1" not in node.repo().instances
    _ingest(node, "plain", first, 1)
    _ingest(node, "plain", second, 1)
    np.testing.assert_array_equal(_scale(node, "plain", 1), averaged(IMAGE, WHOLE.start))


def test_two_parts_at_once_are_told(node: Node) -> None:
    """Kills extents of one part alone, and voxels of a shared block that the other writer replaced, in silence."""
    first, second = Box(WHOLE.start, (65, 70, 79)), Box((65, 0, 2), WHOLE.stop)
    targets = [
        GrayPyramid(node, "gray", ArrayVolume(IMAGE[box.slices(WHOLE.start)], "test"), box, 0)
        for box in (Box(WHOLE.start, (64, 70, 79)), second)
    ]
    for target in targets:
        target.create(VOXEL_NM)
    for target in targets:
        target.write(WHOLE.covering(64))
    with refused(PermanentError, "gray"):
        targets[0].finish()
    for box in (first, second):
        _ingest(node, "gray", box, 0)
    np.testing.assert_array_equal(_scale(node, "gray", 0), IMAGE)
