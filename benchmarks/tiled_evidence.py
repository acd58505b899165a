"""Evidence of a volume of any size, without a voxel: real subvolumes, mirrored and laid side by side.

A volume of 4 x 4 x 4 subvolumes is segmented once, its votes, supervoxels and contacts are counted, and a cell of the
large volume takes those of one of the 64, as in a mosaic whose tiles are mirrored at their borders: 0 1 2 3 3 2 1 0 0.
So each cell has the local statistic of a real one, and bodies that cross the small volume cross the large one.

Where a tile meets its mirror image, both sides would see the same, mirrored: each supervoxel that has a vote at all
votes for itself there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from benchmarks.data import unlabelled_em
from benchmarks.restitch import VOXEL_SIZE_NM, Cut
from emseg.array_types import Ids
from emseg.config.presets import preset
from emseg.geometry import LOCAL_BITS, Box, Grid
from emseg.segment import Pipeline
from emseg.stitch import Contacts, Evidence, Supervoxels, Votes, cells_of

TILES, CORE, HALO = 4, 64, 20
_LOCAL = np.uint64((1 << LOCAL_BITS) - 1)
_MIRRORED_SHARE = 6
"""A supervoxel has about this part of its voxels beside one face."""


def small_volume() -> tuple[str, Evidence]:
    """Name and evidence of the volume that is tiled: real EM from the shared folder, or a synthetic one."""
    em = unlabelled_em()
    grid = Grid(Box.of_shape(em.grayscale.shape), (CORE,) * 3, (HALO,) * 3)
    assert grid.shape == (TILES, TILES, TILES), grid.shape
    pipeline, labels = Pipeline(preset("classical"), VOXEL_SIZE_NM), {}
    for number in range(TILES**3):
        padded = grid.subvolume(number).padded
        seen = pipeline.context(padded, grid.bounds)
        part = np.ascontiguousarray(em.grayscale[seen.slices()])
        labels[number] = pipeline.segment_subvolume(part, np.ones(part.shape, bool), padded.slices(seen.start)).labels
    return em.name, Cut(grid, labels).evidence()


@dataclass(frozen=True, eq=False)
class TiledEvidence:
    """The evidence of a cube of `side` cells a side."""

    small: Evidence
    side: int

    def supervoxels(self, cell: int) -> Supervoxels:
        """Those of a cell; none of them is told to reach a face of the volume."""
        found = self._supervoxels[self._tile(self._at(cell))]
        ids = _renamed(found.supervoxel, cell)
        return Supervoxels(ids, found.voxels, np.zeros(len(found), np.uint8))

    def contacts(self, cell: int) -> Contacts:
        """Those in a cell."""
        found = self._contacts[self._tile(self._at(cell))]
        return Contacts(_renamed(found.first, cell), _renamed(found.second, cell), found.area_nm2)

    def votes(self, cell: int) -> Votes:
        """Votes of a cell with its later neighbours."""
        at, parts = self._at(cell), [Votes.none()]
        for step in _LATER:
            to = at + step
            if ((to >= 0) & (to < self.side)).all():
                parts.append(self._between(cell, at, int(np.ravel_multi_index(to, (self.side,) * 3)), to))
        return Votes.joined(parts)

    def _between(self, cell: int, at: Ids, other: int, to: Ids) -> Votes:
        own, theirs = self._tile(at), self._tile(to)
        if own == theirs:
            found = self._mirrored[own] if np.abs(to - at).sum() == 1 else Votes.none()
            return replace(found, first=_renamed(found.first, cell), second=_renamed(found.second, other))
        found = self._votes.get((min(own, theirs), max(own, theirs)), Votes.none())
        first, second = _renamed(found.first, cell), _renamed(found.second, other)
        if own < theirs:
            return replace(found, first=first, second=second)
        return Votes(
            _renamed(found.second, cell),
            _renamed(found.first, other),
            found.overlap_vox,
            found.second_vox,
            found.first_vox,
            found.contact_nm2,
            found.second_reaches,
            found.first_reaches,
        )

    def _at(self, cell: int) -> Ids:
        return np.array(np.unravel_index(cell, (self.side,) * 3))

    @staticmethod
    def _tile(at: Ids) -> int:
        there = at % (2 * TILES)
        z, y, x = np.where(there < TILES, there, 2 * TILES - 1 - there).tolist()
        return int((z * TILES + y) * TILES + x)

    @cached_property
    def _votes(self) -> dict[tuple[int, int], Votes]:
        votes = self.small.votes
        pairs = np.stack([cells_of(votes.first), cells_of(votes.second)], axis=1)
        return {(a, b): votes.rows((pairs == (a, b)).all(axis=1)) for a, b in np.unique(pairs, axis=0).tolist()}

    @cached_property
    def _supervoxels(self) -> list[Supervoxels]:
        cells = cells_of(self.small.supervoxels.supervoxel)
        return [self.small.supervoxels.rows(cells == cell) for cell in range(TILES**3)]

    @cached_property
    def _contacts(self) -> list[Contacts]:
        cells = cells_of(self.small.contacts.first)
        return [self.small.contacts.rows(cells == cell) for cell in range(TILES**3)]

    @cached_property
    def _mirrored(self) -> list[Votes]:
        voting = np.union1d(self.small.votes.first, self.small.votes.second)
        return [self._of_itself(each.rows(np.isin(each.supervoxel, voting))) for each in self._supervoxels]

    @staticmethod
    def _of_itself(some: Supervoxels) -> Votes:
        shared, reaches = np.maximum(some.voxels // _MIRRORED_SHARE, 1), np.ones(len(some), bool)
        return Votes(some.supervoxel, some.supervoxel, shared, shared, shared, shared * 10.0, reaches, reaches)


_LATER = np.array([(z, y, x) for z in (-1, 0, 1) for y in (-1, 0, 1) for x in (-1, 0, 1) if (z, y, x) > (0, 0, 0)])


def _renamed(ids: Ids, cell: int) -> Ids:
    renamed: Ids = (ids & _LOCAL) | np.uint64(cell << LOCAL_BITS)
    return renamed
