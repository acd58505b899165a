"""What one damaged subvolume costs the others: each kind of damage in the grayscale of one, in a corner and inside.

The volume is cut and segmented without a model, clean and damaged; subvolumes that cannot see the damage are taken
from the clean run, as a real run would keep them. Damage lies in the core, so that neighbours see it in their halos.
Elsewhere is every voxel outside the padded box of the damaged subvolume. Bodies are counted in the voxels of those that
lie wholly elsewhere in the clean run: what passes through the damaged box may be cut by it, the others may not change.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from bioimage_cpp.filters import gaussian_smoothing

from benchmarks.data import LabelledEm, labelled_em
from benchmarks.rows import Row
from emseg.config.checks import ImageChecks
from emseg.config.dataset import Stitching
from emseg.config.presets import preset
from emseg.evaluate import contingency_table, score
from emseg.geometry import Box, Grid, Subvolume
from emseg.segment import ModelDescription, ModelFolder, Pipeline
from emseg.segment.image_checks import checked_image
from emseg.segment.pipeline import SubvolumeSegmentation
from emseg.segment.texture import SECTION, TextureStatistics, texture_statistics
from emseg.stitch import Contacts, Evidence, Pieces, Votes, contacts_of, count_votes, pieces_of, resolve, supervoxel_ids

VOXEL_SIZE_NM = (10.0, 10.0, 10.0)
CORE_VOX, HALO_VOX = (64, 64, 64), (20, 20, 20)
LARGE_VOX = 1000
"""Bodies with more voxels are counted; dust is not."""

Gray = npt.NDArray[np.uint8]
Bodies = npt.NDArray[np.uint64]
Damage = Callable[[Gray, np.random.Generator], None]


def _missing(core: Gray, rng: np.random.Generator) -> None:
    core[30:32] = 0


def _duplicated(core: Gray, rng: np.random.Generator) -> None:
    core[31] = core[30]


def _contrast(core: Gray, rng: np.random.Generator) -> None:
    core[31] = np.clip(core[31] * 0.5 + 90, 0, 255)


def _shifted(core: Gray, rng: np.random.Generator) -> None:
    core[31] = np.roll(core[31], (7, -6), (0, 1))


def _noise(core: Gray, rng: np.random.Generator) -> None:
    core[31] = np.clip(core[31] + rng.normal(0, 45, core[31].shape), 0, 255)


def _blank(core: Gray, rng: np.random.Generator) -> None:
    core[20:44, 20:44, 20:44] = 0


def _saturated(core: Gray, rng: np.random.Generator) -> None:
    core[20:44, 20:44, 20:44] = 255


def _foreign(core: Gray, rng: np.random.Generator) -> None:
    part = core[12:52, 12:52, 12:52]
    smooth = gaussian_smoothing(rng.normal(0, 1, part.shape).astype(np.float32), (6.0, 6.0, 6.0))
    part[:] = np.clip(128 + 35 * smooth / smooth.std(), 0, 255)


DAMAGES: Mapping[str, Damage] = {
    "missing-section": _missing,
    "duplicated-section": _duplicated,
    "contrast-jump": _contrast,
    "shifted-section": _shifted,
    "noise-burst": _noise,
    "blank": _blank,
    "saturated": _saturated,
    "foreign-texture": _foreign,
}


@dataclass(frozen=True, eq=False)
class Cut:
    """A volume, how it is cut, and its clean segmentation by subvolume."""

    em: LabelledEm
    grid: Grid
    pipeline: Pipeline
    texture: TextureStatistics

    def segmented(self, gray: Gray, number: int) -> SubvolumeSegmentation:
        """One subvolume of `gray`."""
        seen = self.seen(number)
        part = np.ascontiguousarray(gray[seen.slices()])
        inside = self.grid.subvolume(number).padded.slices(seen.start)
        return self.pipeline.segment_subvolume(part, np.ones(part.shape, bool), inside)

    def seen(self, number: int) -> Box:
        """What the segmentation of a subvolume looks at."""
        return self.pipeline.context(self.grid.subvolume(number).padded, self.grid.bounds)

    @cached_property
    def clean(self) -> dict[int, SubvolumeSegmentation]:
        """The undamaged volume."""
        return {number: self.segmented(self.em.grayscale, number) for number in range(np.prod(self.grid.shape))}

    def _evidence(self, parts: Mapping[int, SubvolumeSegmentation], careful: list[int]) -> Evidence:
        """Votes of all overlaps, and what the cores hold."""
        pairs = [(a, b) for a in parts for b in self.grid.neighbours(a) if b > a]
        cores = {number: self._core(number, part) for number, part in parts.items()}
        return Evidence(
            Votes.joined(self._votes(parts, a, b) for a, b in pairs),
            Pieces.joined(pieces_of(c, n, self.grid.subvolume(n).core, self.grid.bounds) for n, c in cores.items()),
            Contacts.joined(contacts_of(core, number, VOXEL_SIZE_NM) for number, core in cores.items()),
            careful,
        )

    def _core(self, number: int, part: SubvolumeSegmentation) -> npt.NDArray[np.uint32]:
        cell = self.grid.subvolume(number)
        return np.ascontiguousarray(part.labels[cell.core.slices(cell.padded.start)])

    def _votes(self, parts: Mapping[int, SubvolumeSegmentation], a: int, b: int) -> Votes:
        overlap = self.grid.overlap(a, b)
        first, second = (
            np.ascontiguousarray(parts[side.number].labels[overlap.region.slices(side.padded.start)])
            for side in (overlap.first, overlap.second)
        )
        return count_votes(overlap, first, second, VOXEL_SIZE_NM)

    def stitched(self, parts: Mapping[int, SubvolumeSegmentation]) -> Bodies:
        """Bodies of the whole volume."""
        careful = [number for number, part in parts.items() if part.statistics["quarantined"]]
        mapping = resolve(self._evidence(parts, careful), Stitching(), VOXEL_SIZE_NM).mapping
        bodies = np.zeros(self.grid.bounds.shape, np.uint64)
        for number, part in parts.items():
            ids = supervoxel_ids(self._core(number, part), number)
            bodies[self.grid.subvolume(number).core.slices()] = mapping.body_of(ids)
        return bodies


def run() -> list[Row]:
    """Cost of the checks; then for each damage and place: is it named, and what changes elsewhere."""
    cut = _cut(labelled_em())
    undamaged = cut.stitched(cut.clean)
    rows = _cost(cut)
    rows.append(Row(f"{cut.em.name}: findings in undamaged subvolumes", sum(map(_findings, cut.clean.values())), ""))
    inner = tuple(n // 2 for n in cut.grid.shape)
    places = {"corner": 0, "inside": cut.grid.number_of((inner[0] - 1, inner[1], inner[2]))}
    for name, damage in DAMAGES.items():
        for place, number in places.items():
            rows += _harm(cut, undamaged, f"{name} {place}", name, damage, cut.grid.subvolume(number))
    return rows


def _cut(em: LabelledEm) -> Cut:
    texture = texture_statistics([em.grayscale], VOXEL_SIZE_NM)
    description = ModelDescription(voxel_size_nm=VOXEL_SIZE_NM, sections={SECTION: texture.model_dump(mode="json")})
    model = ModelFolder.of(description, {})
    config = preset("classical")
    if config.predict is None:
        raise TypeError("the preset has no predict step")
    # No step reads this model: it tells the checks how clean tissue looks.
    named = config.model_copy(update={"predict": config.predict.model_copy(update={"model": model.digest})})
    grid = Grid(Box.of_shape(em.grayscale.shape), CORE_VOX, HALO_VOX)
    return Cut(em, grid, Pipeline(named, VOXEL_SIZE_NM, lambda _: model), texture)


def _cost(cut: Cut) -> list[Row]:
    gray = cut.em.grayscale
    everywhere = np.ones(gray.shape, bool)
    checked_image(gray, everywhere, VOXEL_SIZE_NM, ImageChecks(), cut.texture)
    started = time.process_time()
    checked_image(gray, everywhere, VOXEL_SIZE_NM, ImageChecks(), cut.texture)
    return [Row(f"{cut.em.name}: image checks", (time.process_time() - started) / gray.size * 1e6, "CPU-s/Mvoxel")]


def _findings(part: SubvolumeSegmentation) -> int:
    return sum(name.startswith("finding.") for name in part.statistics)


def _harm(cut: Cut, undamaged: Bodies, said: str, name: str, damage: Damage, cell: Subvolume) -> list[Row]:
    gray = cut.em.grayscale.copy()
    damage(gray[cell.core.slices()], np.random.default_rng(0))
    parts = {
        number: clean if not _sees(cut, gray, number) else cut.segmented(gray, number)
        for number, clean in cut.clean.items()
    }
    bodies = cut.stitched(parts)
    elsewhere = np.ones(gray.shape, bool)
    elsewhere[cell.padded.slices()] = False
    before, after = (score(contingency_table(b[elsewhere], cut.em.groundtruth[elsewhere])) for b in (undamaged, bodies))
    untouched = elsewhere & ~np.isin(undamaged, np.unique(undamaged[~elsewhere]))
    counts = [_large(b[untouched]) for b in (undamaged, bodies)]
    said = f"{cut.em.name}: {said}"
    return [
        Row(f"{said}, named", float(f"finding.{name}" in parts[cell.number].statistics), ""),
        Row(f"{said}, VI elsewhere, change", after.vi - before.vi, "bits"),
        Row(f"{said}, bodies elsewhere, change", counts[1] - counts[0], f"of {counts[0]}"),
    ]


def _sees(cut: Cut, gray: Gray, number: int) -> bool:
    place = cut.seen(number).slices()
    return not np.array_equal(gray[place], cut.em.grayscale[place])


def _large(bodies: Bodies) -> int:
    ids, sizes = np.unique(bodies, return_counts=True)
    return int(((sizes > LARGE_VOX) & (ids != 0)).sum())
