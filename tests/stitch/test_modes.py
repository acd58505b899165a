"""The rules of the modes, on tables worked by hand; a voxel has 1000 nm3."""

import numpy as np
import pytest
from benchmarks.restitch import VOXEL_SIZE_NM
from tests.stitch.stitch_volumes import vote_table

from emseg.config import StitchMode
from emseg.config.stitching import Constraints, Stitching
from emseg.stitch import Evidence, Votes, resolve

NO_CONSTRAINTS = Constraints(kept_apart_nm2=None, max_weak_um3=None)
A, B = 1, 2
P, Q = (1 << 24) | 1, (1 << 24) | 2


def reasons(table: Votes, mode: str = "medium", quarantined: tuple[int, ...] = (), **fields: object) -> list[str]:
    stitching = Stitching(mode=StitchMode(mode), constraints=NO_CONSTRAINTS, **fields)
    return resolve(Evidence(table, quarantined=quarantined), stitching, VOXEL_SIZE_NM).ledger["reason"].to_pylist()


def test_medium_joins_mutual_best_partners_only():
    """B prefers P, but P prefers A: B stays alone."""
    assert reasons(vote_table((A, P, 100, 120, 200), (B, P, 80, 90, 200))) == ["joined", "not mutual best"]


def test_the_floor_is_a_floor_that_must_be_passed():
    """50 voxels of 10 nm are 50 000 nm3; of 20 x 10 x 10 nm they are twice that."""
    table = vote_table((A, P, 50, 60, 60), (B, Q, 51, 60, 60))
    assert reasons(table, min_overlap_nm3=50_000) == ["overlap too small", "joined"]
    thick = resolve(Evidence(table), Stitching(mode=StitchMode.MEDIUM), (20.0, 10.0, 10.0))
    assert thick.ledger["reason"].to_pylist() == ["joined", "joined"]


def test_a_supervoxel_that_does_not_reach_the_interface_proposes_nothing():
    table = vote_table((A, P, 100, 100, 100, False, True), (B, Q, 100, 100, 100, True, False))
    assert reasons(table) == []


def test_mode_none_joins_nothing_and_says_so():
    assert reasons(vote_table((A, P, 100, 100, 100)), "none") == ["mode joins nothing"]


def test_conservative_asks_for_nine_tenths_of_both():
    """90 of 100 and of 100 joins; 89 of 100 does not, nor 99 of 99 and of 200."""
    table = vote_table((A, P, 90, 100, 100), (B, Q, 89, 100, 99))
    assert reasons(table, "conservative") == ["joined", "not nearly equal"]
    assert reasons(vote_table((A, P, 99, 99, 200)), "conservative") == ["not nearly equal"]


def test_aggressive_takes_one_side_if_nearly_all_of_it_is_shared_and_much():
    """P prefers A. B shares 1001 of 1100 voxels with it (91 %): joined; 1000 of 1050 are not more than 1000; and 1001
    of 1113 are not more than 90 %. `medium` takes none of them."""
    large = (A, P, 5000, 5500, 9000)
    for row, expected in (
        ((B, P, 1001, 1100, 9000), "joined"),
        ((B, P, 1000, 1050, 9000), "not mutual best"),
        ((B, P, 1001, 1113, 9000), "not mutual best"),
    ):
        assert reasons(vote_table(large, row), "aggressive") == ["joined", expected]
        assert reasons(vote_table(large, row), "medium") == ["joined", "not mutual best"]


def test_nothing_joins_a_supervoxel_that_is_never_written():
    """Kills bridges over supervoxels that lie in a halo alone: the larger side does not reach the interface."""
    large = (A, P, 5000, 5500, 9000, True, True)
    for reaches in ((True, False), (False, True)):
        assert reasons(vote_table(large, (B, P, 2000, 2000, 9000, *reaches)), "aggressive") == ["joined"]


def test_iou_asks_for_the_jaccard_index():
    """60 shared of 100 and 80: 60 / 120 = 0.5 joins at 0.5 and not at 0.51."""
    table = vote_table((A, P, 60, 100, 80))
    assert reasons(table, "iou", iou_min=0.5) == ["joined"]
    assert reasons(table, "iou", iou_min=0.51) == ["Jaccard index too small"]


def test_equal_overlaps_are_settled_by_the_larger_share_then_the_smaller_id():
    """Kills ties that are settled by the order of rows."""
    assert reasons(vote_table((A, P, 60, 100, 100), (A, Q, 60, 100, 60))) == ["not mutual best", "joined"]
    assert reasons(vote_table((A, Q, 60, 100, 80), (A, P, 60, 100, 80))) == ["not mutual best", "joined"]


def test_best_partners_are_sought_in_each_overlap_apart():
    """A crosses into two cells: a larger overlap with one is no reason against the other."""
    other_cell = (2 << 24) | 1
    table = vote_table((A, P, 100, 120, 120), (A, other_cell, 900, 950, 950))
    mapping = resolve(Evidence(table), Stitching(), VOXEL_SIZE_NM).mapping
    assert mapping.body_of(np.array([A, P, other_cell, 77, 0], np.uint64)).tolist() == [A, A, A, 77, 0]


@pytest.mark.parametrize("mode", ["medium", "aggressive", "iou"])
def test_beside_a_quarantined_subvolume_only_nearly_equal_supervoxels_join(mode):
    """By hand: of 100 voxels on both sides 95 are shared (joins), or 80 (joins only where nothing is quarantined)."""
    table = vote_table((A, P, 95, 100, 100), (B, Q, 80, 100, 100))
    assert reasons(table, mode) == ["joined", "joined"]
    for quarantined in (0, 1):
        careful = reasons(table, mode, (quarantined,))
        assert careful == ["joined", "not nearly equal, and one side is quarantined"]
    assert reasons(table, mode, (7,)) == ["joined", "joined"]


def test_beside_a_quarantined_subvolume_nothing_joins_by_one_side():
    table = vote_table((A, P, 5000, 5100, 5200), (B, P, 2000, 2000, 5200))
    assert reasons(table, "aggressive", (1,))[1] == "not mutual best"
