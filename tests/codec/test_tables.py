"""Tables survive as Parquet, equal tables are equal bytes, and damage is an IntegrityError."""

import io
import os
import threading
import weakref
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emseg.codec.tables import decode_table, encode_table
from emseg.errors import IntegrityError, PermanentError

SCHEMA = pa.schema(
    [pa.field("body", pa.uint64(), False), ("share", pa.float64()), ("reason", pa.string()), ("taken", pa.bool_())]
)
ROWS = st.lists(
    st.tuples(
        st.integers(0, 2**64 - 1),
        st.none() | st.floats(allow_nan=False),
        st.none() | st.text(st.characters(codec="utf-8")),
        st.none() | st.booleans(),
    )
)


def table_of(rows) -> pa.Table:
    columns = list(zip(*rows, strict=True)) or [[]] * 4
    return pa.table([pa.array(column, f.type) for column, f in zip(columns, SCHEMA, strict=True)], schema=SCHEMA)


@settings(max_examples=60, deadline=None)
@given(ROWS)
def test_any_table_comes_back_equal(rows):
    """Kills ids through float64 (above 2^53), nulls read as 0, and empty tables that lose their columns."""
    table = table_of(rows)
    assert decode_table(encode_table(table), SCHEMA).equals(table)


@settings(max_examples=60, deadline=None)
@given(ROWS, st.integers(0, 20))
def test_equal_tables_give_equal_bytes_however_they_were_pieced_together(rows, cut):
    """Kills bytes that depend on chunks, slices or the metadata pandas leaves behind."""
    table = table_of(rows)
    pieces = pa.concat_tables([table.slice(0, cut), table.slice(cut)]).replace_schema_metadata({"run": "42"})
    longer = table_of([*rows, (1, None, "x", True)]).slice(0, len(rows))
    assert encode_table(pieces) == encode_table(table) == encode_table(longer)


def test_pieces_larger_than_a_page_leave_no_trace_either():
    """Kills writing piece by piece: Parquet's pages would then end where the pieces do."""
    random = np.random.default_rng(0)
    table = pa.table({"id": random.integers(0, 2**60, 300_000), "name": random.integers(0, 10**6, 300_000).astype(str)})
    pieces = pa.concat_tables([table.slice(0, 1001), table.slice(1001, 123_457), table.slice(124_458)])
    assert encode_table(pieces) == encode_table(table)


def test_pandas_opens_the_bytes_as_a_parquet_file():
    """The ledger is for people too: another reader than ours finds the same numbers."""
    rows = [(2**63 + 1, 0.5, "mutual best", True), (7, None, None, False)]
    frame = pd.read_parquet(io.BytesIO(encode_table(table_of(rows))))
    assert frame["body"].tolist() == [2**63 + 1, 7]
    assert frame["reason"].tolist() == ["mutual best", None]


@pytest.mark.parametrize(
    "schema",
    [
        SCHEMA.remove(0),
        SCHEMA.append(pa.field("more", pa.int8())),
        SCHEMA.set(0, pa.field("body", pa.int64(), False)),
        SCHEMA.set(0, pa.field("body", pa.uint64())),
        pa.schema([SCHEMA.field(i) for i in (1, 0, 2, 3)]),
    ],
)
def test_a_table_of_other_columns_is_refused(schema):
    """Kills readers that cast, reorder or ignore columns."""
    with pytest.raises(IntegrityError, match="body uint64 not null, share double"):
        decode_table(encode_table(table_of([(1, 0.5, "x", True)])), schema)


def test_flips_and_cuts_never_pass_as_other_data():
    """Kills writers without page checksums: a flip in the data pages would read as another number."""
    random = np.random.default_rng(5)
    table = table_of([(int(n), float(n), str(n), True) for n in random.integers(0, 2**50, 2000)])
    data = encode_table(table)
    pages = pq.ParquetFile(pa.BufferReader(data)).metadata.row_group(0)
    first = min(pages.column(i).dictionary_page_offset or pages.column(i).data_page_offset for i in range(4))
    last = max(
        (pages.column(i).dictionary_page_offset or pages.column(i).data_page_offset)
        + pages.column(i).total_compressed_size
        for i in range(4)
    )
    detected = 0
    for at in random.integers(first, last, 200):
        bad = bytearray(data)
        bad[at] ^= 1 << int(random.integers(8))
        try:
            assert decode_table(bytes(bad), SCHEMA).equals(table)
        except IntegrityError:
            detected += 1
    assert detected > 180
    for cut in random.integers(0, len(data), 50):
        with pytest.raises(IntegrityError):
            decode_table(data[:cut], SCHEMA)


class _Watched(np.ndarray):
    """Bytes whose end can be seen."""


def _run_on(cores: set[int]) -> None:
    """Put all threads of this process on some cores."""
    for thread in Path("/proc/self/task").iterdir():
        os.sched_setaffinity(int(thread.name), cores)


def test_the_bytes_of_a_table_are_never_freed_by_a_thread_of_arrow():
    """A thread that waits for Python's lock while Python ends aborts the process: a command done well exited with -6.

    On one core a thread frees some of 500 tables last, if threads are let.
    """
    schema = pa.schema([pa.field(f"column_{i}", pa.uint64()) for i in range(12)])
    table = pa.table({name: np.arange(2000, dtype=np.uint64) for name in schema.names}, schema=schema)
    data = encode_table(table)
    freed_by = []
    decode_table(data, schema)  # from here on Arrow's threads exist
    cores = os.sched_getaffinity(0)
    _run_on({min(cores)})
    try:
        for _ in range(500):
            watched = np.frombuffer(data, np.uint8).copy().view(_Watched)
            weakref.finalize(watched, lambda: freed_by.append(threading.current_thread()))
            decode_table(watched, schema)
            del watched
    finally:
        _run_on(cores)
    assert freed_by == [threading.main_thread()] * 500


def test_types_without_a_parquet_form_are_refused_by_name():
    """Kills a leak of pyarrow's own exceptions."""
    union = pa.UnionArray.from_sparse(pa.array([0], pa.int8()), [pa.array([1])])
    with pytest.raises(PermanentError, match="odd"):
        encode_table(pa.table({"odd": union}))
