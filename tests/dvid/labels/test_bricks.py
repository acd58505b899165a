"""Voxels of labels in blocks are what NumPy counts, whatever the labels and wherever the blocks lie in memory."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from emseg.dvid import block_counts

Labels = npt.NDArray[np.uint64]


def brick(number: int, grain: int) -> Labels:
    """Two blocks in z, one in y, three in x, of `number` labels in cubes of `grain` voxels, a part of them 0."""
    rng = np.random.default_rng(number)
    palette = rng.integers(0, 2**64 - 1, number, np.uint64, endpoint=True)
    palette[: number // 3] = 0
    coarse = palette[rng.integers(0, number, (-(-128 // grain), -(-64 // grain), -(-192 // grain)))]
    return coarse.repeat(grain, 0).repeat(grain, 1).repeat(grain, 2)[:128, :64, :192]


def counted_by_numpy(labels: Labels, first: tuple[int, int, int]) -> list[tuple[int, ...]]:
    rows: list[tuple[int, ...]] = []
    for z, y, x in np.ndindex(*(side // 64 for side in labels.shape)):
        block = labels[64 * z : 64 * z + 64, 64 * y : 64 * y + 64, 64 * x : 64 * x + 64]
        for label, count in zip(*np.unique(block, return_counts=True), strict=True):
            if label:
                rows.append((first[0] + z, first[1] + y, first[2] + x, int(label), int(count)))
    return rows


@pytest.mark.parametrize("grain", [1, 3, 8, 100])
@pytest.mark.parametrize("number", [1, 2, 5, 70, 600, 10**6])
def test_every_voxel_of_a_label_is_counted_in_its_block(number: int, grain: int) -> None:
    """From one label to a million, solid to noise; kills 0 counted, a count beyond 16 bits, labels lost past a few."""
    labels, first = brick(number, grain), (-3, 0, 5)
    table = block_counts(labels, first)
    found = [
        (*block, label, count)
        for block, label, count in zip(
            table.block.tolist(), table.supervoxel.tolist(), table.count.tolist(), strict=True
        )
    ]
    assert found == counted_by_numpy(labels, first)
    assert (table.body == table.supervoxel).all()
    assert (table.block.dtype, table.supervoxel.dtype, table.count.dtype) == (np.int32, np.uint64, np.uint32)


@pytest.mark.parametrize(
    "seen_as",
    [np.asfortranarray, lambda labels: labels.astype(np.uint32), lambda labels: np.pad(labels, 5)[5:-5, 5:-5, 5:-5]],
)
def test_the_memory_of_the_labels_makes_no_difference(seen_as) -> None:  # type: ignore[no-untyped-def]
    """Kills rows read past the end of narrower voxels, or across scattered ones."""
    labels = brick(9, 3) % np.uint64(2**32)
    assert block_counts(seen_as(labels), (0, 0, 0)).count.tolist() == block_counts(labels, (0, 0, 0)).count.tolist()


def test_blocks_without_a_label_have_no_rows() -> None:
    assert len(block_counts(np.zeros((64, 64, 128), np.uint64), (0, 0, 0))) == 0
