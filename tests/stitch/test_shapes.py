"""Shapes whose answer is known: what must come out as one body, and what must not, however the volume is cut.

Each subvolume gets its own labels from the connected parts of its padded box, as a segmentation that is right about
every boundary would make them: a body that leaves a subvolume and comes back is several supervoxels there.
"""

import numpy as np
import pytest
from benchmarks.restitch import Cut
from scipy import ndimage
from tests.stitch.stitch_volumes import grid_over

from emseg.config import StitchMode
from emseg.config.stitching import Stitching
from emseg.geometry import Grid
from emseg.stitch import resolve

SIDE, CORE, HALO = 48, 16, 5
MODES = [mode for mode in StitchMode if mode is not StitchMode.NONE]


VOXEL_SIZE_NM = (20.0, 20.0, 20.0)
"""So that a tooth of the comb shares more than the 1e6 nm3 that `aggressive` asks of one side."""


def stitched(labels: np.ndarray, mode: StitchMode, missing: tuple[int, ...] = ()) -> np.ndarray:
    grid = grid_over(labels, CORE, HALO)
    cells = [number for number in range(grid.shape.product) if number not in missing]
    cut = Cut(grid, {number: _parts(labels, grid, number) for number in cells})
    return cut.bodies(resolve(cut.evidence(), Stitching(mode=mode, min_overlap_nm3=0), VOXEL_SIZE_NM).mapping)


def _parts(labels: np.ndarray, grid: Grid, number: int) -> np.ndarray:
    """Connected parts (26 neighbours) of each label, numbered 1, 2, ... over all labels."""
    inside = labels[grid.subvolume(number).padded.slices()]
    out = np.zeros(inside.shape, np.uint32)
    for label in np.unique(inside[inside > 0]):
        parts, _ = ndimage.label(inside == label, np.ones((3, 3, 3)))
        out[parts > 0] = parts[parts > 0].astype(np.uint32) + out.max()
    return out


def bodies_in(volume: np.ndarray, where: np.ndarray) -> set[int]:
    return set(np.unique(volume[where]).tolist())


def chambers() -> np.ndarray:
    """A grid of closed rooms of 9 voxels with walls of 3 between them: 4 x 4 x 4 rooms and the walls as one body."""
    axis = np.arange(SIDE) % 12 < 3
    walls = axis[:, None, None] | axis[None, :, None] | axis[None, None, :]
    labels, rooms = ndimage.label(~walls)
    assert rooms == 64
    return np.where(walls, 65, labels).astype(np.uint32)


def spiral() -> np.ndarray:
    """A band of 3 voxels that winds inwards, square turn by square turn, 3 apart; body 2 fills the gaps between."""
    labels = np.full((SIDE, SIDE, SIDE), 2, np.uint32)
    y, x, dy, dx = 0, 0, 0, 1
    low, high = [0, 0], [SIDE - 3, SIDE - 3]
    while low[0] <= high[0] and low[1] <= high[1]:
        labels[:, y : y + 3, x : x + 3] = 1
        if not (low[0] <= y + dy <= high[0] and low[1] <= x + dx <= high[1]):
            if (dy, dx) == (0, 1):
                low[0] += 6
            elif (dy, dx) == (1, 0):
                high[1] -= 6
            elif (dy, dx) == (0, -1):
                high[0] -= 6
            else:
                low[1] += 6
            dy, dx = dx, -dy
            if not (low[0] <= y + dy <= high[0] and low[1] <= x + dx <= high[1]):
                break
        y, x = y + dy, x + dx
    assert ndimage.label(labels == 1)[1] == 1
    return labels


def comb() -> np.ndarray:
    """Body 1: a back along X at low Y, and teeth of 3 voxels towards high Y; body 2: a comb from the other side."""
    labels = np.zeros((SIDE, SIDE, SIDE), np.uint32)
    labels[:, :4], labels[:, -4:] = 1, 2
    for x in range(0, SIDE, 6):
        labels[:, 4:-4, x : x + 3], labels[:, 4:-4, x + 3 : x + 6] = 1, 2
    return labels


def diagonal_tube() -> np.ndarray:
    """A tube of 3 x 3 x 3 voxels along the diagonal of the volume: it passes from core to core over corners."""
    labels = np.zeros((SIDE, SIDE, SIDE), np.uint32)
    for k in range(SIDE - 3):
        labels[k : k + 3, k : k + 3, k : k + 3] = 1
    return labels


def edge_tube() -> np.ndarray:
    """A tube in one layer of Z along the diagonal of Y and X: it passes from core to core over edges."""
    labels = np.zeros((SIDE, SIDE, SIDE), np.uint32)
    for k in range(SIDE - 3):
        labels[5:8, k : k + 3, k : k + 3] = 1
    return labels


@pytest.mark.parametrize("mode", MODES)
def test_every_chamber_is_one_body_and_the_walls_another(mode):
    labels = chambers()
    volume = stitched(labels, mode)
    found = [bodies_in(volume, labels == label) for label in range(1, 66)]
    assert all(len(bodies) == 1 for bodies in found)
    assert len(set.union(*found)) == 65


@pytest.mark.parametrize("mode", MODES)
def test_the_turns_of_a_spiral_are_one_body_apart_from_what_lies_between(mode):
    """Kills constraints that keep the turns apart because they are separate supervoxels of each subvolume."""
    labels = spiral()
    volume = stitched(labels, mode)
    one, two = bodies_in(volume, labels == 1), bodies_in(volume, labels == 2)
    assert len(one) == 1
    assert len(two) == ndimage.label(labels == 2)[1]
    assert not one & two


def test_the_teeth_of_a_comb_join_its_back_in_the_mode_that_allows_one_to_many():
    """In one subvolume each tooth is a supervoxel, in the next they are one with the back.

    Of those only one pair can be mutual best, so `medium`, by its published rule, joins one tooth an overlap.
    """
    labels = comb()
    volume = stitched(labels, StitchMode.AGGRESSIVE)
    bodies = [bodies_in(volume, labels == label) for label in (1, 2)]
    assert [len(each) for each in bodies] == [1, 1]
    assert not bodies[0] & bodies[1]
    assert len(bodies_in(stitched(labels, StitchMode.MEDIUM), labels == 1)) > 1


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("shape", [diagonal_tube, edge_tube])
def test_a_tube_over_corners_and_edges_is_one_body(shape, mode):
    labels = shape()
    assert len(bodies_in(stitched(labels, mode), labels == 1)) == 1


@pytest.mark.parametrize("mode", MODES)
def test_a_body_that_crosses_one_edge_only_is_joined_though_both_face_neighbours_are_missing(mode):
    """Two cubes of 3 voxels on both sides of the edge of four cores; the other two cores are holes of the ROI.

    Kills matching over faces alone.
    """
    labels = np.zeros((CORE, 2 * CORE, 2 * CORE), np.uint32)
    labels[6:9, CORE - 3 : CORE, CORE - 3 : CORE] = 1
    labels[6:9, CORE : CORE + 3, CORE : CORE + 3] = 1
    volume = stitched(labels, mode, missing=(1, 2))
    assert len(bodies_in(volume, labels == 1)) == 1
    assert len(bodies_in(volume, labels == 1) - {0}) == 1


def test_with_mode_none_every_core_keeps_its_own_supervoxels():
    """The tube is one supervoxel in each core; the cores that it has voxels in are counted by numpy."""
    labels = diagonal_tube()
    cores = {tuple(voxel // CORE) for voxel in np.argwhere(labels == 1)}
    assert len(bodies_in(stitched(labels, StitchMode.NONE), labels == 1)) == len(cores)
