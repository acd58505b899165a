"""Mappings and indices on the real server: posted twice as once, read back whole, and what the server makes of them."""

from __future__ import annotations

import json
import re
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emseg.devstack import DevStack
from emseg.dvid import (
    DvidServer,
    IndexTable,
    IndexTableError,
    Labelmap,
    MappingError,
    Node,
    delete_indices,
    indexed_labels,
    indices,
    mappings,
    post_indices,
    post_mappings,
)
from emseg.dvid.labels import index as label_index
from emseg.dvid.labels import mappings as label_mappings
from emseg.dvid.labels.block import pack_block
from emseg.dvid.labels.index import _blocks_of, _keys_of
from emseg.geometry import Box

Row = tuple[tuple[int, int, int], int, int, int]


class Counts(DvidServer):
    """Counts the POSTs it sends."""

    posts = 0

    def post(self, *args: object, **kwargs: object) -> bytes:
        self.posts += 1
        return super().post(*args, **kwargs)  # type: ignore[arg-type]


def _table(rows: list[Row]) -> IndexTable:
    block, supervoxel, body, count = zip(*rows, strict=True)
    return IndexTable(
        np.array(block, np.int32),
        np.array(supervoxel, np.uint64),
        np.array(body, np.uint64),
        np.array(count, np.uint32),
    )


def _rows(table: IndexTable) -> list[Row]:
    columns = (table.block.tolist(), table.supervoxel.tolist(), table.body.tolist(), table.count.tolist())
    return [(tuple(block), *rest) for block, *rest in zip(*columns, strict=True)]  # type: ignore[misc]


def _sizes(labelmap: Labelmap, labels: list[int]) -> list[int]:
    body = labelmap.node.server.get(labelmap.node.path("seg", "sizes"), body=json.dumps(labels).encode())
    return list(json.loads(body))


def numbers(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"-?\d+", text)]


ROWS: list[Row] = [
    ((-3, 2, 1), 5, 5, 100),
    ((0, 0, 0), 5, 5, 7),
    ((0, 0, 0), 8, 5, 9),
    ((0, 0, 0), 6, 6, 11),
    ((4, 5, 6), 2**47, 2**47, 262144),
]


@pytest.mark.services
def test_indices_posted_twice_are_there_once(labelmap: Labelmap) -> None:
    """Oracle: the server's own sizes, which an indexed POST /blocks would double."""
    for _ in range(2):
        assert post_indices(labelmap, _table(ROWS[::-1])) == 3
    assert _sizes(labelmap, [5, 6, 2**47, 7]) == [116, 11, 262144, 0]
    assert _rows(indices(labelmap, [2**47, 6, 5, 7])) == sorted(ROWS, key=lambda row: (row[2], row[0], row[1]))
    np.testing.assert_array_equal(indexed_labels(labelmap), [5, 6, 2**47])
    assert labelmap.max_label() == 2**47


@pytest.mark.services
def test_the_server_finds_a_body_in_the_blocks_that_we_named(labelmap: Labelmap) -> None:
    """Oracle: DVID's sparsevol-coarse. Kills turned axes and two's complement, which read back right all the same."""
    post_indices(labelmap, _table(ROWS))
    answer = labelmap.node.server.get(labelmap.node.path("seg", "sparsevol-coarse", "5"))
    spans = [struct.unpack_from("<4i", answer, at) for at in range(12, len(answer), 16)]
    assert sorted((z, y, x) for x, y, z, length in spans for x in range(x, x + length)) == [(-3, 2, 1), (0, 0, 0)]


@pytest.mark.services
def test_an_index_is_replaced_whole_and_deleted_whole(labelmap: Labelmap) -> None:
    """Kills adding to what is there, and a delete that takes others along."""
    post_indices(labelmap, _table(ROWS))
    post_indices(labelmap, _table([((9, 9, 9), 8, 5, 3)]))
    assert _rows(indices(labelmap, [5])) == [((9, 9, 9), 8, 5, 3)]
    delete_indices(labelmap, [5, 77])
    delete_indices(labelmap, [5, 77])
    assert _rows(indices(labelmap, [5])) == []
    np.testing.assert_array_equal(indexed_labels(labelmap), [6, 2**47])


@pytest.mark.services
def test_a_child_deletes_for_itself_only(labelmap: Labelmap) -> None:
    post_indices(labelmap, _table(ROWS))
    labelmap.node.commit("done")
    child = Labelmap(labelmap.node.branch("run-1"), "seg")
    delete_indices(child, [5])
    assert len(indices(child, [5])) == 0
    assert len(indices(labelmap, [5])) == 3


