"""A brick made block by block, new labels over old ones: what whole arrays give, and small cases worked by hand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from skimage.util import view_as_blocks

from emseg.dvid import IndexTable, IndexTableError, LabelPyramid, NewLabels, block_counts, downsample_labels
from emseg.dvid.labels.block import pack_block, unpack_block
from emseg.dvid.labels.bricks import blocks_of
from emseg.dvid.labels.pyramid import coarser
from emseg.geometry import Coordinate

SIDES = st.sampled_from([2, 4, 6])
Labels = npt.NDArray[np.uint64]
Mask = npt.NDArray[np.bool_]
IDS = np.array([0, 7, 5, 900, 3, 2**47], np.uint64)
"""Not ascending: kills a coarser label that is the smallest index of equally frequent ones, not the smallest id."""
TOP = (-1, 0, 2)


@given(hnp.arrays(np.bool_, st.tuples(SIDES, SIDES, SIDES)))
def test_a_coarser_voxel_is_replaced_where_any_of_its_eight_is(mask: np.ndarray) -> None:
    """Oracle: scikit-image's blocks. Kills a corner rule, an `all`, a swapped axis."""
    np.testing.assert_array_equal(coarser(mask), view_as_blocks(mask, (2, 2, 2)).any(axis=(3, 4, 5)))


@dataclass
class Brick:
    """Whole arrays: new labels as indices into IDS, which voxels they replace, inherited labels scale by scale."""

    labels: npt.NDArray[np.uint32]
    replaced: Mask
    old: list[Labels]

    @property
    def packed(self) -> list[dict[Coordinate, bytes]]:
        """Blocks with a label, as the ancestor has them."""
        first = [(z << s, y << s, x << s) for z, y, x in [TOP] for s in reversed(range(len(self.old)))]
        return [
            {block: pack_block(voxels) for block, voxels in blocks_of(old, at) if voxels.any()}
            for old, at in zip(self.old, first, strict=True)
        ]

    def new(self, block: Coordinate) -> NewLabels | None:
        """Also uint64 labels, where the block's number is odd."""
        offset = [64 * (b - (t << len(self.old) - 1)) for b, t in zip(block, TOP, strict=True)]
        at = tuple(slice(first, first + 64) for first in offset)
        labels, replaced = self.labels[at], self.replaced[at]
        if not replaced.any():
            return None
        mask = None if replaced.all() else replaced
        if sum(block) % 2:
            return NewLabels(IDS[labels] * replaced, None, mask)
        return NewLabels(labels * replaced, IDS, mask)


