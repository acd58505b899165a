"""Rows on their way from the bricks in which they were counted to the partition of their body."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from emseg.array_types import Ids
from emseg.codec import decode_table, encode_table
from emseg.codec.column_table import StoredTable
from emseg.dvid import Claims, IndexTable
from emseg.engine.exchange import Piece
from emseg.phases.write.artefacts import COUNTS_SCHEMA
from emseg.phases.write.portions import partition_of

NEW, REPLACED, CLAIM = range(3)
"""Voxels of a new supervoxel and its body; of a replaced one and its inherited body; a claim, which has no voxels."""


@dataclass(frozen=True, eq=False)
class SentRows(StoredTable):
    """Rows of three kinds in one table; of a claim `supervoxel` is the new id."""

    SCHEMA: ClassVar[pa.Schema] = pa.schema([("kind", pa.uint8()), *COUNTS_SCHEMA, ("body", pa.uint64())])

    kind: npt.NDArray[np.uint8]
    z: npt.NDArray[np.int32]
    y: npt.NDArray[np.int32]
    x: npt.NDArray[np.int32]
    supervoxel: Ids
    voxels: npt.NDArray[np.uint32]
    body: Ids

    @classmethod
    def counted(cls, kind: int, rows: IndexTable) -> SentRows:
        """Rows of an index."""
        z, y, x = rows.block.T
        return cls(np.full(len(rows), kind, np.uint8), z, y, x, rows.supervoxel, rows.count, rows.body)

    @classmethod
    def claimed(cls, claims: Claims) -> SentRows:
        """What new ids claim of inherited bodies."""
        none = np.zeros((len(claims), 3), np.int32)
        rows = IndexTable(none, claims.new_id, claims.body, np.zeros(len(claims), np.uint32))
        return cls.counted(CLAIM, rows)

    def of(self, kind: int) -> IndexTable:
        """The rows of a kind."""
        rows = self.rows(self.kind == kind)
        return IndexTable(np.stack([rows.z, rows.y, rows.x], axis=1), rows.supervoxel, rows.body, rows.voxels)

    @property
    def claims(self) -> Claims:
        """The claims among the rows."""
        rows = self.of(CLAIM)
        return Claims(rows.supervoxel, rows.body)

    def pieces(self, partitions: int) -> Iterator[Piece]:
        """The rows of each partition that has any, encoded."""
        partition = partition_of(self.body, partitions)
        order = np.argsort(partition, kind="stable")
        numbers, starts = np.unique(partition[order], return_index=True)
        for number, which in zip(numbers.tolist(), np.split(order, starts[1:]), strict=False):
            yield number, encode_table(self.rows(which).to_arrow(), level=1)

    @classmethod
    def received(cls, pieces: Iterable[bytes]) -> SentRows:
        """All rows of a partition; the order of the pieces does not matter to whoever orders them by body and block."""
        return cls.joined([cls.from_arrow(decode_table(piece, cls.SCHEMA)) for piece in pieces])