@pytest.mark.services
def test_bodies_are_never_cut_between_posts(labelmap: Labelmap, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kills batches by rows alone: the second part would replace the first."""
    monkeypatch.setattr(label_index, "POST_ROWS", 4)
    monkeypatch.setattr(label_index, "REQUEST_LABELS", 3)
    rows: list[Row] = [((z, 0, 0), body, body, body + z) for body in range(1, 9) for z in range(body % 3 + 1)]
    assert post_indices(labelmap, _table(rows)) == 8
    assert _rows(indices(labelmap, list(range(1, 10)))) == rows
    delete_indices(labelmap, list(range(1, 8)))
    np.testing.assert_array_equal(indexed_labels(labelmap), [8])


@pytest.mark.services
def test_a_body_of_more_than_a_hundred_thousand_blocks_is_one_post(labelmap: Labelmap) -> None:
    """Kills a body that is cut at the rows of a request, and numbers of 16 bits. Oracle: the server's own size."""
    block = np.indices((120, 100, 10), np.int32).reshape(3, -1).T.astype(np.int32)
    ids, rows = np.full(len(block), 5, np.uint64), 2 * len(block)
    assert rows > label_index.POST_ROWS
    two = np.concatenate([ids, np.full(len(block), 9, np.uint64)])
    count = np.concatenate([np.full(len(block), 3, np.uint32), np.full(len(block), 4, np.uint32)])
    table = IndexTable(np.concatenate([block, block]), two, np.full(rows, 5, np.uint64), count).ordered()
    assert post_indices(labelmap, table) == 1
    found = indices(labelmap, [5])
    for one, other in zip(found.columns, table.columns, strict=True):
        np.testing.assert_array_equal(one, other)
    assert _sizes(labelmap, [5]) == [7 * len(block)]


@pytest.mark.parametrize(
    ("rows", "wrong"),
    [
        ([((0, 0, 1), 7, 7, 1), ((0, 0, 0), 5, 0, 1)], 1),
        ([((0, 0, 1), 7, 7, 1), ((0, 0, 0), 0, 5, 1)], 1),
        ([((0, 0, 1), 7, 7, 1), ((0, 0, 0), 5, 5, 0)], 1),
        ([((0, 0, 0), 5, 5, 1), ((0, 0, 0), 6, 2**48, 1)], 1),
        ([((0, 0, 0), 2**48, 5, 1), ((0, 0, 1), 7, 7, 1)], 0),
        ([((0, 0, 1), 7, 7, 1), ((0, 0, 1 << 20), 5, 5, 1)], 1),
        ([((0, 0, 0), 5, 5, 1), ((0, 0, 1), 5, 5, 1), ((0, 0, 0), 5, 5, 2)], 2),
        ([((0, 0, 0), 5, 5, 1), ((9, 0, 0), 5, 6, 1)], 1),
    ],
)
def test_a_wrong_table_is_refused_before_anything_is_sent(rows: list[Row], wrong: int) -> None:
    """DVID stores what comes before a bad label and then says 400: kills half-posted indices. The row is named."""
    with pytest.raises(IndexTableError) as caught:
        post_indices(Labelmap(Node(None, "none"), "none"), _table(rows))  # type: ignore[arg-type]
    block, supervoxel, body, count = rows[wrong]
    assert numbers(caught.value.on.replace("(ZYX)", "")) == [body, supervoxel, *block, count]


@given(st.lists(st.tuples(*[st.integers(-(2**20) + 1, 2**20 - 1)] * 3), min_size=1, max_size=20))
@settings(deadline=None)
def test_every_block_comes_back_from_its_key(blocks: list[tuple[int, int, int]]) -> None:
    array = np.array(blocks, np.int32)
    np.testing.assert_array_equal(_blocks_of(_keys_of(array)), array)


def test_keys_are_sign_and_magnitude_with_x_lowest() -> None:
    """Worked by hand: kills two's complement and XYZ order."""
    keys = _keys_of(np.array([[0, 1, -2], [-1, 0, 3]], np.int32))
    assert keys.tolist() == [1 << 21 | 1 << 20 | 2, (1 << 20 | 1) << 42 | 3]


@pytest.fixture
def counting(devstack: DevStack, labelmap: Labelmap) -> Labelmap:
    return Labelmap(Node(Counts(devstack.dvid), labelmap.node.uuid), "seg")


@pytest.mark.services
def test_only_what_differs_is_posted(counting: Labelmap) -> None:
    """Kills blind posts: every operation makes the server's log grow, on a retry too."""
    bodies = {5: np.array([5, 9, 7], np.uint64), 6: np.array([6], np.uint64), 11: np.array([11, 12], np.uint64)}
    assert post_mappings(counting, bodies) == 3
    supervoxels, of_bodies = mappings(counting)
    assert dict(zip(supervoxels.tolist(), of_bodies.tolist(), strict=True)) == {7: 5, 9: 5, 12: 11}
    assert post_mappings(counting, bodies) == 0
    assert counting.node.server.posts == 1  # type: ignore[attr-defined]
    assert post_mappings(counting, bodies | {6: np.array([6, 9], np.uint64), 5: np.array([5, 7], np.uint64)}) == 1
    assert dict(zip(*(column.tolist() for column in mappings(counting)), strict=True)) == {7: 5, 9: 6, 12: 11}


@pytest.mark.services
def test_a_mapping_changes_what_is_read_but_no_voxel_and_can_be_undone(labelmap: Labelmap) -> None:
    labelmap.ingest_supervoxels(0, [((0, 0, 0), pack_block(np.full((64,) * 3, 9, np.uint64)))])
    box = Box.of_shape((1, 1, 1))
    post_mappings(labelmap, {5: np.array([5, 9], np.uint64)})
    assert (labelmap.read(box).item(), labelmap.read(box, supervoxels=True).item()) == (5, 9)
    assert post_mappings(labelmap, {9: np.array([9], np.uint64)}) == 1
    assert labelmap.read(box).item() == 9
    assert post_mappings(labelmap, {9: np.array([9], np.uint64)}) == 0


@pytest.mark.services
def test_a_childs_mapping_goes_before_its_parents(labelmap: Labelmap) -> None:
    post_mappings(labelmap, {5: np.array([9], np.uint64), 6: np.array([8], np.uint64)})
    labelmap.node.commit("done")
    child = Labelmap(labelmap.node.branch("run-1"), "seg")
    assert post_mappings(child, {5: np.array([9], np.uint64), 7: np.array([8], np.uint64)}) == 1
    assert dict(zip(*(column.tolist() for column in mappings(child)), strict=True)) == {9: 5, 8: 7}
    assert dict(zip(*(column.tolist() for column in mappings(labelmap)), strict=True)) == {9: 5, 8: 6}


@pytest.mark.services
def test_a_body_that_is_posted_in_parts_is_one_body(counting: Labelmap, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kills a second operation of a body that takes the first one's supervoxels out of it."""
    monkeypatch.setattr(label_mappings, "LONGEST_OPERATION", 7)
    bodies = {
        100 * i: np.arange(100 * i + 1, 100 * i + 1 + n).astype(np.uint64)
        for i, n in enumerate([2, 2, 2, 2, 9, 20, 1], 1)
    }
    assert post_mappings(counting, bodies) == 38
    found = dict(zip(*(column.tolist() for column in mappings(counting)), strict=True))
    assert found == {int(sv): body for body, svs in bodies.items() for sv in svs}


@pytest.mark.parametrize(
    ("bodies", "named"),
    [
        ({5: [7], 6: [7, 8]}, [7, 5, 6]),  # a supervoxel, and its two bodies
        ({5: [0]}, [0]),
        ({0: [5]}, [0]),
        ({5: [2**48]}, [2**48, 2**48]),  # a label, and the bound that it must be below
        ({2**48 + 1: [5]}, [2**48 + 1, 2**48]),
        ({5: [9], 9: [10]}, [9, 5]),  # a body, and the body that it is itself mapped to
        ({5: [6], 6: [5]}, [5, 6]),
    ],
)
def test_wrong_mappings_are_refused_before_anything_is_sent(
    bodies: dict[int, list[int]], named: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kills chains and circles: DVID follows a mapping once, so that a reader would see neither body whole."""
    none = np.empty(0, np.uint64)
    monkeypatch.setattr(label_mappings, "mappings", lambda _: (none, none))
    nowhere = Labelmap(Node(None, "none"), "none")  # type: ignore[arg-type]
    with pytest.raises(MappingError) as caught:
        post_mappings(nowhere, {body: np.array(svs, np.uint64) for body, svs in bodies.items()})
    assert numbers(caught.value.found) == named
