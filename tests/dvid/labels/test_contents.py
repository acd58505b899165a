"""New labels over inherited ones, on the real server: exactly what must be left, or an error that names the clash."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from emseg.dvid import (
    BodyContents,
    ForeignBlocksError,
    IndexTable,
    InheritedNames,
    LabelClashError,
    LabelContents,
    Labelmap,
    block_counts,
    delete_indices,
    indexed_labels,
    indices,
    mappings,
    post_indices,
    post_mappings,
    surviving_by_index,
    surviving_in_box,
    write_blocks,
    write_brick,
)
from emseg.dvid.labels.block import pack_block
from emseg.errors import IntegrityError
from emseg.geometry import Box

pytestmark = pytest.mark.services

LEFT, RIGHT = (0, 0, 0), (0, 0, 1)
TWO = Box((0, 0, 0), (1, 1, 2))


def filled(*columns: int) -> np.ndarray:
    """A row of blocks along X, each filled by one label."""
    return np.concatenate([np.full((64, 64, 64), label, np.uint64) for label in columns], axis=2)


def both(top: int, bottom: int) -> np.ndarray:
    block = np.full((64, 64, 64), top, np.uint64)
    block[32:] = bottom
    return block


@pytest.fixture
def child(labelmap: Labelmap) -> Labelmap:
    """The child of a version with bodies 1 = supervoxels 1 + 11 (one each side), 2 (left), 12 = 12 + 13 (right)."""
    row = np.concatenate([both(1, 2), both(11, 12)], axis=2)
    row[48:, :, 64:] = 13
    write_brick(labelmap, 0, row, LEFT)
    table = block_counts(row, LEFT)
    body = np.select([table.supervoxel == 11, table.supervoxel == 13], [np.uint64(1), np.uint64(12)], table.supervoxel)
    post_mappings(labelmap, {1: np.array([11], np.uint64), 12: np.array([13], np.uint64)})
    post_indices(labelmap, IndexTable(table.block, table.supervoxel, body, table.count))
    labelmap.raise_max_label(13)
    labelmap.set_extents(Box.of_shape((64, 64, 128)))
    labelmap.node.commit("release")
    return Labelmap(labelmap.node.branch("run"), "seg")


def laid_over(labelmap: Labelmap, child: Labelmap, new: np.ndarray) -> LabelContents:
    """`new` in the left block; mappings and indices follow."""
    inherited = dict(labelmap.stored_blocks(TWO, 0))
    write_blocks(child, 0, [(LEFT, pack_block(new))], TWO, inherited)
    names, rows_replaced = InheritedNames.of(labelmap), replaced_rows(labelmap)
    replaced = replace(rows_replaced, body=names.bodies_of(rows_replaced.supervoxel))
    counted = block_counts(new, LEFT)
    claims = names.claims(np.unique(counted.supervoxel))
    bodies = BodyContents.over(labelmap, names.labels, counted, replaced, claims)
    bodies.post(child)
    bodies.verify(child)
    contents = LabelContents(
        ancestor=labelmap,
        names=names,
        parts=lambda: iter([bodies.mapped]),
        bodies=bodies.bodies,
        changed=bodies.changed,
        max_label=bodies.max_label,
        bounds=Box.of_shape((64, 64, 64)),
    )
    contents.post(child, bool)
    contents.verify(child)
    return contents


def replaced_rows(labelmap: Labelmap) -> IndexTable:
    return block_counts(labelmap.read(Box.of_shape((64, 64, 64)), supervoxels=True), LEFT)


def rows(labelmap: Labelmap) -> set[tuple[int, int, int, int]]:
    """(body, supervoxel, x of the block, voxels) of every index."""
    table = indices(labelmap, indexed_labels(labelmap).tolist())
    columns = (table.body, table.supervoxel, table.block[:, 2], table.count)
    return set(zip(*(column.tolist() for column in columns), strict=True))


HALF, QUARTER = 64**3 // 2, 64**3 // 4


def test_a_body_that_survives_in_part_keeps_its_name_while_it_is_free(labelmap: Labelmap, child: Labelmap) -> None:
    """Body 1 loses supervoxel 1 and keeps 11; body 2 is gone; body 12 is as it was. Worked by hand."""
    laid_over(labelmap, child, both(5, 6))
    assert rows(child) == {
        (1, 11, 1, HALF),
        (5, 5, 0, HALF),
        (6, 6, 0, HALF),
        (12, 12, 1, QUARTER),
        (12, 13, 1, QUARTER),
    }
    assert dict(zip(*(column.tolist() for column in mappings(child)), strict=True)) == {11: 1, 13: 12}
    assert child.max_label() == 13
    assert child.info().extents == Box.of_shape((64, 64, 128))


def test_a_body_whose_name_is_given_anew_is_called_by_what_is_left_of_it(labelmap: Labelmap, child: Labelmap) -> None:
    """The new supervoxel 1 is something else: kills a mapping that still joins 11 to it."""
    laid_over(labelmap, child, both(1, 2))
    assert {(1, 1, 0, HALF), (11, 11, 1, HALF), (2, 2, 0, HALF)} <= rows(child)
    bodies = child.read(Box.of_shape((64, 64, 128)))
    assert (bodies[0, 0, 0], bodies[0, 0, 64]) == (1, 11)
    assert dict(zip(*(column.tolist() for column in mappings(child)), strict=True)) == {13: 12}


def test_an_empty_result_hides_what_the_ancestor_has(labelmap: Labelmap, child: Labelmap) -> None:
    """Kills leaving empty blocks out: absent is inherited."""
    laid_over(labelmap, child, filled(0))
    assert not child.read(Box.of_shape((64, 64, 64))).any()
    assert rows(child) == {(1, 11, 1, HALF), (12, 12, 1, QUARTER), (12, 13, 1, QUARTER)}
    assert labelmap.read(Box.of_shape((64, 64, 64))).all()
    assert (1, 1, 0, HALF) in rows(labelmap)


def test_an_id_held_by_a_survivor_is_found_before_and_refused_after(labelmap: Labelmap, child: Labelmap) -> None:
    """Supervoxel 13 lies in the right block, which is not written, in a body of another name."""
    found = [
        surviving_by_index(labelmap, may_be_given, lambda rows: rows.block[:, 2] == 1).tolist()
        for may_be_given in (lambda ids: ids < 10, lambda ids: ids == 13, lambda ids: ids > 2)
    ]
    assert found == [[], [13], [11, 12, 13]]
    with pytest.raises(LabelClashError) as caught:
        laid_over(labelmap, child, both(5, 13))
    assert "supervoxel 13 of body 12, block (0, 0, 1)" in caught.value.on
    assert rows(child) == rows(labelmap)


def test_an_ancestor_without_indices_is_refused(labelmap: Labelmap, child: Labelmap) -> None:
    """Kills sizes that are guessed: what is taken away must have been counted."""
    again = child
    delete_indices(again, [2])
    again.node.commit("an index is lost")
    with pytest.raises(IntegrityError) as caught:
        laid_over(again, Labelmap(again.node.branch("next"), "seg"), both(5, 6))
    assert "supervoxel 2, block (0, 0, 0)" in caught.value.on
    assert str(HALF) in caught.value.found


def test_a_block_of_somebody_else_is_told_from_one_of_an_ancestor(labelmap: Labelmap, child: Labelmap) -> None:
    """Kills a check that takes any block for inherited, and one that refuses every ancestor."""
    inherited = dict(labelmap.stored_blocks(TWO, 0))
    assert write_blocks(child, 0, [], TWO, inherited) == 0
    child.ingest_supervoxels(0, [(RIGHT, pack_block(filled(99)))])
    with pytest.raises(IntegrityError) as caught:
        write_blocks(child, 0, [(LEFT, pack_block(filled(7)))], TWO, inherited)
    assert str(RIGHT) in caught.value.found
    child.ingest_supervoxels(0, [((0, 0, 2), pack_block(filled(99)))])
    with pytest.raises(ForeignBlocksError) as foreign:
        write_blocks(child, 0, [(LEFT, pack_block(filled(7)))], Box((0, 0, 0), (1, 1, 3)), inherited)
    assert "(0, 0, 2)" in foreign.value.found


def test_survivors_in_a_box_are_those_with_a_voxel_that_is_not_replaced(labelmap: Labelmap) -> None:
    """Kills ids of whole blocks, ids beyond the box, and 0."""
    labels = np.repeat(np.arange(1, 4, dtype=np.uint64), 64)[None, None] * np.ones((64, 64, 1), np.uint64)
    labels[:, :, 64:96] = 4
    labels[0] = 0
    write_brick(labelmap, 0, labels, (0, 0, 0))
    box = Box((0, 0, 0), (64, 64, 128))
    replaced = np.ones(box.shape, bool)
    assert surviving_in_box(labelmap, box, replaced).tolist() == []
    replaced[0] = False
    assert surviving_in_box(labelmap, box, replaced).tolist() == []
    replaced[63, 63, [63, 127]] = False
    assert surviving_in_box(labelmap, box, replaced).tolist() == [1, 2]
