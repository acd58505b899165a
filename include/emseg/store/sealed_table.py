"""Tables that are believed later without a marker that vouches for them: Parquet with a checksum inside.

The file's own metadata hold `emseg.sha256`: the SHA-256 of the JSON of kind, schema number, key and rows. pandas,
pyarrow and DuckDB read such a file like any other. emseg believes it only where the checksum fits its rows and its key.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from emseg.codec import decode_table
from emseg.errors import IntegrityError
from emseg.store.objects import ObjectStore

_SEAL = b"emseg.sha256"


@dataclass(frozen=True)
class TableForm:
    """How small tables of one kind are kept: at least one row of numbers, texts, times. `remedy` is about damage."""

    kind: str
    schema: pa.Schema
    number: int
    remedy: str

    def seal(self, rows: list[dict[str, Any]], key: str) -> bytes:
        """Stored form of the rows under `key`; equal rows give equal bytes."""
        table = pa.Table.from_pylist(rows, schema=self.schema)
        sealed = table.replace_schema_metadata({_SEAL: self._digest(table, key)})
        sink = pa.BufferOutputStream()
        pq.write_table(sealed, sink, compression="zstd", write_page_checksum=True)
        return bytes(sink.getvalue().to_pybytes())

    def open(self, data: bytes, key: str, address: str) -> pa.Table:
        """The table stored as `data` under `key`; IntegrityError where it is damaged, or from another place."""
        try:
            table = decode_table(data, self.schema)
            seal = (table.schema.metadata or {}).get(_SEAL)
            if table.num_rows and seal == self._digest(table, key).encode():
                return table.replace_schema_metadata(None)
            found = "its checksum is not that of its rows and its place"
        except IntegrityError as error:
            found = error.found
        except (ValueError, OverflowError) as error:  # a damaged text or time does not become a Python object
            found = f"it does not read as rows ({type(error).__name__})"
        raise IntegrityError(f"reading a table of kind {self.kind}", address, found, self.remedy)

    def read(self, store: ObjectStore, key: str) -> pa.Table:
        """The table under `key`; ObjectMissingError where there is none, else the error of `open`."""
        return self.open(store.get_with_version(key)[0], key, store.address(key))

    def _digest(self, table: pa.Table, key: str) -> str:
        body = [self.kind, self.number, key, table.to_pylist()]
        return sha256(json.dumps(body, sort_keys=True, default=_spelled).encode()).hexdigest()


def _spelled(value: Any) -> str:
    """A time, the one type of column that JSON lacks."""
    return str(value.isoformat())
