"""Connections at synapses, counted by the labels at their two points."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pyarrow as pa

from emseg.array_types import Counts, Ids
from emseg.codec.column_table import StoredTable
from emseg.evaluate.contingency import run_starts

_LABELS = ("pre_segment", "post_segment", "pre_body", "post_body")


@dataclass(frozen=True, eq=False)
class ConnectionTable(StoredTable):
    """One row four labels that occur, sorted, with the connections that have them; no body is 0."""

    SCHEMA: ClassVar[pa.Schema] = pa.schema(
        [pa.field(name, pa.uint64(), nullable=False) for name in _LABELS]
        + [pa.field("connections", pa.int64(), nullable=False)]
    )
    ORDER: ClassVar[tuple[str, ...]] = _LABELS

    pre_segment: Ids
    post_segment: Ids
    pre_body: Ids
    post_body: Ids
    connections: Counts


def connection_table(pre_segment: Ids, post_segment: Ids, pre_body: Ids, post_body: Ids) -> ConnectionTable:
    """Count connections, given the four labels of each, uint64 (n,). Memory: 160 bytes a connection."""
    known = (pre_body != 0) & (post_body != 0)
    columns = (pre_segment[known], post_segment[known], pre_body[known], post_body[known])
    return merged_connections([ConnectionTable(*columns, np.ones(int(known.sum()), np.int64))])


def merged_connections(tables: Iterable[ConnectionTable]) -> ConnectionTable:
    """Sum of tables of regions that share no presynaptic point."""
    rows = ConnectionTable.joined(tables)
    starts = run_starts(*rows.columns[:4])
    total = np.add.reduceat(rows.connections, starts) if len(starts) else rows.connections
    return replace(rows.rows(starts), connections=total)
