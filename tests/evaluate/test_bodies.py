"""Scores by body: they add up to the whole, name the worst first, and count fragments as a person would."""

from __future__ import annotations

import numpy as np
import pytest

from emseg.evaluate import ContingencyTable, contingency_table, per_body, per_segment, score


def table(*rows) -> ContingencyTable:
    seg, truth, count = zip(*sorted(rows), strict=True)
    return ContingencyTable(np.array(seg, np.uint64), np.array(truth, np.uint64), np.array(count, np.int64))


@pytest.mark.parametrize("by", [per_body, per_segment])
def test_the_columns_add_up_to_the_whole(by):
    """Kills contributions weighted by body in place of by voxel."""
    rng = np.random.default_rng(3)
    whole = contingency_table(rng.integers(0, 30, (20, 20, 20)), rng.integers(0, 9, (20, 20, 20)))
    found, total = by(whole), score(whole)
    assert found.vi_split.sum() == pytest.approx(total.vi_split)
    assert found.vi_merge.sum() == pytest.approx(total.vi_merge)
    assert found.voxels.sum() == total.voxels


def test_a_body_cut_in_halves_adds_one_bit_and_names_its_best_piece():
    found = per_body(table((4, 9, 50), (3, 9, 50)))
    assert found.vi_split.tolist() == pytest.approx([1.0])
    assert found.vi_merge.tolist() == pytest.approx([0.0])
    assert (found.best_partner.tolist(), found.best_share.tolist()) == ([3], [0.5])


def test_a_segment_that_joins_two_bodies_adds_one_bit_of_merge():
    """Kills split and merge exchanged in the per-segment view."""
    found = per_segment(table((1, 8, 50), (1, 9, 50)))
    assert found.vi_merge.tolist() == pytest.approx([1.0])
    assert found.vi_split.tolist() == pytest.approx([0.0])


def test_the_worst_body_comes_first_and_ties_go_by_id():
    """Kills sorting by size or id, which would send proofreaders to sound bodies."""
    found = per_body(table((1, 5, 90), (2, 6, 20), (3, 6, 20), (4, 7, 20), (5, 7, 20), (6, 2, 10)))
    assert found.ids.tolist() == [6, 7, 2, 5]
    assert found.worst(2).ids.tolist() == [6, 7]
    assert len(found) == 4


def test_fragments_are_the_fewest_pieces_that_hold_nine_tenths():
    """Kills counting every one-voxel overlap at a border as a fragment."""
    found = per_body(
        table((1, 1, 950), (2, 1, 30), (3, 1, 20), (4, 2, 500), (5, 2, 400), (6, 2, 100), (7, 3, 89), (8, 3, 11))
    )
    by_id = dict(zip(found.ids.tolist(), found.fragments.tolist(), strict=True))
    assert by_id == {1: 1, 2: 2, 3: 2}