def random_brick(seed: int, scales: int) -> Brick:
    rng = np.random.default_rng(seed)
    side = 64 << scales

    def cubes(high: int, grain: int, side: int = side) -> np.ndarray:
        coarse = rng.integers(0, high, (-(-side // grain),) * 3)
        return coarse.repeat(grain, 0).repeat(grain, 1).repeat(grain, 2)[:side, :side, :side]

    replaced = cubes(3, 5) > 0
    for block in np.ndindex(*(side // 64,) * 3):
        part = replaced[tuple(slice(64 * b, 64 * b + 64) for b in block)]
        part[...] = rng.choice([part, np.zeros_like(part), np.ones_like(part)])
    old = [np.uint64(50) + cubes(4, 7, side >> scale).astype(np.uint64) for scale in range(scales + 1)]
    for labels in old:
        labels[labels == 50] = 0
        labels[:64, :64, :64] = 0
    return Brick(cubes(6, 3).astype(np.uint32), replaced, old)


def rows(table: IndexTable) -> set[tuple[int, ...]]:
    return set(zip(*(column.tolist() for column in (*table.block.T, table.supervoxel, table.count)), strict=True))


@pytest.mark.parametrize(("seed", "scales"), [(1, 1), (2, 1), (3, 1), (4, 2), (5, 0)])
def test_blocks_are_those_of_whole_arrays_at_every_scale(seed: int, scales: int) -> None:
    """Kills coarser labels made from new ones alone, or made anew where nothing is replaced; labels of another block
    left in a buffer; blocks written where nothing changes or where zeros hide nothing; counts of voxels that stay.
    """
    brick = random_brick(seed, scales)
    pyramid = LabelPyramid(TOP, brick.packed, brick.new)
    made: list[dict[Coordinate, bytes]] = [{} for _ in brick.old]
    for scale, (block, packed) in pyramid.blocks():
        assert block not in made[scale]
        made[scale][block] = packed
    new, replaced = IDS[brick.labels] * brick.replaced, brick.replaced
    first = tuple(at << scales for at in TOP)
    assert rows(pyramid.counts) == rows(block_counts(new, first))  # type: ignore[arg-type]
    assert rows(pyramid.replaced) == rows(block_counts(brick.old[0] * replaced, first))  # type: ignore[arg-type]
    for scale, (old, before) in enumerate(zip(brick.old, brick.packed, strict=True)):
        if scale > 0:
            new, replaced = downsample_labels(new), coarser(replaced)
        new = np.where(replaced, new, old)
        z, y, x = (at << scales - scale for at in TOP)
        masks = blocks_of(replaced.astype(np.uint64), (z, y, x))
        for (block, voxels), (_, mask) in zip(blocks_of(new, (z, y, x)), masks, strict=True):
            is_made = bool(mask.any()) and (block in before or bool(voxels.any()))
            assert (block in made[scale]) == is_made
            stored = made[scale].get(block, before.get(block))
            np.testing.assert_array_equal(0 if stored is None else unpack_block(stored), voxels)


def cube(label: int) -> Labels:
    return np.full((64, 64, 64), label, np.uint64)


def test_replaced_voxels_are_new_and_the_others_inherited_at_both_scales() -> None:
    """One replaced voxel of eight is outvoted by seven inherited ones. Where none of eight is replaced, the inherited
    coarse label stays even if it is not the mode; it is 0 where the ancestor has no coarse block.
    """
    replaced = np.zeros((64, 64, 64), bool)
    replaced[0, 0, 0] = True
    replaced[4:6, 0:2, 0:2] = True
    new = NewLabels(cube(5) * replaced, None, replaced)
    for coarse in (8, 0):
        old = [{(0, 0, 0): pack_block(cube(7))}, {(0, 0, 0): pack_block(cube(8))} if coarse else {}]
        pyramid = LabelPyramid((0, 0, 0), old, lambda block: new if block == (0, 0, 0) else None)
        (_, (_, fine)), (_, (_, half)) = pyramid.blocks()
        expected = cube(coarse)
        expected[0, 0, 0], expected[2, 0, 0] = 7, 5
        np.testing.assert_array_equal(unpack_block(half), expected)
        assert np.bincount(unpack_block(fine).ravel().astype(int))[[5, 7]].tolist() == [9, 64**3 - 9]
        assert rows(pyramid.counts) == {(0, 0, 0, 5, 9)}
        assert rows(pyramid.replaced) == {(0, 0, 0, 7, 9)}


def test_a_block_is_written_if_a_voxel_is_replaced_and_it_is_not_empty_or_hides_an_inherited_one() -> None:
    """Four blocks: not replaced; with a new label; emptied; empty as before. Kills zeros over nothing."""
    old = [{(0, 0, 0): pack_block(cube(1)), (0, 1, 0): pack_block(cube(2))}, {}]
    new = {(0, 0, 1): NewLabels(cube(3)), (0, 1, 0): NewLabels(cube(0)), (0, 1, 1): NewLabels(cube(0))}
    pyramid = LabelPyramid((0, 0, 0), old, new.get)
    made = [(scale, block) for scale, (block, _) in pyramid.blocks()]
    assert made == [(0, (0, 0, 1)), (0, (0, 1, 0)), (1, (0, 0, 0))]
    assert rows(pyramid.replaced) == {(0, 1, 0, 2, 64**3)}


def test_a_label_that_dvid_cannot_keep_is_refused_before_its_block_is_given() -> None:
    """Kills a check of the whole brick once it is written."""
    new = {(0, 0, 0): NewLabels(cube(7)), (0, 0, 1): NewLabels(cube(2**48))}
    blocks = LabelPyramid((0, 0, 0), [{}, {}], new.get).blocks()
    assert next(blocks)[1][0] == (0, 0, 0)
    with pytest.raises(IndexTableError, match="281474976710656"):
        next(blocks)
