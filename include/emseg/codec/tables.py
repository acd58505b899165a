"""Arrow tables as Parquet bytes and back: votes, ledgers, mappings, rows of metrics. Any Parquet reader opens them."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq

from emseg.errors import IntegrityError, PermanentError

MAX_BYTES = 64 << 30
"""Memory of the largest table. Equal rows take next to no bytes in Parquet, so a small object can claim any number."""
_ROWS_PER_GROUP = 1 << 20


def encode_table(table: pa.Table, level: int = 3, page_checksums: bool = True) -> bytes:
    """Parquet bytes of a table, zstd of `level`. Equal tables give equal bytes, also if one comes in more chunks.

    Metadata of the schema, where pandas keeps its own, is left out. `PermanentError` for types that Parquet lacks.
    """
    sink = pa.BufferOutputStream()
    try:
        pq.write_table(
            table.replace_schema_metadata(None).combine_chunks(),
            sink,
            row_group_size=_ROWS_PER_GROUP,
            compression="zstd",
            compression_level=level,
            write_page_checksum=page_checksums,
        )
    except pa.ArrowException as error:
        raise PermanentError(
            "encoding a table", f"{table.num_rows} rows, columns {table.column_names}", str(error), "Change the type"
        ) from error
    return bytes(sink.getvalue().to_pybytes())


def decode_table(data: bytes, schema: pa.Schema) -> pa.Table:
    """The table that was encoded; `IntegrityError` if it is damaged or its columns are not those of `schema`.

    Parquet has checksums for its pages, but none for its footer: readers of stored tables also check the SHA-256 of the
    artefact.
    """
    try:
        file = pq.ParquetFile(pa.BufferReader(data), page_checksum_verification=True)
        if not file.schema_arrow.equals(schema, check_metadata=False):
            raise _damaged(data, f"columns {described(file.schema_arrow)}, expected {described(schema)}")
        if file.metadata.num_rows * _row_bytes(schema) > MAX_BYTES:
            raise _damaged(data, f"it claims {file.metadata.num_rows} rows")
        # Threads of Arrow may hold `data` last, and free it when Python is about to end: that aborts the process.
        table = file.read(use_threads=False)
        table.validate(full=True)
    except (pa.ArrowException, OSError) as error:
        raise _damaged(data, str(error).splitlines()[0][:200]) from None
    return table


def _row_bytes(schema: pa.Schema) -> float:
    """Memory of a row: exact for numbers, the least that it can be for texts."""
    widths = [field.type.bit_width if pa.types.is_primitive(field.type) else 32 for field in schema]
    return sum(widths) / 8


def described(schema: pa.Schema) -> str:
    """Names and types of the columns, for a message."""
    return ", ".join(f"{field.name} {field.type}{'' if field.nullable else ' not null'}" for field in schema)


def _damaged(data: bytes, found: str) -> IntegrityError:
    return IntegrityError(
        "decoding a table", f"{len(data)} bytes", found, "Set the object aside and compute its item again"
    )
