"""Label indices: for each body the blocks that it lies in, and its voxels of each supervoxel in each block.

DVID computes sizes, sparse volumes and meshes from them. POST `/indices` replaces the whole index of a body: posting
twice is harmless, and a body must come with all its blocks at once. GET `/indices` reads them back and is never stale;
`/size` and the like may be. The messages are those of labelindex.proto.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from google.protobuf.message import DecodeError

from emseg.array_types import Flags, Ids
from emseg.codec.column_table import ColumnTable
from emseg.dvid.labels import labelindex_pb2
from emseg.dvid.labels.labelmap import Labelmap
from emseg.errors import IntegrityError, PermanentError
from emseg.geometry import MAX_LABEL

POST_ROWS = 200_000
"""Rows of a request, about 5 MB; a body with more rows has a request of its own, at about 400 bytes of memory a row."""
REQUEST_LABELS = 10_000
"""Indices asked for at once; the server refuses more than 50 000."""
PAGE_LABELS = 1_000_000
"""Labels listed at once."""
_AXIS_BITS = 21
_NEGATIVE = 1 << 20
_ANSWER_ROW = np.dtype([("key", "<u8"), ("supervoxel", "<u8"), ("body", "<u8"), ("count", "<u4")])
_REMEDY = "Correct the table: nothing of it was posted"


@dataclass(frozen=True, eq=False)
class IndexTable(ColumnTable):
    """One row for each supervoxel of a body in each block: `count` voxels.

    block int32 (N, 3) ZYX at scale 0; supervoxel, body uint64 (N,); count uint32 (N,). Rows are in any order.
    """

    block: npt.NDArray[np.int32]
    supervoxel: Ids
    body: Ids
    count: npt.NDArray[np.uint32]

    @classmethod
    def joined(cls, tables: Iterable[IndexTable]) -> IndexTable:
        """All rows of `tables`, one table after the other."""
        return cls.concatenated([_NO_ROWS, *tables])

    def ordered(self) -> IndexTable:
        """The same rows in order of body, block (Z, Y, X) and supervoxel."""
        return self.rows(np.lexsort((self.supervoxel, *self.block.T[::-1], self.body)))


_NO_ROWS = IndexTable(
    np.empty((0, 3), np.int32), np.empty(0, np.uint64), np.empty(0, np.uint64), np.empty(0, np.uint32)
)


class IndexTableError(PermanentError):
    """Rows that are not indices: a label is out of range, a row occurs twice, or a supervoxel has two bodies."""


def post_indices(labelmap: Labelmap, table: IndexTable) -> int:
    """Replace the index of every body in `table`, which must hold all its blocks; returns the number of bodies."""
    table = table.ordered()
    _check(table)
    for batch in batches(table):
        _post(labelmap, _message(batch))
    return len(_starts(table))


def batches(table: IndexTable) -> Iterator[IndexTable]:
    """An ordered table as whole bodies, about `POST_ROWS` rows at a time."""
    first, starts, rows = 0, _starts(table), len(table)
    for end in [*starts[1:].tolist(), rows] if rows else []:
        if end - first >= POST_ROWS or end == rows:
            yield table.rows(slice(first, end))
            first = end


def check_indices(table: IndexTable) -> None:
    """Raise the IndexTableError that `post_indices` would raise, before anything is posted."""
    _check(table.ordered())


def delete_indices(labelmap: Labelmap, labels: Sequence[int]) -> None:
    """Remove the indices of labels that are no longer bodies; in this node only, also where a parent has the index."""
    for first in range(0, len(labels), REQUEST_LABELS):
        message = labelindex_pb2.LabelIndices()  # type: ignore[attr-defined]
        for label in labels[first : first + REQUEST_LABELS]:
            message.indices.add(label=int(label))
        _post(labelmap, message.SerializeToString(deterministic=True))


def indices(labelmap: Labelmap, bodies: Sequence[int]) -> IndexTable:
    """The indices of `bodies` as a table in order of body, block, supervoxel; a body without index has no row."""
    where = labelmap.node.path(labelmap.instance, "indices")
    tables = [_NO_ROWS]
    for first in range(0, len(bodies), REQUEST_LABELS):
        asked = ",".join(str(int(body)) for body in bodies[first : first + REQUEST_LABELS])
        tables.append(_table_of(labelmap.node.server.get(where, body=f"[{asked}]".encode()), where))
    return IndexTable.joined(tables).ordered()


def indexed_labels(labelmap: Labelmap) -> Ids:
    """All labels that have an index in this node, ascending."""
    return np.unique(np.concatenate([np.empty(0, np.uint64), *listed_labels(labelmap)]))


def listed_labels(labelmap: Labelmap, start: int = 0) -> Iterator[Ids]:
    """The same from label `start` on, as pages, the smaller labels first."""
    where = labelmap.node.path(labelmap.instance, "listlabels")
    while True:
        body = labelmap.node.server.get(where, {"start": str(start), "number": str(PAGE_LABELS)})
        labels = np.frombuffer(body[: len(body) // 8 * 8], "<u8").astype(np.uint64)
        if len(body) % 8 or bool((labels < start).any()) or bool((labels == 0).any()):
            raise IntegrityError("listing labels", f"GET {where}", "the list is cut or damaged", "Try again")
        if len(labels) == 0:
            return
        yield labels
        start = int(labels.max()) + 1


def _check(table: IndexTable) -> None:
    """Refuse an ordered table that would leave wrong or incomplete indices; the message shows one row."""
    by_supervoxel = table.rows(np.argsort(table.supervoxel, kind="stable"))
    label = np.maximum(table.body, table.supervoxel)
    repeated = _repeats(table.body) & _repeats(table.supervoxel) & _repeats(table.block).all(axis=-1)
    two_bodies = _repeats(by_supervoxel.supervoxel) & ~_repeats(by_supervoxel.body)
    faults = (
        (table, (table.body == 0) | (table.supervoxel == 0) | (table.count == 0), "a body, supervoxel or count is 0"),
        (table, label >= MAX_LABEL, f"a body or supervoxel is not below {MAX_LABEL}"),
        (
            table,
            (np.abs(table.block.astype(np.int64)) >= _NEGATIVE).any(axis=-1),
            "a block is too far away for an index",
        ),
        (table, repeated, "a block and supervoxel occur twice"),
        (by_supervoxel, two_bodies, "a supervoxel has two bodies"),
    )
    for rows, is_wrong, found in faults:
        if is_wrong.any():
            raise IndexTableError("checking label indices", _row(rows, int(np.argmax(is_wrong))), found, _REMEDY)


def _row(table: IndexTable, row: int) -> str:
    block = tuple(table.block[row].tolist())
    return f"body {table.body[row]}, supervoxel {table.supervoxel[row]}, block {block} (ZYX), {table.count[row]} voxels"


def _repeats(column: npt.NDArray[np.generic]) -> Flags:
    """Which rows equal the row before them; False for the first row."""
    equal = np.zeros(column.shape, bool)
    equal[1:] = column[1:] == column[:-1]
    return equal


def _starts(table: IndexTable) -> npt.NDArray[np.intp]:
    """The first row of each body of an ordered table."""
    return np.flatnonzero(np.diff(table.body, prepend=np.uint64(0)))


def _message(table: IndexTable) -> bytes:
    message = labelindex_pb2.LabelIndices()  # type: ignore[attr-defined]
    index = None
    for first in range(0, len(table), POST_ROWS):  # a body may have any number of rows, and Python's numbers are large
        some = table.rows(slice(first, first + POST_ROWS))
        columns = (some.body, _keys_of(some.block), some.supervoxel, some.count)
        for body, key, supervoxel, count in zip(*(column.tolist() for column in columns), strict=True):
            if index is None or index.label != body:
                index = message.indices.add(label=body)
            index.blocks[key].counts[supervoxel] = count
    return bytes(message.SerializeToString(deterministic=True))


def _post(labelmap: Labelmap, message: bytes) -> None:
    labelmap.node.server.post(labelmap.node.path(labelmap.instance, "indices"), message, repeatable=True)


def _table_of(body: bytes, where: str) -> IndexTable:
    """The rows of an answer, in its order."""
    message = labelindex_pb2.LabelIndices()  # type: ignore[attr-defined]
    try:
        message.ParseFromString(body)
    except DecodeError:
        raise IntegrityError("reading label indices", f"GET {where}", "the answer is damaged", "Try again") from None
    rows = np.fromiter(
        (
            (key, supervoxel, index.label, count)
            for index in message.indices
            for key, block in index.blocks.items()
            for supervoxel, count in block.counts.items()
        ),
        _ANSWER_ROW,
    )
    return IndexTable(_blocks_of(rows["key"]), *(rows[name].copy() for name in ("supervoxel", "body", "count")))


def _keys_of(block: npt.NDArray[np.int32]) -> npt.NDArray[np.uint64]:
    """`z << 42 | y << 21 | x`, 21 bits each: bit 20 is the sign, the others the magnitude.

    Worked: ZYX (0, 1, -2) is 1 << 21 | (1 << 20 | 2) = 3145730.
    """
    signed = block.astype(np.int64)
    axes = np.where(signed < 0, _NEGATIVE | -signed, signed).astype(np.uint64)
    shifts = np.array([2 * _AXIS_BITS, _AXIS_BITS, 0], np.uint64)
    keys: npt.NDArray[np.uint64] = np.bitwise_or.reduce(axes << shifts, axis=1)
    return keys


def _blocks_of(keys: npt.NDArray[np.uint64]) -> npt.NDArray[np.int32]:
    """Inverse of `_keys_of`."""
    shifts = np.array([2 * _AXIS_BITS, _AXIS_BITS, 0], np.uint64)
    axes = ((keys[:, None] >> shifts) & np.uint64((1 << _AXIS_BITS) - 1)).astype(np.int64)
    magnitude = axes & (_NEGATIVE - 1)
    return np.where(axes & _NEGATIVE, -magnitude, magnitude).astype(np.int32)
