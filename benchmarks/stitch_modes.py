"""Every stitching mode on real segmentations, beside a stitcher that knows the ground truth.

A model is trained on one half of the labelled volume and segments the other, in subvolumes whose results stay the same
for all modes; both halves take turns. The oracle joins exactly the votes whose two supervoxels have most of their
voxels in one body: once all of them, and once those that share more than the floor, which is what any mode may take.

`REFERENCE` are VI of a scratch pipeline on another part of the same tissue (another model, split along Z, bits), for
orientation: core 96, halo 20, published rules without constraints.
"""

from __future__ import annotations

from collections.abc import Mapping as MappingOf
from statistics import mean

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from benchmarks.data import labelled_em
from benchmarks.restitch import Cut
from benchmarks.rows import Row
from benchmarks.trained import VOXEL_SIZE_NM, Volume, Y, half, trained_on
from emseg.array_types import Flags, Gray, Labels32
from emseg.config.presets import preset
from emseg.config.stitching import Constraints, Stitching, StitchMode
from emseg.evaluate import contingency_table, score
from emseg.geometry import LOCAL_BITS, Box, Grid
from emseg.segment import Pipeline, with_model
from emseg.stitch import BodyMapping, Evidence, resolve

PRESET = "default"
CUTS = ((64, 20), (96, 20), (128, 20), (64, 41), (96, 41), (128, 41))
"""Core and halo, voxels: the halo of the published figures, and the one that `default` asks for by itself."""
OFF = Constraints(kept_apart_nm2=None, max_weak_um3=None)
REFERENCE = {"none": 2.821, "conservative": 1.419, "medium": 1.221, "aggressive": 1.276, "iou": 1.221, "oracle": 1.116}


def run() -> list[Row]:
    """VI, precision and recall of joins by cut and mode, mean over both halves."""
    em = labelled_em()
    halves = [half(em, Y, number) for number in (0, 1)]
    turns = [(_pipeline(halves[0]), halves[1]), (_pipeline(halves[1]), halves[0])]
    rows: list[Row] = []
    for core, halo in CUTS:
        cuts = [(segmented(pipeline, gray, core, halo), truth) for pipeline, (gray, truth) in turns]
        known = [_right(cut, truth) for cut, truth in cuts]
        said = f"{em.name}, held-out halves, core {core} halo {halo}"
        rows += _rows(said, [_scores(cut, truth, *right) for (cut, truth), right in zip(cuts, known, strict=True)])
        share = mean(_share_below_the_floor(*right) for right in known)
        rows.append(
            Row(f"{said}: joins of the oracle below the floor, shared part of the smaller supervoxel", share, "%")
        )
    rows += [Row(f"for orientation, other tissue and model: {name}, VI", vi, "bits") for name, vi in REFERENCE.items()]
    return rows


def _pipeline(learned: Volume) -> Pipeline:
    model = trained_on(learned, PRESET).model
    return Pipeline(with_model(preset(PRESET), model.digest), VOXEL_SIZE_NM, lambda _: model)


def segmented(pipeline: Pipeline, gray: Gray, core: int, halo: int) -> Cut:
    """Every subvolume of `gray` by itself."""
    grid = Grid(Box.of_shape(gray.shape), (core,) * 3, (halo,) * 3)
    labels = {}
    for number in range(grid.shape.product):
        padded = grid.subvolume(number).padded
        seen = pipeline.context(padded, grid.bounds)
        part = np.ascontiguousarray(gray[seen.slices()])
        labels[number] = pipeline.segment_subvolume(part, np.ones(part.shape, bool), padded.slices(seen.start)).labels
    return Cut(grid, labels)


