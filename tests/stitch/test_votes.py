"""Votes: counted by hand on a tiny overlap, and by plain loops on random ones."""

import numpy as np
from benchmarks.restitch import VOXEL_SIZE_NM
from hypothesis import given
from hypothesis import strategies as st
from tests.refusals import refused
from tests.stitch.stitch_volumes import blobs, cut, grid_over

from emseg.errors import IntegrityError
from emseg.geometry import Box, Grid
from emseg.stitch import Votes, count_votes

PAIR = Grid(Box.of_shape((4, 1, 1)), (2, 1, 1), (2, 0, 0)).overlap(0, 1)
"""Two cells of two voxels along Z that both computed all four: the interface is voxels 1 and 2."""


def column(*values: int) -> np.ndarray:
    return np.array(values, np.uint32).reshape(4, 1, 1)


def test_votes_of_four_voxels_by_hand():
    """First cell: body 1 on voxels 0-2, body 2 on voxel 3. Second cell: nothing on 0, body 7 on voxels 1-3."""
    votes = count_votes(PAIR, column(1, 1, 1, 2), column(0, 7, 7, 7), VOXEL_SIZE_NM)
    second = (1 << 24) | 7
    assert list(zip(votes.first.tolist(), votes.second.tolist(), strict=True)) == [(1, second), (2, second)]
    assert votes.overlap_vox.tolist() == [2, 1]
    assert votes.first_vox.tolist() == [3, 1]
    assert votes.second_vox.tolist() == [3, 3]
    # Body 1 holds voxel 1, the last of the first core; body 2 does not. Body 7 holds voxel 2, the first of the second.
    assert votes.first_reaches.tolist() == [True, False]
    assert votes.second_reaches.tolist() == [True, True]
    # Where core meets core, voxel 1 of the first is body 1 and voxel 2 of the second body 7: one face of 10 x 10 nm.
    assert votes.contact_nm2.tolist() == [100.0, 0.0]


def test_nothing_is_shared_with_an_empty_slab():
    assert len(count_votes(PAIR, column(0, 0, 0, 0), column(1, 1, 1, 1), VOXEL_SIZE_NM)) == 0


def test_slabs_of_another_shape_are_refused_by_the_names_of_their_subvolumes():
    with refused(IntegrityError, "sv-00000000", "sv-00000001", (3, 1, 1), (4, 1, 1)):
        count_votes(PAIR, column(1, 1, 1, 1)[:3], column(1, 1, 1, 1), VOXEL_SIZE_NM)


@given(st.integers(0, 10_000))
def test_votes_equal_those_of_plain_loops(seed):
    """Kills a packed key that mixes up ids, and sizes that are counted over the shared voxels only."""
    labels = blobs((12, 10, 9), seed, bodies=6)
    subvolumes = cut(labels, grid_over(labels, 6, 2), seed)
    for votes, overlap in zip(subvolumes.votes(), subvolumes.overlaps(), strict=True):
        first, second = subvolumes.sides(overlap)
        expected = {}
        for x, y in zip(first.ravel().tolist(), second.ravel().tolist(), strict=True):
            if x and y:
                expected[x, y] = expected.get((x, y), 0) + 1
        found = zip(
            (votes.first & 0xFFFFFF).tolist(), (votes.second & 0xFFFFFF).tolist(), votes.overlap_vox, strict=True
        )
        assert {(x, y): int(n) for x, y, n in found} == expected
        assert all((first == x).sum() == n for x, n in zip(votes.first & 0xFFFFFF, votes.first_vox, strict=True))


def test_joined_tables_do_not_depend_on_the_order_of_their_parts():
    labels = blobs((12, 12, 12), 3)
    parts = cut(labels, grid_over(labels, 6, 3), seed=3).votes()
    one, other = Votes.joined(parts), Votes.joined(parts[::-1])
    assert one.to_arrow().equals(other.to_arrow())
    assert Votes.from_arrow(one.to_arrow()).to_arrow().equals(one.to_arrow())
