"""Labels cut into overlapping subvolumes with fresh local ids, as a perfect segmentation leaves them, and stitched.

    .venv/bin/python benchmarks/restitch.py FILE.npz --core 64 --halo 5 --mode medium --min-overlap 50 \
        --missing-cells 0.1 --seed 1

`FILE.npz` has the key `labels`. Every body has one id in each padded core; subvolumes come in random order, and a share
of them is missing. VI split is against the 6-connected components of the labels in the subvolumes that are there: what
no stitcher can see joined is not asked of it. VI merge is against the labels. The last line is `VI split X merge Y`.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cc3d
import fastremap
import numpy as np

from emseg.array_types import AnyLabels, Labels32, Labels64
from emseg.config.stitching import Stitching, StitchMode
from emseg.errors import EmsegError, PermanentError
from emseg.evaluate import contingency_table, score
from emseg.geometry import Box, Grid, Overlap
from emseg.stitch import (
    BodyMapping,
    Contacts,
    Evidence,
    Supervoxels,
    Votes,
    contacts_of,
    count_votes,
    resolve,
    supervoxel_ids,
    supervoxels_of,
)

VOXEL_SIZE_NM = (10.0, 10.0, 10.0)
VOXEL_NM3 = 1000.0


@dataclass(frozen=True, eq=False)
class Cut:
    """A volume cut into the subvolumes that are there, each with labels of its own (0 = none) over its padded box."""

    grid: Grid
    labels: Mapping[int, Labels32]

    @classmethod
    def of(cls, labels: AnyLabels, core: int, halo: int, missing: float, seed: int) -> Cut:
        """Cut `labels` (0 = none, ZYX) in random order; a share `missing` of the cells is not there."""
        rng = np.random.default_rng(seed)
        grid = Grid(Box.of_shape(labels.shape), (core,) * 3, (halo,) * 3)
        cells = rng.permutation(grid.shape.product).tolist()
        return cls.into(labels, grid, cells[: len(cells) - round(missing * len(cells))], rng)

    @classmethod
    def into(cls, labels: AnyLabels, grid: Grid, cells: Sequence[int], rng: np.random.Generator) -> Cut:
        """Cut `labels` into some cells of a grid, each with fresh names for its bodies."""
        return cls(grid, {n: _fresh(labels[grid.subvolume(n).padded.slices()], rng) for n in cells})

    def overlaps(self) -> Iterator[Overlap]:
        """Overlaps of neighbours that are both there."""
        for number in self.labels:
            for other in self.grid.neighbours(number):
                if other > number and other in self.labels:
                    yield self.grid.overlap(number, other)

    def sides(self, overlap: Overlap) -> tuple[Labels32, Labels32]:
        """Labels of an overlap as both of its subvolumes have them."""
        first, second = (
            np.ascontiguousarray(self.labels[side.number][overlap.region.slices(side.padded.start)])
            for side in (overlap.first, overlap.second)
        )
        return first, second

    def votes(self) -> list[Votes]:
        """Votes of each overlap."""
        return [count_votes(overlap, *self.sides(overlap), VOXEL_SIZE_NM) for overlap in self.overlaps()]

    def evidence(self, quarantined: Collection[int] = ()) -> Evidence:
        """Votes, supervoxels and contacts, as the phase `match` counts them."""
        cores = {number: self.core(number) for number in self.labels}
        return Evidence(
            Votes.joined(self.votes()),
            Supervoxels.joined(
                supervoxels_of(core, n, self.grid.subvolume(n).core, self.grid.bounds) for n, core in cores.items()
            ),
            Contacts.joined(contacts_of(core, number, VOXEL_SIZE_NM) for number, core in cores.items()),
            quarantined,
        )

    def core(self, number: int) -> Labels32:
        """Labels of the core of a subvolume."""
        cell = self.grid.subvolume(number)
        return np.ascontiguousarray(self.labels[number][cell.core.slices(cell.padded.start)])

    def bodies(self, mapping: BodyMapping) -> Labels64:
        """The whole volume by body; 0 where a subvolume is missing."""
        volume = np.zeros(self.grid.bounds.shape, np.uint64)
        for number in self.labels:
            ids = supervoxel_ids(self.core(number), number)
            volume[self.grid.subvolume(number).core.slices()] = mapping.body_of(ids)
        return volume


def _fresh(labels: AnyLabels, rng: np.random.Generator) -> Labels32:
    """The same bodies under the names 1, 2, ... in an order that says nothing."""
    renamed, names = fastremap.renumber(np.ascontiguousarray(labels, np.uint64), in_place=False)
    order = np.zeros(len(names) + 1, np.uint32)
    order[1:] = rng.permutation(len(names)) + 1
    fresh: Labels32 = order[renamed]
    return fresh


def main(arguments: list[str]) -> int:
    """Exit code: 0, or 2 when the options or the file cannot be used."""
    options = _parser().parse_args(arguments)
    try:
        labels = _read(options.file)
        started = time.perf_counter()
        cut = Cut.of(labels, options.core, options.halo, options.missing_cells, options.seed)
        stitching = Stitching(mode=options.mode, min_overlap_nm3=options.min_overlap * VOXEL_NM3)
        resolution = resolve(cut.evidence(), stitching, VOXEL_SIZE_NM)
        bodies = cut.bodies(resolution.mapping)
    except EmsegError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{len(cut.labels)} subvolumes stitched in {time.perf_counter() - started:.1f} s: {resolution.counts}")
    truth = np.zeros(labels.shape, labels.dtype)
    for number in cut.labels:
        core = cut.grid.subvolume(number).core.slices()
        truth[core] = labels[core]
    parts = cc3d.connected_components(truth, connectivity=6)
    split, merge = score(contingency_table(bodies, parts)).vi_split, score(contingency_table(bodies, truth)).vi_merge
    print(f"VI split {split:.9g} merge {merge:.9g}")
    return 0


def _read(file: Path) -> AnyLabels:
    try:
        with np.load(file, allow_pickle=False) as arrays:
            if "labels" in arrays and arrays["labels"].ndim == 3 and arrays["labels"].dtype.kind == "u":
                labels: AnyLabels = arrays["labels"]
                return labels
        found = "no 3-D array `labels` of unsigned integers"
    except (OSError, ValueError) as error:
        found = f"not a readable npz file ({error})"
    raise PermanentError("reading labels to cut", str(file), found, "Give an npz file with key `labels`, uint, ZYX")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Cut labels into subvolumes and stitch them back.")
    parser.add_argument("file", type=Path, help="npz file with key `labels`")
    parser.add_argument("--core", type=int, default=64, help="side of a core, voxels")
    parser.add_argument("--halo", type=int, default=10, help="halo, voxels")
    parser.add_argument("--mode", type=StitchMode, choices=list(StitchMode), default=StitchMode.MEDIUM)
    parser.add_argument("--min-overlap", type=float, default=50, help="overlaps of so many voxels or fewer never join")
    parser.add_argument("--missing-cells", type=float, default=0.0, help="share of the subvolumes that is not there")
    parser.add_argument("--seed", type=int, default=0)
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
