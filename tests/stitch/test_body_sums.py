"""Sizes of bodies added subvolume by subvolume: by hand, and against pandas."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from emseg.stitch import BodyMapping, BodyParts, Supervoxels, body_counts, body_parts
from emseg.stitch.body_sums import KEPT, BodyCounts


def supervoxels(ids: list[int], voxels: list[int], faces: list[int] | None = None) -> Supervoxels:
    reached = np.array(faces or [0] * len(ids), np.uint8)
    return Supervoxels(np.array(ids, np.uint64), np.array(voxels, np.int64), reached)


def counted(mapping: BodyMapping, orphan_max_vox: float, *parts: Supervoxels) -> BodyCounts:
    """What regions that have these supervoxels count together."""
    several, alone = [], BodyCounts(orphan_max_vox)
    for part in parts:
        of_several, of_one = body_parts(mapping, part, orphan_max_vox)
        several, alone = [*several, of_several], alone + of_one
    return body_counts(BodyParts.joined(several), alone)


def test_three_bodies_of_four_supervoxels_by_hand():
    """Kills a body that is counted in each of its subvolumes, and orphans that reach a face with another supervoxel."""
    mapping = BodyMapping(np.array([2, 9], np.uint64), np.array([2, 2], np.uint64))
    found = counted(mapping, 6, supervoxels([2, 3], [4, 3]), supervoxels([9, 10], [2, 1], faces=[8, 0]))
    assert (found.bodies, found.voxels, found.squares) == (3, 10, 36 + 9 + 1)
    assert (found.orphans, found.orphan_vox) == (2, 4)  # 2 has 6 voxels, and its part 9 reaches a face
    assert [column.tolist() for column in found.in_order()] == [[2, 3, 10], [6, 3, 1]]
    assert {k: (int(found.in_class[k]), int(found.voxels_in_class[k])) for k in np.flatnonzero(found.in_class)} == {
        0: (1, 1),
        1: (1, 3),
        2: (1, 6),
    }


def test_a_body_named_after_a_supervoxel_of_the_halo_alone_is_counted_with_its_voxels():
    """Kills bodies that are found by the size of the supervoxel that names them."""
    mapping = BodyMapping(np.array([1, 2], np.uint64), np.array([1, 1], np.uint64))
    found = counted(mapping, 0, supervoxels([2], [5]))
    assert [column.tolist() for column in found.in_order()] == [[1], [5]]


@pytest.mark.parametrize("seed", range(5))
def test_sums_equal_those_of_pandas_in_any_order_of_the_subvolumes(seed):
    rng = np.random.default_rng(seed)
    ids = np.unique(rng.integers(1, 10**9, 3000).astype(np.uint64))
    voxels, faces = rng.integers(1, 10**6, len(ids)), rng.integers(0, 64, len(ids)).astype(np.uint8)
    voxels[0] = 10**13  # a body that has run away
    faces[rng.random(len(ids)) < 0.7] = 0
    mapping = BodyMapping.of_components(ids, rng.integers(0, 1500, len(ids)))
    parts = (Supervoxels(ids[part], voxels[part], faces[part]) for part in _shuffled(rng, len(ids)))
    found = counted(mapping, 500_000, *parts)

    frame = pd.DataFrame({"body": mapping.body_of(ids), "voxels": voxels, "reaches": faces > 0})
    bodies = frame.groupby("body").agg({"voxels": "sum", "reaches": "any"})
    orphans = bodies[(bodies.voxels <= 500_000) & ~bodies.reaches]
    top = bodies.reset_index().sort_values(["voxels", "body"], ascending=[False, True]).head(KEPT)
    assert (found.bodies, found.voxels) == (len(bodies), int(bodies.voxels.sum()))
    assert found.squares == pytest.approx(float((bodies.voxels.astype(float) ** 2).sum()), rel=1e-12)
    assert (found.orphans, found.orphan_vox) == (len(orphans), int(orphans.voxels.sum()))
    assert [column.tolist() for column in found.in_order()] == [top.body.tolist(), top.voxels.tolist()]
    classes = bodies.groupby([int(n).bit_length() - 1 for n in bodies.voxels]).voxels.agg(["size", "sum"])
    assert found.in_class[classes.index].tolist() == classes["size"].tolist()
    assert found.voxels_in_class[classes.index].tolist() == classes["sum"].tolist()


def _shuffled(rng: np.random.Generator, rows: int) -> list[np.ndarray]:
    parts = np.array_split(np.arange(rows), 7)
    return [parts[i] for i in rng.permutation(7)]


def test_no_supervoxel_at_all():
    found = counted(BodyMapping.none(), 1)
    assert (found.bodies, found.voxels, found.squares) == (0, 0, 0.0)
