"""Maps of subvolumes: each value at its place, however many there are."""

from __future__ import annotations

import re

import numpy as np

from emseg.geometry import Box, Grid
from emseg.quality.report.map_svg import map_svg
from emseg.quality.report.maps import MOST_TILES, subvolume_maps


def grid_of(z: int, y: int, x: int) -> Grid:
    return Grid(Box((0, 0, 0), (z * 64, y * 64, x * 64)), (64, 64, 64), (8, 8, 8))


def test_a_value_is_where_its_subvolume_is_and_the_largest_of_either_sign_is_seen():
    """Kills axes swapped, a sum in which a gain hides a loss, and a maximum that shows no gain."""
    grid = grid_of(2, 3, 4)
    items = [grid.subvolume(i).name for i in range(24)]
    change = np.zeros(24)
    change[grid.number_of((0, 2, 1))], change[grid.number_of((1, 2, 1))] = 0.5, -0.75
    maps = {(each.shows, each.seen_from): each for each in subvolume_maps(np.abs(change), change, items, grid)}
    above, side = maps["change", "above"], maps["change", "side"]
    assert (above.shape, side.shape) == ((3, 4), (2, 4))
    at = {(tile.row, tile.column): tile for tile in above.tiles}
    assert (at[2, 1].value, at[2, 1].subvolume, at[2, 1].subvolumes) == (-0.75, grid.subvolume(21).name, 2)
    assert {(t.row, t.column): t.value for t in side.tiles if t.value} == {(0, 1): 0.5, (1, 1): -0.75}


def test_a_hundred_thousand_subvolumes_are_a_few_hundred_tiles_and_nothing_is_lost():
    """Kills a page, and a JSON, that grow with the volume; and a tile that shows the first subvolume behind it."""
    grid = grid_of(40, 50, 50)
    items = [grid.subvolume(i).name for i in range(100_000)]
    error = np.zeros(100_000)
    error[grid.number_of((39, 49, 0))] = 3.0
    maps = subvolume_maps(error, None, items, grid)
    assert {each.shows for each in maps} == {"error"}
    assert all(max(each.shape) <= MOST_TILES for each in maps)
    assert all(sum(tile.subvolumes for tile in each.tiles) == 100_000 for each in maps)
    assert maps[0].cells_a_tile == (3, 3)
    assert [(t.row, t.column) for t in maps[0].tiles if t.value == 3.0] == [(16, 0)]
    assert sum(len(map_svg(each)) for each in maps) < 300_000


def test_a_tile_is_drawn_at_its_place_in_the_colour_of_its_sign():
    """Kills better and worse in one colour, and rows drawn as columns."""
    grid = grid_of(1, 2, 3)
    items = [grid.subvolume(i).name for i in range(5)]  # the last one has no ground truth
    svg = map_svg(subvolume_maps(np.zeros(5), np.array([0, 0, 1.0, -0.5, 0]), items, grid)[2])
    strong = re.findall(r'class="(worse|better)" x="(\d+)" y="(\d+)"[^>]*fill-opacity="(0\.\d+)"', svg)
    assert strong == [("worse", "120", "0", "0.75"), ("better", "0", "60", "0.375")]
    assert svg.count("<title>") == 5
