"""Rows of bricks on their way to the partition of their body, and how many bricks and rows go together."""

from __future__ import annotations

import numpy as np

from emseg.codec import encode_table
from emseg.dvid import Claims, IndexTable
from emseg.phases.write import portions
from emseg.phases.write.portions import groups_of, partition_of, partitions_for
from emseg.phases.write.sent_rows import NEW, REPLACED, SentRows
from emseg.store import ItemMarker

PARTITIONS = 7
COUNTS = ("rows", "rows_replaced")


def table(rng: np.random.Generator, rows: int) -> IndexTable:
    """Rows of 100 bodies in blocks on both sides of voxel 0."""
    return IndexTable(
        rng.integers(-9, 9, (rows, 3), np.int32),
        rng.integers(1, 1 << 40, rows, np.uint64),
        rng.integers(1 << 24, (1 << 24) + 100, rows, np.uint64),
        rng.integers(1, 4096, rows, np.uint32),
    )


def rows_of(rows: IndexTable) -> list[tuple[int, ...]]:
    columns = (*rows.block.T, rows.supervoxel, rows.body, rows.count)
    return sorted(zip(*(column.tolist() for column in columns), strict=True))


def test_every_row_comes_whole_to_the_one_partition_of_its_body() -> None:
    """Kills rows that are lost, kinds that are mixed up, and a body whose index is cut."""
    rng = np.random.default_rng(1)
    new, replaced = [table(rng, 3000) for _ in range(3)], [table(rng, 500) for _ in range(3)]
    claims = Claims(np.arange(5, dtype=np.uint64), np.arange(5, 10, dtype=np.uint64))
    pieces: dict[int, list[bytes]] = {}
    for some in zip(new, replaced, strict=True):
        sent = [SentRows.counted(kind, rows) for kind, rows in zip((NEW, REPLACED), some, strict=True)]
        for partition, piece in SentRows.joined([*sent, SentRows.claimed(claims)]).pieces(PARTITIONS):
            pieces.setdefault(partition, []).append(piece)
    received = {partition: SentRows.received(iter(some)) for partition, some in pieces.items()}
    assert set(received) == set(range(PARTITIONS))
    for partition, rows in received.items():
        assert set(partition_of(rows.body, PARTITIONS).tolist()) == {partition}
    for kind, wanted in ((NEW, new), (REPLACED, replaced)):
        found = IndexTable.joined(rows.of(kind) for rows in received.values())
        assert rows_of(found) == rows_of(IndexTable.joined(wanted))
    found = Claims.concatenated([rows.claims for rows in received.values()])
    assert sorted(zip(found.new_id.tolist(), found.body.tolist(), strict=True)) == sorted(
        [(n, n + 5) for n in range(5)] * 3
    )


def test_a_partition_without_rows_is_empty() -> None:
    assert len(SentRows.received(iter([]))) == 0
    assert list(SentRows.none().pieces(PARTITIONS)) == []


def test_a_row_on_its_way_takes_few_bytes() -> None:
    """Kills columns of equal numbers that are sent as they are: the kind, and a body beside its own supervoxel."""
    rows = SentRows.counted(NEW, table(np.random.default_rng(2), 100_000))
    assert len(encode_table(rows.to_arrow(), level=1)) < 20 * len(rows)


def test_bodies_of_neighbours_are_spread_evenly() -> None:
    """Kills the remainder of an id: the first supervoxel of every subvolume would go to one partition."""
    cells, labels = np.arange(1000, dtype=np.uint64) << np.uint64(24), np.arange(1, 101, dtype=np.uint64)
    for partitions in (2, 10, 64):
        for ids in ((cells[:, None] | labels).ravel(), cells | np.uint64(1)):
            counts = np.bincount(partition_of(ids, partitions), minlength=partitions)
            assert counts.max() < 1.1 * len(ids) / partitions + 20


def brick(number: int, rows: int, replaced: int = 0) -> ItemMarker:
    return ItemMarker("write", "0" * 32, f"br-{number:08d}", "first", (), {"rows": rows, "rows_replaced": replaced})


def test_bricks_go_together_up_to_so_many_rows(monkeypatch) -> None:
    """Kills a group without bound, a brick that is lost at the end, and an endless search for room for a large one."""
    monkeypatch.setattr(portions, "SOURCE_ROWS", 10)
    bricks = [brick(0, 4), brick(1, 3, 3), brick(2, 1), brick(3, 30), brick(4, 0), brick(5, 10), brick(6, 0)]
    assert [[each.item[-1] for each in group] for group in groups_of(bricks, COUNTS)] == [
        ["0", "1"],
        ["2"],
        ["3"],
        ["4", "5", "6"],
    ]
    assert list(groups_of([], COUNTS)) == []


def test_the_rows_say_how_many_partitions_there_are() -> None:
    assert [partitions_for(rows) for rows in (0, 1, 2_000_000, 2_000_001, 400_000_000)] == [1, 1, 1, 2, 200]
