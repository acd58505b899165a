"""The map of subvolumes: bits of VI by place, as squares that a page can show however many subvolumes there are.

Example: 100 x 100 cells seen from above are drawn as 20 x 20 tiles of 5 x 5 cells. Each tile shows the subvolume with
the largest value behind it, of either sign, since gains and losses would cancel in a sum.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from emseg.array_types import Floats
from emseg.geometry import Grid
from emseg.quality.report.document import SubvolumeMap, Tile

MOST_TILES = 24
"""Tiles along either side of a map."""


def subvolume_maps(error: Floats, change: Floats | None, items: Sequence[str], grid: Grid) -> tuple[SubvolumeMap, ...]:
    """Maps of `error` and of `change` (bits a subvolume, in the order of `items`), from above and from the side."""
    shown = {"error": error} | ({} if change is None else {"change": change})
    cells = np.array([grid.subvolume_named(item).cell for item in items], np.int64).reshape(-1, 3)
    return tuple(
        _map(name, view, values, items, cells, tuple(grid.shape))
        for name, values in shown.items()
        for view in ("above", "side")
        if len(items)
    )


def _map(
    shows: str, view: str, values: Floats, items: Sequence[str], cells: np.ndarray, shape: tuple[int, ...]
) -> SubvolumeMap:
    axes = (1, 2) if view == "above" else (0, 2)
    size = tuple(-(-shape[axis] // MOST_TILES) for axis in axes)
    rows, columns = (cells[:, axis] // n for axis, n in zip(axes, size, strict=True))
    across = -(-shape[axes[1]] // size[1])
    tile, first, count = np.unique(
        (rows * across + columns)[_largest_first(values)], return_index=True, return_counts=True
    )
    best = _largest_first(values)[first]
    tiles = tuple(
        Tile(
            row=int(t) // across, column=int(t) % across, value=float(values[i]), subvolume=items[i], subvolumes=int(n)
        )
        for t, i, n in zip(tile, best, count, strict=True)
    )
    return SubvolumeMap.model_validate(
        {"shows": shows, "seen_from": view, "cells_a_tile": size, "tiles": tiles}
        | {"shape": (-(-shape[axes[0]] // size[0]), across)}
    )


def _largest_first(values: Floats) -> np.ndarray:
    return np.argsort(-np.abs(values), kind="stable")