def _scores(
    cut: Cut, truth: Labels32, evidence: Evidence, right: Flags, floor: Flags
) -> dict[str, tuple[float, float, float]]:
    """VI, precision and recall of joins, by name of the rules."""
    rules = {mode.value: Stitching(mode=mode) for mode in StitchMode}
    rules |= {
        f"{mode}, without constraints": Stitching(mode=mode, constraints=OFF) for mode in ("medium", "aggressive")
    }
    found = {}
    for name, stitching in rules.items():
        resolution = resolve(evidence, stitching, VOXEL_SIZE_NM)
        joined = resolution.ledger["joined"].to_numpy()
        found[name] = (_vi(cut, resolution.mapping, truth), *_pairs(joined, right & floor))
    for name, joined in (("oracle", right), ("oracle above the floor", right & floor)):
        found[name] = (_vi(cut, all_joined(evidence, joined), truth), *_pairs(joined, right & floor))
    return found


def _right(cut: Cut, truth: Labels32) -> tuple[Evidence, Flags, Flags]:
    """The votes, those that the oracle joins, and those above the floor."""
    evidence = cut.evidence()
    floor = evidence.votes.overlap_vox * np.prod(VOXEL_SIZE_NM) > Stitching().min_overlap_nm3
    return evidence, same_body(cut, evidence, truth), floor


def _share_below_the_floor(evidence: Evidence, right: Flags, floor: Flags) -> float:
    """What is shared of the smaller supervoxel in the overlap, percent: median over the oracle's joins."""
    votes, below = evidence.votes, right & ~floor
    smaller = np.minimum(votes.first_vox, votes.second_vox)
    return 100 * float(np.median(votes.overlap_vox[below] / smaller[below])) if below.any() else 0.0


def same_body(cut: Cut, evidence: Evidence, truth: Labels32) -> Flags:
    """Votes of supervoxels that reach the interface and have most of their voxels in the same true body."""
    majority: dict[int, int] = {0: 0}
    for number, labels in cut.labels.items():
        table = contingency_table(labels, truth[cut.grid.subvolume(number).padded.slices()])
        order = np.argsort(table.count, kind="stable")
        segments, bodies = table.segmentation[order].tolist(), table.groundtruth[order].tolist()
        majority |= {number << LOCAL_BITS | segment: body for segment, body in zip(segments, bodies, strict=True)}
    votes = evidence.votes
    pairs = zip(votes.first.tolist(), votes.second.tolist(), strict=True)
    same = np.array([majority.get(a, -1) == majority.get(b, -2) for a, b in pairs], bool)
    flags: Flags = same & votes.first_reaches & votes.second_reaches
    return flags


def all_joined(evidence: Evidence, which: Flags) -> BodyMapping:
    """Bodies when exactly these votes join."""
    first, second = evidence.votes.first[which], evidence.votes.second[which]
    nodes, indices = np.unique(np.concatenate([first, second]), return_inverse=True)
    a, b = indices[: len(first)], indices[len(first) :]
    graph = coo_array((np.ones(len(a), np.int8), (a, b)), shape=(len(nodes), len(nodes)))
    return BodyMapping.of_components(nodes, connected_components(graph, directed=False)[1].astype(np.int64))


def _vi(cut: Cut, mapping: BodyMapping, truth: Labels32) -> float:
    return score(contingency_table(cut.bodies(mapping), truth)).vi


def _pairs(joined: Flags, right: Flags) -> tuple[float, float]:
    both = int((joined & right).sum())
    return both / max(int(joined.sum()), 1), both / max(int(right.sum()), 1)


def _rows(said: str, turns: list[MappingOf[str, tuple[float, float, float]]]) -> list[Row]:
    rows = []
    for name in turns[0]:
        vi, precision, recall = (mean(turn[name][k] for turn in turns) for k in range(3))
        rows += [
            Row(f"{said}: {name}, VI", vi, "bits"),
            Row(f"{said}: {name}, precision of joins", precision, ""),
            Row(f"{said}: {name}, recall of joins", recall, ""),
        ]
    default = Stitching().mode.value
    for oracle in ("oracle", "oracle above the floor"):
        gap = mean(turn[default][0] - turn[oracle][0] for turn in turns)
        rows.append(Row(f"{said}: {default} (default) minus {oracle}, VI", gap, "bits"))
    return rows
