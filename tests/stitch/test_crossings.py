"""Who goes on across seams and planes inside: by hand, and against plain loops over the whole volume."""

from __future__ import annotations

import numpy as np
import pytest
from tests.stitch.stitch_volumes import blobs

from emseg.geometry import Box, Grid, cells_of, supervoxel_ids
from emseg.stitch import Crossings, Ends, ends_at, inside_crossings, seam_crossings

BOUNDS = Box.of_shape((8, 12, 10))
GRID = Grid(BOUNDS, (4, 6, 5), (2, 2, 2))


def test_four_sides_of_which_two_end_by_hand():
    """Kills a body that is counted once for each voxel or pair, and unlabelled voxels that end what they meet."""
    labels = np.array([[[1, 1, 2, 0], [1, 3, 2, 4]]], np.uint32).transpose(1, 0, 2)  # two layers along Z
    found = inside_crossings(labels, 7)
    along_z = found.rows(found.plane == 3)
    names = [supervoxel_ids(np.array([n], np.uint32), 7)[0] for n in range(5)]
    assert list(zip(along_z.first, along_z.second, strict=True)) == [
        (names[1], names[1]),
        (names[1], names[3]),
        (names[2], names[2]),
    ]
    # 1 goes on (though 3 also lies opposite to it), 2 goes on, 3 ends; 4 has nothing opposite, so it does not count.
    assert ends_at(along_z, lambda ids: ids) == (Ends(0, 0), Ends(met=5, ended=1))


@pytest.mark.parametrize("seed", range(4))
def test_seams_and_planes_equal_those_of_plain_loops(seed):
    """Kills layers of the wrong side, of the halo, or of a diagonal neighbour; and bodies that change at a seam."""
    labels = blobs(BOUNDS.shape, seed, bodies=9)
    seams, inside = Ends(), Ends()
    for number in range(GRID.shape.product):
        own = GRID.subvolume(number)
        parts = [inside_crossings(labels[own.core.slices()], number)]
        for other in (n for n in GRID.neighbours(number) if n > number):
            overlap = GRID.overlap(number, other)
            slab = labels[overlap.region.slices()]
            parts.append(seam_crossings(overlap, slab, slab))
        found = ends_at(Crossings.joined(parts), lambda ids: ids % 4 + cells_of(ids).astype(np.uint64) % 2 * 100)
        seams, inside = seams + found[0], inside + found[1]
    assert (seams, inside) == _by_loops(labels)


def _by_loops(labels: np.ndarray) -> tuple[Ends, Ends]:
    """Bodies are local labels modulo 4, apart in cells of odd and even number: so some end at seams, and some go on."""
    seams, inside = Ends(), Ends()
    for number in range(GRID.shape.product):
        own = GRID.subvolume(number)
        for axis in range(3):
            middle = own.core.start[axis] + own.core.shape[axis] // 2
            inside += _ends(labels, own.core, axis, middle)
            if own.core.stop[axis] < BOUNDS.stop[axis]:
                seams += _ends(labels, own.core, axis, own.core.stop[axis])
    return seams, inside


def _ends(labels: np.ndarray, core: Box, axis: int, at: int) -> Ends:
    sides: list[dict[int, bool]] = [{}, {}]
    ranges = [range(core.start[a], core.stop[a]) for a in range(3)]
    ranges[axis] = range(at, at + 1)
    for voxel in np.stack(np.meshgrid(*ranges, indexing="ij"), -1).reshape(-1, 3):
        below = voxel.copy()
        below[axis] -= 1
        a, b = int(labels[tuple(below)]), int(labels[tuple(voxel)])
        if a == 0 or b == 0:
            continue
        ours, theirs = (_body(n, p) for n, p in ((a, below), (b, voxel)))
        for side, body in enumerate((ours, theirs)):
            sides[side][body] = sides[side].get(body, False) or ours == theirs
    going_on = sum(sum(side.values()) for side in sides)
    met = sum(len(side) for side in sides)
    return Ends(met, met - going_on)


def _body(label: int, voxel: np.ndarray) -> int:
    number = next(iter(GRID.cells_touching(Box.of_shape((1, 1, 1), tuple(int(n) for n in voxel)))))
    return (number * 2**24 + label) % 4 + number % 2 * 100


def test_cores_without_a_halo_have_planes_but_no_seam():
    grid = Grid(BOUNDS, (4, 6, 5), (0, 0, 0))
    overlap = grid.overlap(0, 1)
    empty = np.zeros(overlap.region.shape, np.uint32)
    assert len(seam_crossings(overlap, empty, empty)) == 0
