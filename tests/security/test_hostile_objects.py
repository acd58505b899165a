"""Stored objects and models that claim more than they are, hide an object to unpickle, or point elsewhere."""

from __future__ import annotations

import json
import os
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from zlib import crc32

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.refusals import refused

from emseg.codec import decode_array, decode_table, encode_array, encode_labels, tables
from emseg.errors import EmsegError, IntegrityError, PermanentError
from emseg.segment.model import DESCRIPTION, ModelDescription, ModelFolder

SCHEMA = pa.schema([pa.field("a", pa.uint64())])
GIB = 1 << 30


class Trap:
    """Unpickling it makes a file."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return os.mkdir, (str(self.file),)


def with_header(data: bytes, shape: tuple[int, ...], chunks: int) -> bytes:
    """The array `data` with another shape and number of chunks, and a header checksum that fits."""
    head = data[:8] + struct.pack("<II", 4 << 20, chunks) + struct.pack(f"<{len(shape)}Q", *shape)
    head += struct.pack("<II", 1, 0) * chunks
    return head + struct.pack("<I", crc32(head)) + b"\0" * chunks


@pytest.mark.parametrize("encode", [encode_array, encode_labels])
@pytest.mark.parametrize(("shape", "chunks"), [((1 << 40, 1 << 40, 1), 1), ((GIB, 8, 1), 2048), ((1 << 63, 2, 1), 1)])
def test_a_header_that_claims_gigabytes_allocates_nothing(encode, shape, chunks, monkeypatch):
    """Kills an array that is made before the bytes are known to be able to fill it."""
    data = with_header(encode(np.zeros((2, 2, 2), np.uint8)), shape, chunks)
    made: list[object] = []
    monkeypatch.setattr(np, "empty", lambda *given, **_: made.append(given) or np.zeros(1))
    with pytest.raises(IntegrityError):
        decode_array(data)
    assert made == []


def parquet(**columns: object) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), sink)
    return bytes(sink.getvalue())


def test_a_table_that_claims_more_rows_than_memory_is_not_read(monkeypatch):
    """Kills reading first: a million equal rows are a few kilobytes of Parquet, and so are 10^12."""
    data = parquet(a=pa.array(np.zeros(1_000_000, np.uint64)))
    assert len(data) < 10_000
    assert decode_table(data, SCHEMA).num_rows == 1_000_000
    monkeypatch.setattr(tables, "MAX_BYTES", 1_000_000 * 8 - 1)
    monkeypatch.setattr(pq.ParquetFile, "read", lambda _: pytest.fail("it was read"))
    with refused(IntegrityError, "1000000 rows"):
        decode_table(data, SCHEMA)


def test_a_table_of_other_columns_is_not_read(monkeypatch):
    """Kills a column of pickles, and one of texts without an end, that is loaded before it is refused."""
    monkeypatch.setattr(pq.ParquetFile, "read", lambda _: pytest.fail("it was read"))
    with refused(IntegrityError, "binary"):
        decode_table(parquet(a=pa.array([b"x" * 1000])), SCHEMA)


def test_a_pickle_in_the_metadata_of_a_table_is_not_unpickled(tmp_path: Path):
    made = tmp_path / "made"
    trap = pickle.dumps(Trap(made))
    table = pa.table({"a": pa.array([1], pa.uint64())}).replace_schema_metadata({b"pandas": trap})
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    with_trap = bytes(sink.getvalue())
    assert decode_table(with_trap, SCHEMA).column("a").to_pylist() == [1]
    assert not made.exists()


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    ModelFolder.of(ModelDescription(voxel_size_nm=(8, 8, 8)), {"forest.txt": b"tree"}).write(folder)
    return folder


def test_a_model_whose_file_is_a_link_is_refused(model: Path, tmp_path: Path):
    """Kills a model from elsewhere that takes this user's keys into the store: `forest.txt` -> `~/.aws/credentials`."""
    secret = tmp_path / "credentials"
    secret.write_text("canary")
    (model / "weights.txt").symlink_to(secret)
    with refused(PermanentError, "weights.txt") as caught:
        ModelFolder.read(model)
    assert "canary" not in str(caught.value)


def test_a_model_with_a_pipe_is_refused_and_not_waited_for(model: Path):
    os.mkfifo(model / "weights.txt")
    with refused(PermanentError, "weights.txt"):
        ModelFolder.read(model)


@pytest.mark.parametrize("text", ["[" * 200_000, '{"version":1,"sections":{"a":' + "[" * 100_000])
def test_a_model_that_is_nested_too_deeply_is_refused(model: Path, text: str):
    """Kills `except ValueError` alone: the parser of JSON raises RecursionError."""
    (model / DESCRIPTION).write_text(text)
    with pytest.raises(PermanentError):
        ModelFolder.read(model)


@pytest.mark.parametrize("sections", [{"pixel-classifier": {"files": ["../../etc/passwd"]}}, {"x": "/etc/passwd"}])
def test_a_name_in_a_model_is_looked_up_among_its_files_only(model: Path, sections: dict):
    found = ModelFolder.of(ModelDescription(voxel_size_nm=(8, 8, 8), sections=sections), {"forest.txt": b"tree"})
    for name in ("../../etc/passwd", "/etc/passwd", "..", ""):
        with pytest.raises(EmsegError):
            found.file(name)
    assert json.loads(found.file(DESCRIPTION))["sections"] == sections
