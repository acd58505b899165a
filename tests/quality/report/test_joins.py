"""Precision and recall of joins, by hand."""

from __future__ import annotations

import numpy as np

from emseg.config.stitching import Stitching, StitchMode
from emseg.geometry.supervoxel_ids import supervoxel_ids
from emseg.quality.report.joins import THIS_RUN, JoinCount, clear_bodies, count_joins
from emseg.stitch import BodyMapping, Votes

ONE_NM = (1.0, 1.0, 1.0)


def votes(*rows: tuple[int, int, int, int, int]) -> Votes:
    """Votes of cells 0 and 1: first, second, shared, voxels of first, of second. All reach the interface."""
    first, second, shared, a, b = np.array(rows).T
    reach = np.ones(len(rows), bool)
    ids = (supervoxel_ids(side.astype(np.uint32), cell) for cell, side in enumerate((first, second)))
    return Votes(*ids, shared, a, b, np.zeros(len(rows)), reach, reach)


def of_both(found: Votes, first: list[int], second: list[int]) -> tuple[np.ndarray, np.ndarray]:
    return np.array(first, np.uint64), np.array(second, np.uint64)


def test_the_four_votes_of_the_docstring():
    """Judged: 1-1 same, 2-2 same, 3-3 same, 4-4 other; the mode takes 1-1, 2-2 and 4-4. 5-5 has no clear body.

    Kills a precision over all joins, and a recall over all votes: both would count 5-5.
    """
    rows = votes(
        (1, 1, 95, 100, 100), (2, 2, 95, 100, 100), (3, 3, 50, 100, 100), (4, 4, 95, 100, 100), (5, 5, 95, 100, 100)
    )
    stitching = Stitching(mode=StitchMode.CONSERVATIVE, min_overlap_nm3=10)
    found = count_joins(rows, of_both(rows, [7, 8, 9, 7, 0], [7, 8, 9, 8, 7]), BodyMapping.none(), stitching, ONE_NM)
    assert found["conservative"] == JoinCount(joins=4, judged=3, right=2, wanted=3)
    told = found["conservative"].accuracy("conservative")
    assert (told.precision, told.recall) == (2 / 3, 2 / 3)
    assert found["medium"] == JoinCount(joins=5, judged=4, right=3, wanted=3)
    assert found["none"].accuracy("none").precision is None
    assert found["none"].accuracy("none").recall == 0


def test_a_run_is_given_what_is_one_body_in_the_end():
    """Kills a run that is judged by its rules: constraints refuse joins, and others make them through a third."""
    rows = votes((1, 1, 95, 100, 100), (2, 2, 95, 100, 100))
    ids = np.sort(np.array([rows.first[0], rows.second[0]]))
    mapping = BodyMapping(ids, np.full(2, ids[0]))
    bodies = of_both(rows, [7, 8], [7, 8])
    found = count_joins(rows, bodies, mapping, Stitching(min_overlap_nm3=10), ONE_NM)
    assert found[THIS_RUN] == JoinCount(joins=1, judged=1, right=1, wanted=2)


def test_votes_that_no_mode_may_take_are_in_no_count():
    """Kills a recall that blames modes for touches of a few voxels."""
    rows = votes((1, 1, 95, 100, 100), (2, 2, 5, 100, 100))
    bodies = of_both(rows, [7, 8], [7, 8])
    found = count_joins(rows, bodies, BodyMapping.none(), Stitching(min_overlap_nm3=10), ONE_NM)
    assert found["aggressive"].wanted == 1
    assert JoinCount(1, 1, 1, 1) + JoinCount(2, 1, 0, 3) == JoinCount(3, 2, 1, 4)


def test_a_clear_body_is_most_of_a_supervoxel_that_mostly_counts():
    """Label 1: 9 of 10 counted voxels are of body 5. Label 2: 8 of 10. Label 3: 4 of 10 voxels count, all of body 6.
    Label 4: half of its voxels count. Kills a majority, and a body that is told from a corner.
    """
    labels = np.repeat(np.array([0, 1, 2, 3, 4], np.uint32), 10).reshape(5, 1, 10)
    truth = np.array([[5] * 10, [5] * 9 + [6], [5] * 8 + [6] * 2, [6] * 4 + [0] * 6, [6] * 5 + [0] * 5], np.uint64)
    found = clear_bodies(labels, truth.reshape(labels.shape), cell=3)
    wanted = supervoxel_ids(np.array([1, 2, 3, 4], np.uint32), 3)
    assert found.of(wanted).tolist() == [5, 0, 0, 6]
    assert clear_bodies(labels, truth.reshape(labels.shape) * 0, cell=3).of(wanted).tolist() == [0, 0, 0, 0]
