"""Bricks cover a volume once, own whole blocks at every scale, and follow the chunks of the source."""

from __future__ import annotations

from math import prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emseg.geometry import Box, Coordinate
from emseg.ingest.bricks import PART_BYTES, bricks_of
from emseg.ingest.gray_pyramid import averaged

SIDES = st.tuples(*[st.integers(1, 3000)] * 3)


@given(SIDES, SIDES, SIDES, st.integers(0, 4), st.sampled_from([1, 2, 8]))
def test_bricks_tile_the_volume_and_share_no_block_of_any_scale(
    start: tuple[int, int, int], shape: tuple[int, int, int], chunk: tuple[int, int, int], scale: int, size: int
) -> None:
    """Kills bricks that are anchored at the volume: two writers would share a block."""
    box = Box.of_shape(shape, start)
    bricks = bricks_of(box, scale, size, Coordinate(*chunk))
    assert sum(brick.clipped(box).voxels for brick in bricks) == box.voxels
    edge = bricks[0].shape
    assert all(brick.shape == edge for brick in bricks)
    assert all(at % (64 << scale) == 0 for brick in bricks for at in (*brick.start, *brick.stop))
    assert prod(edge) * size <= max(PART_BYTES, (64 << scale) ** 3 * size)


@pytest.mark.parametrize(
    ("scale", "size", "chunk", "shape"),
    [
        (2, 1, (1, 4096, 4096), (256, 1024, 512)),
        (0, 1, (1, 4096, 4096), (64, 2048, 1024)),
        (2, 1, (128, 128, 128), (256, 256, 256)),
        (2, 8, (1, 4096, 4096), (256, 256, 256)),
        (0, 1, (1, 1, 1), (256, 256, 256)),
        (4, 1, (64, 64, 64), (1024, 1024, 1024)),
    ],
)
def test_bricks_follow_chunks_as_far_as_the_memory_of_a_task_goes(
    scale: int, size: int, chunk: tuple[int, int, int], shape: tuple[int, int, int]
) -> None:
    """By hand. Kills cubes that decode each section of a stack once for each brick in its plane."""
    assert bricks_of(Box.of_shape((5, 5, 5)), scale, size, Coordinate(*chunk))[0].shape == shape


def test_a_coarser_voxel_is_the_rounded_mean_of_the_finer_ones_that_are_there() -> None:
    """Oracle: numpy's mean over what is not NaN. Kills zeros from outside, and cutting in place of rounding."""
    image = np.random.default_rng(4).integers(0, 256, (5, 6, 7)).astype(np.uint8)
    start = Coordinate(1, 2, 3)
    whole = np.full((6, 6, 8), np.nan)
    whole[1:, :, 1:] = image
    blocks = whole.reshape(3, 2, 3, 2, 4, 2)
    expected = np.floor(np.nanmean(blocks, axis=(1, 3, 5)) + 0.5)
    found = averaged(image, start)
    assert found.shape == (3, 3, 4)
    np.testing.assert_array_equal(found, expected)
