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
from dataclasses import dataclass
from pathlib import Path

import cc3d
import fastremap
import numpy as np
import numpy.typing as npt

from emseg.config.dataset import Stitching, StitchMode
from emseg.errors import EmsegError, PermanentError
from emseg.evaluate import contingency_table, score
from emseg.geometry import Box, Grid
from emseg.stitch import (
    Contacts,
    Evidence,
    Mapping,
    Pieces,
    Votes,
    contacts_of,
    count_votes,
    pieces_of,
    resolve,
    supervoxel_ids,
)

VOXEL_SIZE_NM = (10.0, 10.0, 10.0)
VOXEL_NM3 = 1000.0

Labels = npt.NDArray[np.uint32]


@dataclass(frozen=True, eq=False)
class Cut:
    """A volume cut into the subvolumes that are there, each with ids of its own over its padded box."""

    grid: Grid
    pieces: dict[int, Labels]

    @classmethod
    def of(cls, labels: npt.NDArray[np.integer], core: int, halo: int, missing: float, seed: int) -> Cut:
        """Cut `labels` (0 = none, ZYX) in random order; a share `missing` of the cells is not there."""
        rng = np.random.default_rng(seed)
        grid = Grid(Box.of_shape(labels.shape), (core,) * 3, (halo,) * 3)
        cells = rng.permutation(int(np.prod(grid.shape)))
        kept = cells[: len(cells) - round(missing * len(cells))]
        return cls(grid, {int(n): _fresh(labels[grid.subvolume(int(n)).padded.slices()], rng) for n in kept})

    def evidence(self) -> Evidence:
        """Votes, pieces and contacts, as the phase `match` counts them."""
        return Evidence(
            Votes.joined(self._votes(a, b) for a in self.pieces for b in self.grid.neighbours(a) if self._pair(a, b)),
            Pieces.joined(
                pieces_of(self.core(n), n, self.grid.subvolume(n).core, self.grid.bounds) for n in self.pieces
            ),
            Contacts.joined(contacts_of(self.core(n), n, VOXEL_SIZE_NM) for n in self.pieces),
        )

    def core(self, number: int) -> Labels:
        """Labels of the core of a subvolume."""
        cell = self.grid.subvolume(number)
        return np.ascontiguousarray(self.pieces[number][cell.core.slices(cell.padded.start)])

    def bodies(self, mapping: Mapping) -> npt.NDArray[np.uint64]:
        """The whole volume by body; 0 where a subvolume is missing."""
        volume = np.zeros(self.grid.bounds.shape, np.uint64)
        for number in self.pieces:
            ids = supervoxel_ids(self.core(number), number)
            volume[self.grid.subvolume(number).core.slices()] = mapping.body_of(ids)
        return volume

    def _pair(self, a: int, b: int) -> bool:
        return b > a and b in self.pieces

    def _votes(self, a: int, b: int) -> Votes:
        overlap = self.grid.overlap(a, b)
        first, second = (
            np.ascontiguousarray(self.pieces[side.number][overlap.region.slices(side.padded.start)])
            for side in (overlap.first, overlap.second)
        )
        return count_votes(overlap, first, second, VOXEL_SIZE_NM)


def _fresh(labels: npt.NDArray[np.integer], rng: np.random.Generator) -> Labels:
    """The same bodies under the names 1, 2, ... in an order that says nothing."""
    renamed, names = fastremap.renumber(np.ascontiguousarray(labels, np.uint64), in_place=False)
    order = np.zeros(len(names) + 1, np.uint32)
    order[1:] = rng.permutation(len(names)) + 1
    return order[renamed]


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
    print(f"{len(cut.pieces)} subvolumes stitched in {time.perf_counter() - started:.1f} s: {resolution.counts}")
    truth = np.zeros(labels.shape, labels.dtype)
    for number in cut.pieces:
        core = cut.grid.subvolume(number).core.slices()
        truth[core] = labels[core]
    parts = cc3d.connected_components(truth, connectivity=6)
    split, merge = score(contingency_table(bodies, parts)).vi_split, score(contingency_table(bodies, truth)).vi_merge
    print(f"VI split {split:.9g} merge {merge:.9g}")
    return 0


def _read(file: Path) -> npt.NDArray[np.integer]:
    try:
        with np.load(file, allow_pickle=False) as arrays:
            if "labels" in arrays and arrays["labels"].ndim == 3 and arrays["labels"].dtype.kind == "u":
                return arrays["labels"]
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
