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
from bioimage_cpp.filters import gaussian_smoothing

from benchmarks.data import LabelledEm, labelled_em
from benchmarks.restitch import VOXEL_SIZE_NM, Cut
from benchmarks.rows import Row
from emseg.array_types import Gray, Labels64
from emseg.config.checks import ImageChecks
from emseg.config.presets import preset
from emseg.config.stitching import Stitching
from emseg.evaluate import contingency_table, score
from emseg.geometry import Box, Grid, Subvolume
from emseg.segment import ModelDescription, ModelFolder, Pipeline
from emseg.segment.image_checks.checks import checked_image
from emseg.segment.image_checks.texture import SECTION, TextureStatistics, texture_statistics
from emseg.segment.pipeline import SubvolumeSegmentation
from emseg.stitch import resolve

CORE_VOX, HALO_VOX = (64, 64, 64), (20, 20, 20)
LARGE_VOX = 1000
"""Bodies with more voxels are counted; dust is not."""

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
class Volume:
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
        return {number: self.segmented(self.em.grayscale, number) for number in range(self.grid.shape.product)}

    def stitched(self, parts: Mapping[int, SubvolumeSegmentation]) -> Labels64:
        """Bodies of the whole volume."""
        cut = Cut(self.grid, {number: part.labels for number, part in parts.items()})
        careful = [number for number, part in parts.items() if part.statistics["quarantined"]]
        return cut.bodies(resolve(cut.evidence(careful), Stitching(), VOXEL_SIZE_NM).mapping)


def run() -> list[Row]:
    """Cost of the checks; then for each damage and position: is it named, and what changes elsewhere."""
    volume = _volume(labelled_em())
    undamaged = volume.stitched(volume.clean)
    rows = _cost(volume)
    found = sum(map(_findings, volume.clean.values()))
    rows.append(Row(f"{volume.em.name}: findings in undamaged subvolumes", found, ""))
    inner = volume.grid.shape // 2
    positions = {"corner": 0, "inside": volume.grid.number_of(inner - (1, 0, 0))}
    for name, damage in DAMAGES.items():
        for position, number in positions.items():
            rows += _harm(volume, undamaged, f"{name} {position}", name, damage, volume.grid.subvolume(number))
    return rows


def _volume(em: LabelledEm) -> Volume:
    texture = texture_statistics([em.grayscale], VOXEL_SIZE_NM)
    description = ModelDescription(voxel_size_nm=VOXEL_SIZE_NM, sections={SECTION: texture.model_dump(mode="json")})
    model = ModelFolder.of(description, {})
    config = preset("classical")
    if config.predict is None:
        raise TypeError("the preset has no predict step")
    # No step reads this model: it tells the checks how clean tissue looks.
    named = config.model_copy(update={"predict": config.predict.model_copy(update={"model": model.digest})})
    grid = Grid(Box.of_shape(em.grayscale.shape), CORE_VOX, HALO_VOX)
    return Volume(em, grid, Pipeline(named, VOXEL_SIZE_NM, lambda _: model), texture)


def _cost(volume: Volume) -> list[Row]:
    gray = volume.em.grayscale
    everywhere = np.ones(gray.shape, bool)
    checked_image(gray, everywhere, VOXEL_SIZE_NM, ImageChecks(), volume.texture)
    started = time.process_time()
    checked_image(gray, everywhere, VOXEL_SIZE_NM, ImageChecks(), volume.texture)
    return [Row(f"{volume.em.name}: image checks", (time.process_time() - started) / gray.size * 1e6, "CPU-s/Mvoxel")]


def _findings(part: SubvolumeSegmentation) -> int:
    return sum(name.startswith("finding.") for name in part.statistics)


def _harm(volume: Volume, undamaged: Labels64, said: str, name: str, damage: Damage, cell: Subvolume) -> list[Row]:
    gray = volume.em.grayscale.copy()
    damage(gray[cell.core.slices()], np.random.default_rng(0))
    parts = {
        number: clean if not _sees(volume, gray, number) else volume.segmented(gray, number)
        for number, clean in volume.clean.items()
    }
    bodies = volume.stitched(parts)
    elsewhere = np.ones(gray.shape, bool)
    elsewhere[cell.padded.slices()] = False
    before, after = (
        score(contingency_table(b[elsewhere], volume.em.groundtruth[elsewhere])) for b in (undamaged, bodies)
    )
    untouched = elsewhere & ~np.isin(undamaged, np.unique(undamaged[~elsewhere]))
    counts = [_large(b[untouched]) for b in (undamaged, bodies)]
    said = f"{volume.em.name}: {said}"
    return [
        Row(f"{said}, named", float(f"finding.{name}" in parts[cell.number].statistics), ""),
        Row(f"{said}, VI elsewhere, change", after.vi - before.vi, "bits"),
        Row(f"{said}, bodies elsewhere, change", counts[1] - counts[0], f"of {counts[0]}"),
    ]


def _sees(volume: Volume, gray: Gray, number: int) -> bool:
    seen = volume.seen(number).slices()
    return not np.array_equal(gray[seen], volume.em.grayscale[seen])


def _large(bodies: Labels64) -> int:
    ids, sizes = np.unique(bodies, return_counts=True)
    return int(((sizes > LARGE_VOX) & (ids != 0)).sum())
