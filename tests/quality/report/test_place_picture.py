"""Pictures of places, read back as pixels."""

from __future__ import annotations

import numpy as np
import pytest
import simplejpeg

from emseg.geometry import Box
from emseg.quality.colours import body_colours
from emseg.quality.report.place_picture import SIDE_VOX, Plane, place_jpeg, plane_of, scale_bar_nm, worst_plane


@pytest.mark.parametrize(
    ("position", "start", "stop"),
    [((5, 10, 200), (5, 0, 44), (6, 256, 300)), ((0, 150.5, 150.5), (0, 22, 22), (1, 278, 278))],
)
def test_the_plane_of_a_place_holds_it_and_stays_inside(position, start, stop):
    """By hand. Kills a plane that is cut at the border, and one that begins in another volume's space."""
    assert plane_of(position, Box((0, 0, 0), (300, 300, 300))) == Box(start, stop)
    moved = plane_of(tuple(np.add(position, 1000)), Box((1000,) * 3, (1300,) * 3))
    assert moved == Box(tuple(np.add(start, 1000)), tuple(np.add(stop, 1000)))


def test_the_plane_is_the_one_in_which_the_fault_is_seen():
    """Body of columns 2 to 7. Plane 0 has 6 rows of one partner, plane 1 two halves, plane 2 a corner of the second
    one. Kills the plane with most of the body, and a place outside of it.
    """
    inside = np.zeros((3, 6, 10), bool)
    inside[:, :, 2:8] = True
    other = np.full(inside.shape, 21, np.uint64)
    other[1, :, 5:], other[2, 0, 5:] = 22, 22
    assert worst_plane(inside, other, {21, 22}) == (1, 2, 4)
    assert worst_plane(inside, other, {21}) is None
    assert worst_plane(inside[:1], other[:1], {21, 22}) is None


def test_a_small_volume_is_shown_whole():
    assert plane_of((3, 5, 5), Box((0, 0, 0), (9, 20, 30))) == Box((3, 0, 0), (4, 20, 30))


@pytest.mark.parametrize(("width", "voxel", "bar"), [(256, 8, 500), (256, 4, 200), (64, 10, 200), (256, 0.5, 20)])
def test_the_bar_is_a_round_length(width, voxel, bar):
    assert scale_bar_nm(width, voxel) == bar


def test_bodies_have_their_own_colours_and_the_bar_its_length():
    """Kills panels in another order, one colour for all, colours of the picture, and a bar without a scale."""
    gray = np.full((SIDE_VOX, SIDE_VOX), 128, np.uint8)
    segmentation = np.full(gray.shape, 3, np.uint64)
    segmentation[:, 128:] = 4
    truth = np.full(gray.shape, 9, np.uint64)
    data = place_jpeg(Plane(gray, segmentation, truth, ((3, 4), (9,))), bar_nm=500, voxel_nm=8)
    seen = simplejpeg.decode_jpeg(data).astype(float) / 255
    assert seen.shape == (SIDE_VOX, 3 * SIDE_VOX + 8, 3)
    assert len(data) < 60_000
    middle, right = SIDE_VOX + 4, 2 * SIDE_VOX + 8
    for x, body in ((middle + 60, 3), (middle + 190, 4), (right + 60, 9)):
        wanted = 0.4 * 128 / 255 + 0.6 * body_colours(np.array([body]))[0]
        assert np.abs(seen[60, x] - wanted).max() < 0.05
    assert np.abs(seen[60, 60] - 128 / 255).max() < 0.03
    bar = seen[SIDE_VOX - 10, :SIDE_VOX].min(axis=1) > 0.85
    assert abs(int(bar.sum()) - 500 / 8) <= 1


def test_bodies_that_the_place_is_not_about_are_faint():
    gray, labels = np.full((64, 64), 128, np.uint8), np.full((64, 64), 3, np.uint64)
    strong, faint = (
        simplejpeg.decode_jpeg(place_jpeg(Plane(gray, labels, labels, (about, about)), 100, 8)).astype(float)
        for about in ([3], [])
    )
    away = [np.abs(each[20, 100] - 128).max() for each in (strong, faint)]
    assert away[0] > 3 * away[1] > 0
