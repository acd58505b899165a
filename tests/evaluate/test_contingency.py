"""Contingency tables: exact for any ids and any cut into blocks, and refused when stored bytes are damaged."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from tests.refusals import refused

from emseg.codec import decode_table, encode_table
from emseg.errors import IntegrityError, PermanentError
from emseg.evaluate import ContingencyTable, contingency_table, merged

IDS = st.sampled_from([0, 1, 2, 3, 2**32, 2**53, 2**53 + 1, 2**64 - 1])
SHAPES = hnp.array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=6)


def counted(segmentation, groundtruth) -> dict[tuple[int, int], int]:
    """Oracle: one voxel at a time, with Python's own integers."""
    pairs = zip(segmentation.ravel().tolist(), groundtruth.ravel().tolist(), strict=True)
    return dict(Counter(pair for pair in pairs if pair[1] != 0))


def rows(table: ContingencyTable) -> dict[tuple[int, int], int]:
    columns = (table.segmentation.tolist(), table.groundtruth.tolist(), table.count.tolist())
    return {(i, j): n for i, j, n in zip(*columns, strict=True)}


def two_volumes(ids=IDS):
    return SHAPES.flatmap(lambda s: st.tuples(*(hnp.arrays(np.uint64, s, elements=ids) for _ in range(2))))


@given(two_volumes())
def test_every_pair_is_counted_as_one_voxel_at_a_time_would_count_it(volumes):
    """Kills packing ids into 32 bits, passing them through float64, and dropping segmentation 0 with ground truth 0."""
    table = contingency_table(*volumes)
    assert rows(table) == counted(*volumes)
    assert list(rows(table)) == sorted(rows(table))


@given(two_volumes(), st.integers(0, 2), st.integers(0, 6))
def test_the_table_of_a_whole_is_the_sum_of_the_tables_of_its_parts(volumes, axis, cut):
    """Kills a run counted across a block's end, and rows that are concatenated but not added."""
    parts = [np.split(v, [min(cut, v.shape[axis])], axis=axis) for v in volumes]
    tables = [contingency_table(seg, truth) for seg, truth in zip(*parts, strict=True)]
    assert merged(tables) == contingency_table(*volumes)
    assert merged(reversed(tables)) == contingency_table(*volumes)


@given(two_volumes())
def test_a_table_survives_parquet_and_equal_tables_are_equal_bytes(volumes):
    """Kills a signed or floating id column, and metadata that differs between writes."""
    table = contingency_table(*volumes)
    data = encode_table(table.to_arrow())
    assert ContingencyTable.from_arrow(decode_table(data, ContingencyTable.SCHEMA)) == table
    assert encode_table(merged([table]).to_arrow()) == data


def test_memory_order_and_views_do_not_matter():
    """Kills pairing an array read in C order with one read in Fortran order."""
    rng = np.random.default_rng(0)
    seg, truth = rng.integers(0, 4, (2, 5, 6, 7), dtype=np.uint64)
    expected = contingency_table(seg, truth)
    assert contingency_table(np.asfortranarray(seg), truth) == expected
    assert contingency_table(seg.transpose(2, 1, 0), truth.transpose(2, 1, 0)) == expected


def test_no_tables_give_the_empty_table():
    assert len(merged([])) == 0
    assert merged([]).voxels == 0


def test_arrays_of_different_boxes_are_refused():
    """Kills silent broadcasting."""
    with refused(PermanentError, (2, 2, 2), (1, 2, 2)):
        contingency_table(np.ones((2, 2, 2), np.uint64), np.ones((1, 2, 2), np.uint64))


@pytest.mark.parametrize(
    ("columns", "found"),
    [
        ({"segmentation": pa.array([1]), "groundtruth": pa.array([1]), "count": pa.array([1])}, "segmentation int64"),
        ({"body": pa.array([1], pa.uint64())}, "body uint64"),
    ],
    ids=["signed", "other columns"],
)
def test_a_table_of_other_columns_is_quarantined_not_read(columns, found):
    """Kills trusting whatever the store returns."""
    with refused(IntegrityError, "subvolume 7", found, "segmentation uint64"):
        ContingencyTable.from_arrow(pa.table(columns), "subvolume 7")


@pytest.mark.parametrize(
    "columns",
    [([2, 1], [1, 1], [1, 1]), ([1, 1], [1, 1], [1, 1]), ([1, 2], [1, 1], [1, 0])],
    ids=["unsorted", "repeated", "zero"],
)
def test_rows_that_no_writer_makes_are_quarantined(columns):
    """Kills a reader for which repeated rows would be counted twice in every entropy."""
    seg, truth = (np.array(c, np.uint64) for c in columns[:2])
    stored = ContingencyTable(seg, truth, np.array(columns[2], np.int64)).to_arrow()
    with refused(IntegrityError, "subvolume 7"):
        ContingencyTable.from_arrow(stored, "subvolume 7")


@pytest.mark.parametrize("shift", [0, 24, 48])
def test_many_pairs_of_ids_that_share_their_low_or_high_bits_are_all_counted(shift):
    """Kills a table that loses pairs when it grows, and one where ids without low bits all begin in one place."""
    rng = np.random.default_rng(6)
    seg, truth = rng.integers(0, 400, (2, 300_000)).astype(np.uint64) << np.uint64(shift)
    pairs, counts = np.unique(np.stack([seg, truth], 1)[truth != 0], axis=0, return_counts=True)
    table = contingency_table(seg, truth)
    np.testing.assert_array_equal(table.segmentation, pairs[:, 0])
    np.testing.assert_array_equal(table.groundtruth, pairs[:, 1])
    np.testing.assert_array_equal(table.count, counts)


def test_no_voxels_give_the_empty_table():
    assert len(contingency_table(np.empty((0, 3, 3), np.uint64), np.empty((0, 3, 3), np.uint64))) == 0
