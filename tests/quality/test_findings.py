from __future__ import annotations

import numpy as np
import pytest

from emseg.evaluate import contingency_table
from emseg.quality import Findings, worst_findings


@pytest.fixture
def found() -> Findings:
    """Body 1 (8 voxels) in four equal segments, body 2 (4) and body 3 (4) in one segment; 4 voxels unassigned."""
    truth = np.array([1] * 8 + [2] * 4 + [3] * 4 + [4] * 4)
    segmentation = np.array([11, 11, 12, 12, 13, 13, 14, 14] + [20] * 8 + [0] * 4)
    table = contingency_table(segmentation, truth)
    return worst_findings(table, count=3)


def test_the_cut_body_and_the_joining_segment_are_named_with_their_bits(found):
    """By hand, N = 20: body 1 adds 8/20 * log2(4) = 0.8 bits of split, segment 20 adds 8/20 * 1 = 0.4 of merge."""
    (cut,), (joining,) = found.cut, found.joining
    assert (cut.body, cut.voxels, cut.partners, cut.bits) == (1, 8, 4, pytest.approx(0.8))
    assert (joining.body, joining.voxels, joining.partners, joining.bits) == (20, 8, 2, pytest.approx(0.4))


def test_a_finding_names_the_partners_that_it_is_about(found):
    """Kills partners in order of their ids, unassigned voxels as a partner, and more of them than hold 90 %."""
    assert found.cut[0].partner_ids == (11, 12, 13, 14)
    assert found.joining[0].partner_ids == (2, 3)
    truth = np.array([1] * 20 + [2] * 4)
    segmentation = np.array([9] * 4 + [8] * 8 + [0] * 7 + [7] + [7] * 4)
    (cut,) = worst_findings(contingency_table(segmentation, truth)).cut
    assert (cut.partners, cut.partner_ids) == (3, (8, 9))


def test_whole_bodies_and_the_unassigned_are_no_finding(found):
    """Kills a list filled up with bodies that cost nothing, or with segment 0."""
    assert [f.body for f in found.cut] == [1]
    assert [f.body for f in found.joining] == [20]


def test_the_unassigned_are_left_out_even_where_they_span_several_bodies():
    table = contingency_table(np.array([0, 0, 5, 5]), np.array([1, 2, 3, 4]))
    assert [f.body for f in worst_findings(table).joining] == [5]


def test_each_list_has_its_own_order():
    """Kills taking the first rows as they come, which are sorted by split + merge together."""
    truth = np.array([1] * 4 + [2] * 4 + [3] * 2)
    segmentation = np.array([10, 10, 11, 11, 12, 12, 12, 13, 12, 12])
    table = contingency_table(segmentation, truth)
    assert [f.body for f in worst_findings(table).cut] == [1, 2]


def test_a_count_limits_both_lists_and_the_sentences_read_well(found):
    assert found.sentences() == (
        "Body 1 of the ground truth (8 voxels) costs 0.800 bits of VI split; 90 % of it takes 4 segments",
        "Segment 20 (8 voxels) costs 0.400 bits of VI merge; 90 % of it lies in 2 bodies",
    )
    table = contingency_table(np.arange(8), np.repeat([1, 2, 3, 4], 2))
    assert len(worst_findings(table, count=2).cut) == 2
