"""How rows that were counted in bricks are portioned: which bricks are read together, and which bodies are merged.

Example: a run has 5 million rows, so there are three partitions. Body 16777219 belongs to one of them, wherever its
rows were counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from emseg.array_types import Counts, Ids
from emseg.store import ItemMarker, Markers

SOURCE_ROWS = 1_000_000
"""Rows of a group of bricks; a brick with more is a group of its own."""
PARTITION_ROWS = 2_000_000
"""Rows of a partition, about; a body with more makes its partition larger."""

_MIX = np.uint64(0x9E3779B97F4A7C15)


def groups_of(markers: Sequence[ItemMarker], counts: Sequence[str]) -> Iterator[Markers]:
    """The bricks in groups of about `SOURCE_ROWS` rows, packed; `counts` are the statistics that count rows."""
    group: list[ItemMarker] = []
    rows = 0
    for marker in markers:
        more = sum(int(marker.statistics[count]) for count in counts)
        if group and rows + more > SOURCE_ROWS:
            yield Markers.of(group)
            group, rows = [], 0
        group.append(marker)
        rows += more
    if group:
        yield Markers.of(group)


def partitions_for(rows: int) -> int:
    """How many partitions so many rows need."""
    return max(1, -(-rows // PARTITION_ROWS))


def partition_of(bodies: Ids, partitions: int) -> Counts:
    """The number of the partition that each body belongs to; neighbours in space are spread over all of them."""
    return (((bodies * _MIX) >> np.uint64(33)) % np.uint64(partitions)).astype(np.int64)
