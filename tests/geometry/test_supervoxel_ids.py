"""Ids of supervoxels, worked by hand."""

import numpy as np
import pytest
from tests.refusals import refused

from emseg.errors import PermanentError
from emseg.stitch import cells_of, supervoxel_ids

LABELS = np.array([[[0, 5], [7, 0]], [[5, 2**24 - 1], [1, 1]]], np.uint32)
OF_CELL_3 = np.array([[[0, 50331653], [50331655, 0]], [[50331653, 67108863], [50331649, 50331649]]], np.uint64)


@pytest.mark.parametrize("layout", [np.ascontiguousarray, np.asfortranarray, lambda a: np.flip(np.flip(a).copy())])
def test_an_id_is_the_cell_and_the_label_and_0_stays_0(layout):
    """Kills a cell number that reaches voxels without a label, and labels read in the order of memory."""
    np.testing.assert_array_equal(supervoxel_ids(layout(LABELS), 3), OF_CELL_3)
    np.testing.assert_array_equal(supervoxel_ids(layout(LABELS), 0), LABELS)
    assert set(cells_of(OF_CELL_3[OF_CELL_3 > 0]).tolist()) == {3}


def test_lists_of_labels_have_ids_too():
    assert supervoxel_ids(np.array([5, 0], np.uint32), 3).tolist() == [50331653, 0]
    assert supervoxel_ids(np.empty(0, np.uint32), 3).tolist() == []


def test_a_label_without_room_is_refused_by_its_cell():
    """Kills the id of the next cell's supervoxel."""
    with refused(PermanentError, "cell 12", 2**24):
        supervoxel_ids(np.array([1, 2**24], np.uint32), 12)
