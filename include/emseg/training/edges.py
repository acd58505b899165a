"""Training of the learned agglomeration: forests learn at which contacts the bodies on both sides differ.

Between two rounds the training regions are joined by the scores of forests that were not trained on them: stripes of
the volume take turns. So the next round learns from regions as they will be on new tissue.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import fastremap
import numpy as np
import numpy.typing as npt

from emseg.errors import PermanentError
from emseg.segment.contact_features import contact_feature_names, contact_features
from emseg.segment.forest import Forest
from emseg.segment.learned_linkage import CHANNELS, contact_channels, linked, mean_score
from emseg.segment.protocol import Labels, Probability
from emseg.segment.region_graph import RegionGraph, region_graph
from emseg.training.figures import Separation, separation
from emseg.training.lightgbm_text import trained
from emseg.training.volume import TrainingVolume

PARAMETERS: dict[str, Any] = {
    "num_leaves": 15,
    "learning_rate": 0.05,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "feature_fraction": 0.6,
    "min_data_in_leaf": 20,
}
LEAST_CONTACTS = 2 * PARAMETERS["min_data_in_leaf"]
"""With fewer contacts no tree can split."""
PURE = 0.6
"""A region is learned from when one body has more than this share of its labelled voxels."""
STRIPE_NM = 320.0
FOLDS = 4

Say = Callable[[str], None]
Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class EdgeSettings:
    """Thresholds of the rounds, and how many forests judge each round."""

    thresholds: tuple[float, ...] = (0.2, 0.3, 0.4)
    forests: int = 3
    trees: int = 150


@dataclass(frozen=True, eq=False)
class TrainedRound:
    """Texts of the forests of one round, and how well they tell contacts apart, out of fold."""

    texts: tuple[str, ...]
    threshold: float
    figures: Separation


@dataclass(frozen=True, eq=False)
class TrainedEdges:
    """All rounds; `out_of_fold(threshold)` joins the training volumes as the last round would at that threshold."""

    rounds: tuple[TrainedRound, ...]
    out_of_fold: Callable[[float], list[Labels]]


@dataclass(frozen=True, eq=False)
class _Sample:
    """One training volume on its way through the rounds."""

    supervoxels: Labels
    groundtruth: npt.NDArray[np.integer]
    graph: RegionGraph
    region_of: Numbers

    @property
    def fold(self) -> Numbers:
        """Fold of each contact: stripes across the longest axis take turns."""
        centre = self.graph.contact_places[:, 1:4] / self.graph.contact_places[:, :1]
        axis = int(np.argmax(centre.max(axis=0) - centre.min(axis=0)))
        return (centre[:, axis] // STRIPE_NM).astype(np.int64) % FOLDS


def train_edges(
    volumes: Sequence[TrainingVolume],
    probabilities: Sequence[Probability],
    supervoxels: Sequence[Labels],
    gray_levels: tuple[float, float],
    settings: EdgeSettings,
    seed: int,
    say: Say,
) -> TrainedEdges:
    """Train all rounds on out-of-fold `probabilities` and the `supervoxels` made of them. Deterministic by seed.

    PermanentError where the contacts are too few or all of one class. `gray_levels`: mean and deviation of the data.
    """
    samples = [
        _Sample(
            labels,
            volume.groundtruth,
            (
                graph := region_graph(
                    labels,
                    contact_channels(volume.grayscale, probability, volume.voxel_size_nm, *gray_levels),
                    volume.voxel_size_nm,
                )
            ),
            np.arange(graph.nodes),
        )
        for volume, probability, labels in zip(volumes, probabilities, supervoxels, strict=True)
    ]
    rounds: list[TrainedRound] = []
    scores: list[npt.NDArray[np.float64]] = []
    for number, threshold in enumerate(settings.thresholds, 1):
        say(f"agglomeration, round {number} of {len(settings.thresholds)}")
        joined = list(samples)
        if rounds:
            joined = [_joined(s, score, rounds[-1].threshold) for s, score in zip(samples, scores, strict=True)]
        if rounds and _unlearnable(joined):
            say(f"  nothing is left to learn: the rounds before leave {_unlearnable(joined)}")
            break
        samples = joined
        made, scores = _train_round(samples, settings, threshold, seed + 1000 * number)
        contacts = sum(len(sample.graph.edges) for sample in samples)
        say(f"  {contacts} contacts, average precision {made.figures.average_precision:.4f}")
        rounds.append(made)

    def out_of_fold(threshold: float) -> list[Labels]:
        return [
            linked(sample.graph, score, threshold)[sample.region_of].astype(np.uint32)[sample.supervoxels]
            for sample, score in zip(samples, scores, strict=True)
        ]

    return TrainedEdges(tuple(rounds), out_of_fold)


def _joined(sample: _Sample, score: npt.NDArray[np.float64], threshold: float) -> _Sample:
    """The sample as the next round gets it."""
    region_of = linked(sample.graph, score, threshold)
    graph = sample.graph.joined(region_of)
    return _Sample(sample.supervoxels, sample.groundtruth, graph, region_of[sample.region_of])


def _unlearnable(samples: Sequence[_Sample]) -> str:
    """Why nothing can be learned from the contacts; empty where something can."""
    target, usable = _all_targets(samples)
    found = f"{int(usable.sum())} contacts of known bodies"
    if usable.sum() < LEAST_CONTACTS:
        return f"{found}, fewer than {LEAST_CONTACTS}"
    if target[usable].any() and not target[usable].all():
        return ""
    return f"{found}, all of one class: either no two regions of one body touch, or no two bodies"


def _train_round(
    samples: Sequence[_Sample], settings: EdgeSettings, threshold: float, seed: int
) -> tuple[TrainedRound, list[npt.NDArray[np.float64]]]:
    """One round, and the out-of-fold score of every contact of each volume."""
    names = contact_feature_names(CHANNELS)
    features = np.concatenate([contact_features(sample.graph) for sample in samples], axis=1)
    target, usable = _all_targets(samples)
    fold = np.concatenate([sample.fold for sample in samples])
    # A large contact is surer and decides about more voxels, but is still one decision.
    weight = np.sqrt(np.concatenate([sample.graph.contact_nm2 for sample in samples]))
    weight /= weight.mean()
    if fault := _unlearnable(samples):
        raise PermanentError(
            "training the agglomeration",
            "supervoxels of the training volumes",
            fault,
            "Give more ground truth, or check that it belongs to the grayscale",
        )

    def forests(rows: npt.NDArray[np.bool_]) -> tuple[str, ...]:
        matrix = np.ascontiguousarray(features[:, rows].T)
        return tuple(
            trained(matrix, target[rows], names, PARAMETERS, settings.trees, seed + k, weight[rows])
            for k in range(settings.forests)
        )

    score = np.empty(len(target))
    for k in np.unique(fold):
        apart = usable & (fold != k)
        others = apart if apart.sum() >= LEAST_CONTACTS else usable
        made = tuple(Forest.from_text(text, f"fold {k}") for text in forests(others))
        score[fold == k] = mean_score(made, np.ascontiguousarray(features[:, fold == k]))
    figures = separation(score[usable], target[usable])
    ends = np.cumsum([len(sample.graph.edges) for sample in samples])
    return TrainedRound(forests(usable), threshold, figures), np.split(score, ends[:-1])


def _all_targets(samples: Sequence[_Sample]) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    target, usable = zip(*(_targets(sample) for sample in samples), strict=True)
    return np.concatenate(target), np.concatenate(usable)


def _targets(sample: _Sample) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """For each contact: whether its regions belong to different bodies, and whether both are pure enough to say so."""
    body, purity = _majority(sample)
    first, second = sample.graph.edges.T
    usable = (np.minimum(purity[first], purity[second]) > PURE) & (body[first] != 0) & (body[second] != 0)
    return body[first] != body[second], usable


def _majority(sample: _Sample) -> tuple[Numbers, npt.NDArray[np.float64]]:
    """The body that holds most labelled voxels of each region, and its share of them; body 0 where there are none."""
    nodes = sample.graph.nodes
    truth, _ = fastremap.renumber(sample.groundtruth, preserve_zero=True, in_place=False)
    bodies = int(truth.max()) + 1
    pairs = sample.region_of[sample.supervoxels].astype(np.uint64) * np.uint64(bodies) + truth
    keys, counts = fastremap.unique(pairs, return_counts=True)
    region, body = (keys // bodies).astype(np.int64), (keys % bodies).astype(np.int64)
    region, body, counts = region[body != 0], body[body != 0], counts[body != 0]
    order = np.lexsort((body, -counts.astype(np.int64), region))
    best, share = np.zeros(nodes, np.int64), np.zeros(nodes)
    first = order[np.unique(region[order], return_index=True)[1]]
    best[region[first]] = body[first]
    share[region[first]] = counts[first] / np.bincount(region, counts, minlength=nodes)[region[first]]
    return best, share
