"""Tables of numpy columns: rows, parts put together, and the Arrow table that is stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.refusals import refused

from emseg.array_types import Floats, Ids
from emseg.codec.column_table import ColumnTable, StoredTable
from emseg.errors import IntegrityError

SCHEMA = pa.schema([("first", pa.uint64()), ("second", pa.uint64()), ("area_nm2", pa.float64())])


@dataclass(frozen=True, eq=False)
class Touching(StoredTable):
    SCHEMA: ClassVar[pa.Schema] = SCHEMA
    ORDER: ClassVar[tuple[str, ...]] = ("first", "second")

    first: Ids
    second: Ids
    area_nm2: Floats


@dataclass(frozen=True, eq=False)
class InBlocks(ColumnTable):
    block: npt.NDArray[np.int32]
    voxels: npt.NDArray[np.uint32]


ids = st.integers(0, 2**64 - 1)
many_rows = st.lists(st.tuples(ids, ids, st.floats(0, 1e6)), max_size=9)


def table(rows) -> Touching:
    columns = list(zip(*rows, strict=True)) or [()] * 3
    kinds = (np.uint64, np.uint64, np.float64)
    return Touching(*(np.array(column, kind) for column, kind in zip(columns, kinds, strict=True)))


def rows_of(touching: Touching) -> list[tuple[int, int, float]]:
    return list(zip(*(column.tolist() for column in touching.columns), strict=True))


@given(st.lists(many_rows, max_size=4))
def test_joined_parts_are_all_their_rows_sorted_whatever_the_order_of_the_parts(parts):
    """Kills ids that pass through float64 or int64, and a sort by the second column first."""
    every = [row for part in parts for row in part]
    joined = Touching.joined(table(part) for part in parts)
    assert [row[:2] for row in rows_of(joined)] == sorted(row[:2] for row in every)
    assert sorted(rows_of(joined)) == sorted(every)


@given(many_rows, st.data())
def test_rows_are_chosen_by_flags_by_index_or_by_a_slice(rows, data):
    wanted = data.draw(st.lists(st.booleans(), min_size=len(rows), max_size=len(rows)))
    at = [k for k, is_wanted in enumerate(wanted) if is_wanted]
    expected = [rows[k] for k in at]
    assert rows_of(table(rows).rows(np.array(wanted, bool))) == expected
    assert rows_of(table(rows).rows(np.array(at, np.intp))) == expected
    assert rows_of(table(rows).rows(slice(1, 3))) == rows[1:3]
    assert len(table(rows)) == len(rows)


@given(many_rows)
def test_a_table_comes_back_from_arrow_as_it_went(rows):
    stored = table(rows).to_arrow()
    assert stored.schema.equals(SCHEMA)
    assert rows_of(Touching.from_arrow(stored)) == rows


def test_no_parts_are_a_table_without_rows_of_the_same_types():
    empty = Touching.joined([])
    assert len(empty) == 0
    assert [column.dtype for column in empty.columns] == [np.uint64, np.uint64, np.float64]
    assert empty.to_arrow().equals(SCHEMA.empty_table())


@pytest.mark.parametrize(
    "other",
    [
        pa.schema([("first", pa.int64()), ("second", pa.uint64()), ("area_nm2", pa.float64())]),
        pa.schema([("second", pa.uint64()), ("first", pa.uint64()), ("area_nm2", pa.float64())]),
        pa.schema([("first", pa.uint64()), ("second", pa.uint64())]),
    ],
    ids=["type", "order", "missing"],
)
def test_a_stored_table_of_other_columns_is_refused_by_its_name(other):
    """Kills columns taken by position alone: exchanged ids would look like any others."""
    with refused(IntegrityError, "item 7", "area_nm2 double"):
        Touching.from_arrow(other.empty_table(), "item 7")


def test_a_column_may_have_axes_of_its_own():
    one = InBlocks(np.zeros((2, 3), np.int32), np.array([5, 6], np.uint32))
    both = InBlocks.concatenated([one, one.rows(slice(1))])
    assert both.block.shape == (3, 3)
    assert both.voxels.tolist() == [5, 6, 5]
