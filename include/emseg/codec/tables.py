"""Arrow tables as Parquet bytes and back: votes, ledgers, mappings, metric rows. Any Parquet reader opens them."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq

from emseg.errors import IntegrityError, PermanentError

_ROWS_PER_GROUP = 1 << 20


def encode_table(table: pa.Table) -> bytes:
    """Parquet bytes (zstd, page checksums) of a table. Equal tables give equal bytes, however pieced together.

    Metadata of the schema (pandas keeps its own there) is left out. `PermanentError` for types Parquet cannot keep.
    """
    sink = pa.BufferOutputStream()
    try:
        pq.write_table(
            table.replace_schema_metadata(None).combine_chunks(),
            sink,
            row_group_size=_ROWS_PER_GROUP,
            compression="zstd",
            compression_level=3,
            write_page_checksum=True,
        )
    except pa.ArrowException as error:
        raise PermanentError(
            "encoding a table", f"{table.num_rows} rows, columns {table.column_names}", str(error), "Change the type"
        ) from error
    return bytes(sink.getvalue().to_pybytes())


def decode_table(data: bytes, schema: pa.Schema) -> pa.Table:
    """The table of `encode_table`; `IntegrityError` where it is damaged or its columns are not those of `schema`.

    Parquet has checksums for its pages, not for its footer: readers of stored tables also check the artefact's SHA-256.
    """
    try:
        table = pq.ParquetFile(pa.BufferReader(data), page_checksum_verification=True).read()
        table.validate(full=True)
    except (pa.ArrowException, OSError) as error:
        raise _damaged(data, str(error).splitlines()[0][:200]) from None
    if not table.schema.equals(schema, check_metadata=False):
        raise _damaged(data, f"columns {_described(table.schema)}, expected {_described(schema)}")
    return table


def _described(schema: pa.Schema) -> str:
    return ", ".join(f"{field.name} {field.type}{'' if field.nullable else ' not null'}" for field in schema)


def _damaged(data: bytes, found: str) -> IntegrityError:
    return IntegrityError(
        "decoding a table", f"{len(data)} bytes", found, "Set the object aside and compute its item again"
    )
